"""``%%amp_profile``: run the cell in every precision mode. Its dependencies are imported on first use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.commands.magic_line import prints_help, set_manual, words_of
from jupyter_gpuperf.commands.options import OptionParser, variable_name
from jupyter_gpuperf.messages import Message

if TYPE_CHECKING:
    from jupyter_gpuperf.display.precision_result import AmpProfile
    from jupyter_gpuperf.precision.options import ProfileOptions

MANUAL: Final = Message(
    """\
Run the cell in every precision: speed, memory, and whether the numbers stay correct.

  %%amp_profile [--modes fp32,tf32,bf16,fp16] [--compile] [--steps N] [--setup "CODE"]
                [--quick|--rigorous] [--no-numerics] [--time-limit-seconds X] [--into NAME]
  …                   the cell: one training step, or a loop of a few

  --modes             modes to compare; fp32 (IEEE, without TF32) is always measured
  --compile           measure each mode with torch.compile, too
  --steps N           length of the loss curves to compare (default 20)
  --setup "CODE"      runs once beforehand and is not measured
  --rigorous          intervals of ±1 % instead of ±3 %, and energy
  --no-numerics       measure only times and memory
  --time-limit-seconds X   limit of the whole profile (default 30; with --rigorous 120)
  --into NAME         assign the result to this variable

The cell is run many times. Afterwards models, optimizers, schedulers, tensors, random states and names
are as after one ordinary run, even after an interrupt. The cell's output is shown once.
"""
)


def parse(line: str) -> tuple[ProfileOptions, str | None, str | None]:
    """Parse the line into the options, the setup code, and the result's name.

    Raises
    ------
    BadRequest
        An unknown option or mode, or a value of the wrong type.
    """
    from jupyter_gpuperf.precision.mode_context import MODES
    from jupyter_gpuperf.precision.options import DEFAULT_STEPS, ProfileOptions

    parser = OptionParser(prog="%%amp_profile", allow_abbrev=False, add_help=False)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    parser.add_argument("--setup", default=None)
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--quick", action="store_true")
    pace.add_argument("--rigorous", action="store_true")
    parser.add_argument("--no-numerics", dest="numerics", action="store_false")
    parser.add_argument("--time-limit-seconds", type=float, default=None)
    parser.add_argument("--into", type=variable_name)
    given = vars(parser.parse_args(words_of(line)))
    del given["quick"]  # the same as leaving --rigorous out
    setup, into = given.pop("setup"), given.pop("into")
    modes = tuple(filter(None, re.split(r"[,\s]+", given.pop("modes"))))
    return ProfileOptions(modes=modes, **given).validated(), setup, into


def register(ipython: Any) -> None:
    """Register the magic and its manual with ``ipython``."""

    @shortened_errors()
    def magic(line: str, cell: str | None = None) -> AmpProfile | None:
        if prints_help(["--help"] if cell is None else words_of(line), MANUAL) or cell is None:
            return None
        from jupyter_gpuperf.client.precision import profile_cell

        options, setup, into = parse(line)
        result = profile_cell(ipython, cell, options, setup)
        if into is not None:
            ipython.user_ns[into] = result
        return result

    set_manual(magic, MANUAL)
    ipython.register_magic_function(magic, magic_kind="line_cell", magic_name="amp_profile")
