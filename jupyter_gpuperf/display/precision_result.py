"""What ``%%amp_profile`` and ``gpuperf.amp_profile`` return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from jupyter_gpuperf.display.document import Block, DisplayedOnce
from jupyter_gpuperf.precision.outcome import Profile

NAME: Final = "amp_profile"


@dataclass(frozen=True, repr=False)
class AmpProfile(DisplayedOnce):
    """A cell under every precision.

    Attributes
    ----------
    found
        All of it; :meth:`to_dict` gives the documented shape.
    number
        Its number among the kept results; ``None`` where it was not kept.
    """

    wide: ClassVar[bool] = True

    found: Profile
    number: int | None = None

    @property
    def recommended(self) -> str | None:
        """The mode to use, such as ``bf16`` or ``bf16+compile``; what the cell does now where nothing gains."""
        return self.found.recommended

    @property
    def code(self) -> str:
        """The cell as one would write it for that mode; empty where nothing is to be changed."""
        return self.found.code

    @property
    def modes(self) -> Mapping[str, dict[str, Any]]:
        """Mode → its figures."""
        return MappingProxyType({each.mode: each.to_dict() for each in self.found.modes})

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt the figures, and what was done in a special way."""
        return tuple(self.found.warnings)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented shape: fresh, plain data, ready for JSON."""
        return self.found.to_dict()

    def above(self) -> str:
        """Return what a terminal calls it."""
        return NAME

    def blocks(self) -> Iterable[Block]:
        """Return what it shows."""
        from jupyter_gpuperf.display.precision_view import blocks_of

        return blocks_of(self.found)
