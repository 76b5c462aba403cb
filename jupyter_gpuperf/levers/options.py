"""Options of a search. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jupyter_gpuperf.errors import BadRequest

DEFAULT_SECONDS: Final = 90.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeedupOptions:
    """The options of a search.

    Parameters
    ----------
    time_limit_seconds
        Limit for everything but the ordinary run and compiling.
    safe
        Try only levers that keep fp32's numbers.
    memory
        Look for the least memory at no loss of speed, instead of for speed.
    risky
        Also try, last, what can end the CUDA context.
    max_autotune
        Also compile with ``mode="max-autotune"``, which takes minutes.
    loader
        The name of the loader to tune; by default the one from which the cell draws most.
    """

    time_limit_seconds: float = DEFAULT_SECONDS
    safe: bool = False
    memory: bool = False
    risky: bool = False
    max_autotune: bool = False
    loader: str = ""

    def validated(self) -> SpeedupOptions:
        """Return the options after checking them.

        Raises
        ------
        BadRequest
            ``parameter_out_of_range``.
        """
        if not 0 < self.time_limit_seconds <= 3600:
            message = "time_limit_seconds = {limit} is out of range."
            limit = self.time_limit_seconds
            raise BadRequest("parameter_out_of_range", message, "Choose up to 3600.", limit=limit)
        return self
