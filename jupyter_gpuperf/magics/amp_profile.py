"""``%%amp_profile``: the cell below it under every precision. What it takes loads when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.errors import GpuPerfError

if TYPE_CHECKING:
    from jupyter_gpuperf.display.precision_result import AmpProfile

MANUAL: Final = """\
The cell under every precision: how fast, how much memory, and whether the numbers stay right.

  %%amp_profile [--modes fp32,tf32,bf16,fp16] [--compile] [--steps N] [--setup "CODE"]
                [--quick|--rigorous] [--no-numerics] [--time-limit-seconds X] [--into NAME]
  …                   the cell, as it is: a step, or a loop of some steps

  --modes             what to compare; fp32 (IEEE, without TF32) is always measured
  --compile           each of them also with torch.compile
  --steps N           length of the loss curves that are compared (default 20)
  --setup "CODE"      runs once before, and is not measured
  --rigorous          intervals within 1 % instead of 3 %, and energy
  --no-numerics       only times and memory
  --into NAME         bind the result to this name

The cell is run many times. Afterwards models, optimizers, schedulers, tensors, random states and names are
as after one ordinary run, also when it is interrupted. Its output is shown once.
"""


def register(ipython: Any) -> None:
    """Give ``ipython`` the magic and its manual."""

    def magic(line: str, cell: str | None = None) -> AmpProfile | None:
        if cell is None or line.strip() in ("-h", "--help"):
            print(MANUAL)  # noqa: T201  (what one asked to read)
            return None
        from jupyter_gpuperf.client.precision import profile_cell
        from jupyter_gpuperf.magics.amp_options import parse

        try:
            command = parse(line)
            result = profile_cell(ipython, cell, command.options, command.setup)
        except GpuPerfError as error:
            raise error if isinstance(error, BenchmarkError) else BenchmarkError.of(error) from None
        if command.into is not None:
            ipython.user_ns[command.into] = result
        return result

    magic.__doc__ = MANUAL
    ipython.register_magic_function(magic, magic_kind="line_cell", magic_name="amp_profile")
