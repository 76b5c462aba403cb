"""The code lines that README and docs print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
STARTS = re.compile(r"(?:%|jupyter gpuperf |bash |gpuperf\.|import |from |[a-z_0-9]+\.)")


class Line(NamedTuple):
    """A line of code, and where it is printed."""

    place: str
    text: str


def printed_lines() -> list[Line]:
    """Return them in the order of the pages."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        if {"reference", "_build"} & set(page.parts):
            continue  # made from the declarations
        is_fenced = False
        for number, line in enumerate(page.read_text().splitlines(), 1):
            if line.lstrip().startswith("```"):
                is_fenced = not is_fenced
            elif (is_fenced or line.startswith("    ")) and STARTS.match(line.strip()):
                found.append(Line(f"{page.relative_to(ROOT)}:{number}", line.strip()))
    return found


PRINTED = printed_lines()
MAGICS = [line for line in PRINTED if line.text.startswith("%") and "[--" not in line.text]
SHELL = [line for line in PRINTED if line.text.startswith("jupyter gpuperf ")]
SCRIPTS = [line for line in PRINTED if line.text.startswith("bash ")]
PYTHON = [
    line
    for line in PRINTED
    if re.match(r"(gpuperf\.|import |from |[a-z_][a-z_0-9]*\.)", line.text)
    and not re.match(r"\w+\.py\b", line.text)  # a script's name, in what a command prints
]
