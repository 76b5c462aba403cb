"""``%gpumem record``: parse, and record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.commands.options import OptionParser, variable_name
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated

if TYPE_CHECKING:
    from jupyter_gpuperf.display.timeline_view import TimelineView

STEPS = 5


def record(shell: Any, words: list[str], cell: str | None) -> TimelineView | None:
    """Record the cell or, without one, the next steps of a watched loop."""
    from jupyter_gpuperf.client.memory_recording import record_cell, record_next_steps

    given = parse(words)
    if cell is None:
        if given.into is not None:
            message = "The timeline is shown below the cell that runs the loop: it has no name."
            raise BadRequest("usage", message, "Leave --into out, or use %%gpumem record.")
        steps = STEPS if given.steps is None else given.steps
        record_next_steps(shell, steps, given.file)
        text = Message.counted(
            "Will record {count} step of the next loop.",
            "Will record {count} steps of the next loop.",
            count=steps,
        )
        print(translated(text))  # noqa: T201
        return None
    if given.steps is not None:
        message = "%%gpumem record records the whole cell."
        raise BadRequest("usage", message, "Leave --steps out, or use %gpumem record.")
    view = record_cell(shell, cell, given.file)
    if given.into is not None:
        shell.user_ns[given.into] = view
    return view


def parse(words: list[str]) -> Any:
    """Parse the words after ``%gpumem record``."""
    parser = OptionParser(prog="%gpumem record", add_help=False, allow_abbrev=False)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--into", type=variable_name)
    return parser.parse_args(words)
