"""``%%speedup``: make the cell fast, and prove it. Its dependencies are imported on first use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.commands.magic_line import prints_help, set_manual, words_of
from jupyter_gpuperf.commands.options import OptionParser, variable_name
from jupyter_gpuperf.errors import BadRequest, require_new_file
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.results.files import coded_write_errors, write_new

if TYPE_CHECKING:
    from jupyter_gpuperf.display.cell_speedup import CellSpeedup
    from jupyter_gpuperf.levers.options import SpeedupOptions

MANUAL: Final = Message(
    """\
Make the cell fast: try what can speed it up, alone and together, and get the result as code.

  %%speedup [--time-limit-seconds X] [--safe] [--memory] [--loader NAME] [--max-autotune] [--risky]
            [--into NAME] [--save FILE] [--html FILE]
  …                   the cell: a few training steps

  --time-limit-seconds X   limit of the search (default 90), plus what compiling takes
  --safe              only what keeps the numbers of fp32
  --memory            look for the least memory at no loss of speed
  --loader NAME       the loader to tune (default: the one from which the cell draws most)
  --max-autotune      also compile with mode="max-autotune", which takes minutes
  --risky             also try, last, what can end the CUDA context
  --into NAME         assign the result to this variable
  --save FILE         save the result as JSON: jupyter gpuperf compare compares two of them
  --html FILE         save it as a page

The cell is run many times. Afterwards models, optimizers, tensors, random states and names are as after one
ordinary run, even after an interrupt. The cell's output is shown once.
"""
)


class Asked(NamedTuple):
    """What a line asks for: a search, a variable for its result, and new files for it."""

    options: SpeedupOptions
    into: str | None
    save: Path | None
    html: Path | None


def parse(line: str) -> Asked:
    """Parse the line.

    Raises
    ------
    BadRequest
        An unknown option, a value of the wrong type, or a file that exists.
    """
    from jupyter_gpuperf.levers.options import DEFAULT_SECONDS, SpeedupOptions

    parser = OptionParser(prog="%%speedup", allow_abbrev=False, add_help=False)
    parser.add_argument("--time-limit-seconds", type=float, default=DEFAULT_SECONDS)
    for name in ("--safe", "--memory", "--max-autotune", "--risky"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--loader", default="")
    parser.add_argument("--into", type=variable_name)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--html", type=Path)
    given = vars(parser.parse_args(words_of(line)))
    into, *files = (given.pop(name) for name in ("into", "save", "html"))
    for each in filter(None, files):
        require_new_file(each)
    if files[0] is not None and files[0] == files[1]:
        message, hint = "--save and --html are the same file.", "Choose another file."
        raise BadRequest("usage", message, hint)
    return Asked(SpeedupOptions(**given).validated(), into, *files)


def register(ipython: Any) -> None:
    """Register the magic and its manual with ``ipython``."""

    @shortened_errors()
    def magic(line: str, cell: str | None = None) -> CellSpeedup | None:
        if prints_help(["--help"] if cell is None else words_of(line), MANUAL) or cell is None:
            return None
        from jupyter_gpuperf.client.speedup import speed_up_cell

        asked = parse(line)
        result = speed_up_cell(ipython, cell, asked.options)
        if asked.into is not None:
            ipython.user_ns[asked.into] = result
        if asked.save is not None:
            result.save(asked.save)
        if asked.html is not None:
            with coded_write_errors(asked.html):
                write_new(asked.html, result.page().encode())
        return result

    set_manual(magic, MANUAL)
    ipython.register_magic_function(magic, magic_kind="line_cell", magic_name="speedup")
