"""What stands behind ``%%amp_profile``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from IPython.utils.process import arg_split

from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.precision.modes import MODES
from jupyter_gpuperf.precision.options import DEFAULT_STEPS, Options


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A line, understood."""

    options: Options
    setup: str | None
    into: str | None


def parse(line: str) -> Command:
    """Understand what stands behind ``%%amp_profile``.

    Raises
    ------
    BadRequest
        An unknown option or mode, or a value of the wrong type.
    """
    parser = OptionParser(prog="%%amp_profile", allow_abbrev=False, add_help=False)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    parser.add_argument("--setup", default=None)
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--quick", action="store_true")
    pace.add_argument("--rigorous", action="store_true")
    parser.add_argument("--no-numerics", action="store_true")
    parser.add_argument("--time-limit-seconds", type=float, default=None)
    parser.add_argument("--into", default=None)
    given = parser.parse_args(arg_split(line, posix=True))
    if given.into is not None and not given.into.isidentifier():
        raise BadRequest(
            "usage",
            f"--into {given.into!r} is not a name.",
            "Give a name that a variable can have.",
        )
    options = Options(
        modes=tuple(filter(None, re.split(r"[,\s]+", given.modes))),
        compile=given.compile,
        steps=given.steps,
        rigorous=given.rigorous,
        numerics=not given.no_numerics,
        time_limit_seconds=given.time_limit_seconds,
    )
    return Command(options=options.checked(), setup=given.setup, into=given.into)
