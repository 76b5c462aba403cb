"""Long lines as short pieces, for an output that several machines share.

``srun`` passes on whole lines only up to 1,024 bytes: of longer ones, the pieces of its tasks come mixed (seen with Slurm
22.05: of 600 lines of 17 kB from two tasks, 407 were destroyed). Each piece is a line that begins with ``+``, or with ``.``
if it is the last one, and with the writer's tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.sources.streams.messages import MOST_MACHINES, NotAStream

PIECE_BYTES: Final = 900
LONGEST_TAG: Final = 80
LONGEST_LINE_BYTES: Final = 1 << 20
MORE: Final = b"+"
LAST: Final = b"."


def split(line: bytes, tag: str) -> Iterator[bytes]:
    """Yield a line, given without its end, in pieces without theirs."""
    head = "".join(each if each.isalnum() else "-" for each in tag).encode()[:LONGEST_TAG] + b" "
    for first in range(0, len(line), PIECE_BYTES):
        is_last = first + PIECE_BYTES >= len(line)
        yield (LAST if is_last else MORE) + head + line[first : first + PIECE_BYTES]


class Joiner:
    """Joins the pieces of each writer; lines that are none are passed on."""

    def __init__(self) -> None:
        self._begun: dict[bytes, bytes] = {}

    def join(self, line: bytes) -> bytes | None:
        """Take a line with its end; return a whole one, or ``None`` if there is none yet.

        Raises
        ------
        NotAStream
            The pieces make a line that is too long, or have too many writers.
        """
        if line[:1] not in (MORE, LAST):
            return line if line.strip() else None
        tag, _, piece = line[1:].partition(b" ")
        whole = self._begun.pop(tag, b"") + piece.removesuffix(b"\n")
        if len(whole) > LONGEST_LINE_BYTES:
            raise NotAStream(Message("a line is far too long"))
        if line[:1] == LAST:
            return whole + b"\n"
        if len(self._begun) >= MOST_MACHINES or len(tag) > LONGEST_TAG:
            raise NotAStream(Message("it is of too many machines"))
        self._begun[tag] = whole
        return None
