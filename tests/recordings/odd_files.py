"""Files that may lie in a recordings' folder and are none, or are none any more."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

HEADER = {"format": "gpuperf-recording", "format_version": 1, "devices": []}
DEEP = b"[" * 200_000 + b"]" * 200_000


def packed(path: Path, *lines: dict | bytes) -> None:
    encoded = (each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines)
    path.write_bytes(gzip.compress(b"".join(each + b"\n" for each in encoded), 1))


def bomb(path: Path, line: bytes, count: int) -> None:
    """Write a small file with very many equal lines, or parts of one line."""
    with gzip.open(path, "wb", 9) as file:
        file.write(json.dumps(HEADER).encode() + b"\n")
        block = line * max(1, (1 << 20) // len(line))
        for _ in range(count * len(line) // len(block)):
            file.write(block)


def one_long_line(path: Path, mib: int = 256) -> None:
    with gzip.open(path, "wb", 9) as file:
        for _ in range(mib):
            file.write(b" " * (1 << 20))


def odd_files(folder: Path) -> None:
    """Put one of each kind into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, time in enumerate(["yesterday", None, [1], {}, True, 10**400, -1e308]):
        packed(folder / f"time-{number}.jsonl.gz", {**HEADER, "began_seconds": time})
    packed(folder / "label.jsonl.gz", {**HEADER, "label": {"a": ["b"] * 10_000}})
    packed(folder / "deep.jsonl.gz", b'{"format": ' + DEEP + b"}")
    packed(folder / "deep-torn.jsonl.gz", b'{"format": ' + DEEP)
    packed(folder / "list.jsonl.gz", b"[1, 2]")
    packed(folder / "latin.jsonl.gz", b'{"format": "gpuperf-recording", "label": "\xe9"}')
    packed(folder / "surrogate.jsonl.gz", b'{"format": "gpuperf-recording", "label": "\\ud800"}')
    (folder / "empty.jsonl.gz").write_bytes(b"")
    (folder / "torn.jsonl.gz").write_bytes(gzip.compress(b"{" * 5000)[:40])
    (folder / "noise.jsonl.gz").write_bytes(b"\x1f\x8b" + bytes(range(256)))
    (folder / "folder.jsonl.gz").mkdir()
    (folder / "loop.jsonl.gz").symlink_to("loop.jsonl.gz")
    (folder / "nowhere.jsonl.gz").symlink_to("nobody")
    (folder / "zeros.jsonl.gz").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.jsonl.gz")
    packed(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jsonl.gz")), HEADER)
    packed(folder / "line\nbreak.jsonl.gz", HEADER)
    one_long_line(folder / "long.jsonl.gz", mib=32)
