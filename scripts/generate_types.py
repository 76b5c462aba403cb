"""Generate the front end's types from schemas/, or check that the committed ones are up to date.

schemas/ → JSON Schema → labextension/src/api/generated.ts
"""

from __future__ import annotations

import argparse
import inspect
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from jupyter_gpuperf.routes import ROUTES
from jupyter_gpuperf.routes.openapi import shapes_of

ROOT = Path(__file__).parents[1]
FRONT_END = ROOT / "labextension"
TYPES = FRONT_END / "src" / "api" / "generated.ts"
BANNER = "/* Generated from jupyter_gpuperf/schemas/ by scripts/generate_types.py: do not edit. */"


def schema() -> str:
    """Return the JSON Schema of everything on the wire."""
    _, definitions = msgspec.json.schema_components(
        shapes_of(ROUTES), ref_template="#/$defs/{name}"
    )
    for definition in definitions.values():
        definition.pop("title", None)
    definitions = normalized(definitions)
    document = {"$defs": definitions, "title": "Wire", "type": "object", "properties": {}}
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def normalized(part: Any) -> Any:
    """Return a schema in a form that does not depend on the versions of msgspec and Python.

    The versions differ in the indentation of docstrings, and in the order of alternatives.
    """
    if isinstance(part, list):
        return [normalized(each) for each in part]
    if not isinstance(part, dict):
        return part
    part = {key: normalized(value) for key, value in part.items()}
    if isinstance(description := part.get("description"), str):
        part["description"] = inspect.cleandoc(description)
    if isinstance(alternatives := part.get("anyOf"), list):
        part["anyOf"] = sorted(
            alternatives, key=lambda each: (each.get("type") == "null", json.dumps(each))
        )
    return part


def types_of(schema_path: Path) -> str:
    """Return the TypeScript of a JSON Schema."""
    command = ["node", FRONT_END / "node_modules" / ".bin" / "json2ts"]
    options = [
        "--unreachableDefinitions",
        "--additionalProperties=false",
        "--bannerComment",
        BANNER,
    ]
    done = subprocess.run(
        [*map(str, command), "-i", str(schema_path), *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=FRONT_END,
    )
    if done.returncode != 0:
        sys.exit(f"json2ts failed: {done.stderr}")
    return done.stdout


def main() -> None:
    """Write the types, or compare them with what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when the file is out of date")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wire.schema.json"
        path.write_text(schema())
        fresh = types_of(path)
    if not check:
        TYPES.write_text(fresh)
    elif not TYPES.exists() or TYPES.read_text() != fresh:
        sys.exit(f"{TYPES.name} is out of date. Run: python scripts/generate_types.py")


if __name__ == "__main__":
    main()
