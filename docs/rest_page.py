"""Generate the table of calls in ``rest.md`` from the routes' declarations, or check that it is up to date."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import msgspec

from jupyter_gpuperf.routes import ROUTES
from jupyter_gpuperf.routes.openapi import path_of
from jupyter_gpuperf.routes.operation import Operation, Query, operations_of

PAGE = Path(__file__).with_name("rest.md")
BEGIN, END = "<!-- calls: made by docs/rest_page.py -->\n", "<!-- end of calls -->\n"
HEAD = "| call | what it does | answer |\n| --- | --- | --- |\n"


def table() -> str:
    """Return the table of all calls, one row each."""
    rows = [
        _row(pattern, method, declared)
        for pattern, handler in ROUTES
        for method, declared in operations_of(handler).items()
    ]
    return HEAD + "".join(rows)


def _row(pattern: str, method: str, declared: Operation) -> str:
    path = re.sub(r"{\w+}", "<id>", path_of(pattern).lstrip("/"))
    query = "&".join(f"{each.name}=" for each in declared.query)
    verb = "WS" if declared.status == 101 else method.upper()
    said = [declared.description]
    if declared.takes is not None:
        nothing = " or nothing" if declared.optional_body else ""
        said.append(f"Takes `{_body(declared.takes)}`{nothing}.")
    said += [f"`{each.name}`: {each.help}{_bounds(each)}" for each in declared.query]
    is_shape = isinstance(declared.answers, type)
    answer = f"`{declared.answers.__name__ if is_shape else declared.answers}`"
    status = f"{declared.status} " if declared.status in (201, 202) else ""
    call = f"`{verb} {path}{'?' if query else ''}{query}`"
    return f"| {call} | {' '.join(said)} | {status}{answer} |\n"


def _bounds(query: Query) -> str:
    if query.minimum is None or query.maximum is None:
        return ""
    return f" {query.minimum:g} to {query.maximum:g}."


def _body(shape: type[msgspec.Struct]) -> str:
    parts = []
    for field in msgspec.structs.fields(shape):
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        given = (
            "" if default is msgspec.NODEFAULT else f": {json.dumps(msgspec.to_builtins(default))}"
        )
        parts.append(f'"{field.encode_name}"{given}')
    return "{" + ", ".join(parts) + "}"


def page() -> str:
    """Return the page with a fresh table."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def main() -> None:
    """Write the page, or compare it with what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when the page is out of date")
    fresh = page()
    if not parser.parse_args().check:
        PAGE.write_text(fresh, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != fresh:
        sys.exit("docs/rest.md is out of date. Run: python docs/rest_page.py")


if __name__ == "__main__":
    main()
