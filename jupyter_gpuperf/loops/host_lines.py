"""Find the lines of the user's own code in which a loop's host time is spent, by looking at its stack now and then.

A look costs the loop some ten microseconds, some ten times a second. Time in the forward and the backward pass, in the
optimizer and in a DataLoader is left out: those are phases of their own.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Final, NamedTuple

from jupyter_gpuperf.schemas.phases import HostLine

KEPT_SECONDS: Final = 10.0
"""Looks older than this no longer count."""
MOST_LOOKS: Final = 200
"""Maximum number of looks that are kept; more than are made in ``KEPT_SECONDS``."""
FEWEST_LOOKS: Final = 20
"""With fewer looks, no shares are given."""
SMALLEST_SHARE: Final = 0.1
"""Lines with a smaller share of a step are left out."""
MOST_LINES: Final = 3
LONGEST_NAME: Final = 200
PHASE_FILES: Final = (
    *("torch/nn/modules/module.py", "torch/autograd/__init__.py", "torch/autograd/graph.py"),
    *("torch/optim/", "torch/utils/data/", "torch/_tensor.py", "torch/amp/grad_scaler.py"),
)
"""Parts of the paths of torch's files whose functions run a phase of a step."""


OWN_FILES: Final = ("jupyter_gpuperf/loops/", *PHASE_FILES)
"""Where the step clock is called: by torch, and by its own functions."""


class Look(NamedTuple):
    """What a thread was doing: the function that its loop called and the line in it; ``None`` within a phase."""

    when_seconds: float
    place: tuple[str, str, int] | None
    code: CodeType | None = None
    """The code of that function; ``None`` if it is the loop's own."""


class HostLines:
    """The looks at one thread."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque(maxlen=MOST_LOOKS)

    def add(self, frame: FrameType, loop_codes: Sequence[CodeType]) -> None:
        """Take a look at the stack with this innermost frame; ignored if the loop is not on it."""
        stack = list(outwards(frame))
        depth = _depth_of_loop(stack, loop_codes)
        if depth is not None:
            is_in_phase = _is_in_phase(stack[:depth])
            place, code = (None, None) if is_in_phase else _place(stack[: depth + 1])
            self._looks.append(Look(time.monotonic(), place, code))

    def main_code(self) -> CodeType | None:
        """Return the code of the function with the largest share, unless that share is small."""
        looks = self._recent()
        codes = Counter(each.code for each in looks if each.code is not None).most_common(1)
        if not codes or codes[0][1] < SMALLEST_SHARE * len(looks):
            return None
        return codes[0][0]

    def shares(self, bounded: Collection[CodeType] = ()) -> list[HostLine]:
        """Return the functions with the largest shares of the last looks, each with its most frequent line.

        Parameters
        ----------
        bounded
            The code of functions whose calls are marked.
        """
        looks = self._recent()
        places = [each.place for each in looks if each.place is not None]
        marked = {each.place[:2] for each in looks if each.place and each.code in bounded}
        functions = Counter(place[:2] for place in places).most_common(MOST_LINES)
        return [
            HostLine(
                function=function,
                file=file,
                line=Counter(
                    place[2] for place in places if place[:2] == (function, file)
                ).most_common(1)[0][0],
                ratio=count / len(looks),
                is_bounded=(function, file) in marked,
            )
            for (function, file), count in functions
            if count >= SMALLEST_SHARE * len(looks)
        ]

    def _recent(self) -> list[Look]:
        """Return the last looks; none if they are too few."""
        oldest = time.monotonic() - KEPT_SECONDS
        looks = [each for each in self._looks if each.when_seconds >= oldest]
        return looks if len(looks) >= FEWEST_LOOKS else []


def users_codes(frame: FrameType) -> list[CodeType]:
    """Return the code of the users' functions on the stack with this innermost frame, innermost first."""
    codes = [each.f_code for each in outwards(frame)]
    return [code for code in codes if not _is_own(code)]


def _depth_of_loop(stack: Sequence[FrameType], loop_codes: Sequence[CodeType]) -> int | None:
    """Return the index of the innermost frame that is the loop's, or that called it; ``None`` if there is none.

    From the outside: libraries wrap functions of the loop and of the model with the same code.
    """
    depth, left = None, list(loop_codes)
    for i in range(len(stack) - 1, -1, -1):
        code = stack[i].f_code
        if left and code is left[-1]:
            left.pop()
            depth = i
        elif not _is_own(code):
            break
    return depth


def _is_own(code: CodeType) -> bool:
    return any(part in code.co_filename for part in OWN_FILES)


def _place(stack: Sequence[FrameType]) -> tuple[tuple[str, str, int], CodeType | None]:
    """Return function, file and line: of what the loop calls, if that is a function of the user's, else of the loop."""
    own = [each for each in stack if not _is_library(each.f_code.co_filename)]
    is_called = len(own) > 1
    frame = own[-2] if is_called else stack[-1]
    code = frame.f_code
    name, file = code.co_name[:LONGEST_NAME], Path(code.co_filename).name[:LONGEST_NAME]
    return (name, file, frame.f_lineno or 0), code if is_called else None


def _is_in_phase(frames: Sequence[FrameType]) -> bool:
    return any(part in each.f_code.co_filename for each in frames for part in PHASE_FILES)


def _is_library(file: str) -> bool:
    return "site-packages" in file or "dist-packages" in file or file.startswith(sys.base_prefix)


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frame, and those that called it."""
    while frame is not None:
        yield frame
        frame = frame.f_back
