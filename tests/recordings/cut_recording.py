"""Cuts a part out of one of the product's own recordings.

    python tests/recordings/cut_recording.py FILE TARGET [--from SECONDS] [--until SECONDS] [--label WORDS]

Seconds count from the first reading. What held when the part begins comes with it: devices, alerts, processes, and
what was told of training. Findings are left out: whoever replays a recording judges it anew, and they named notebooks.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HOLDING = ("devices", "alerts", "processes", "training")
Line = dict[str, Any]


def lines_of(path: Path) -> list[Line]:
    """Return the objects of a recording, its header first."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def part(
    lines: Iterable[Line], from_seconds: float = 0.0, until_seconds: float = math.inf
) -> Iterator[Line]:
    """Yield the header, what held at the beginning, and then all that came in this time."""
    held: dict[str, Line] = {}
    first, now = None, 0.0
    for line in lines:
        kind = line.get("type")
        if kind is None:
            yield line  # the header
            continue
        if kind == "frame":
            first = line["time_seconds"] if first is None else first
            now = line["time_seconds"] - first
            if now > until_seconds:
                return
            if now >= from_seconds:
                yield from held.values()
                held = {}
                yield line
        elif kind in HOLDING:
            if first is None or now < from_seconds:
                held[kind] = line
            else:
                yield line


def cut(
    file: Path,
    target: Path,
    from_seconds: float = 0.0,
    until_seconds: float = math.inf,
    label: str | None = None,
) -> Path:
    """Write a part of a recording, under another label where one is given."""
    header, *rest = part(lines_of(file), from_seconds, until_seconds)
    began = next(each for each in rest if each["type"] == "frame")["time_seconds"]
    header |= {"began_seconds": began, "label": header.get("label", "") if label is None else label}
    # Without a time and a name of its own, the same part is the same file.
    with (
        target.open("wb") as plain,
        gzip.GzipFile(fileobj=plain, mode="wb", compresslevel=9, filename="", mtime=0) as out,
    ):
        for line in (header, *rest):
            out.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
    return target


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--from", type=float, default=0.0, dest="begin", metavar="SECONDS")
    parser.add_argument("--until", type=float, default=math.inf, metavar="SECONDS")
    parser.add_argument("--label", metavar="WORDS")
    options = parser.parse_args()
    cut(options.file, options.target, options.begin, options.until, options.label)


if __name__ == "__main__":
    main()
