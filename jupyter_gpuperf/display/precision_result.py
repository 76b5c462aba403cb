"""What ``%%amp_profile`` and ``gpuperf.amp_profile`` return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from jupyter_gpuperf.precision.outcome import Profile

NAME: Final = "amp_profile"


@dataclass(frozen=True, repr=False)
class AmpProfile:
    """A cell under every precision.

    Attributes
    ----------
    found
        All of it; :meth:`to_dict` gives the documented shape.
    number
        Its number among the kept results; ``None`` where it was not kept.
    """

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

    def __repr__(self) -> str:
        from jupyter_gpuperf.display.precision_view import text_lines

        return "\n".join(text_lines(self.found))

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        from jupyter_gpuperf.display.show_once import in_this_cell

        # A terminal has written its Out[…] prompt by now, and wants something behind it.
        printer.text(f"<{NAME}, as above>" if in_this_cell(self) else repr(self))

    def _repr_html_(self) -> str:
        from jupyter_gpuperf.display.precision_view import html_of

        return html_of(self.found)

    def _ipython_display_(self) -> None:
        from jupyter_gpuperf.display.show_once import in_terminal, in_this_cell

        if in_terminal() or not in_this_cell(self):
            raise NotImplementedError  # IPython then goes on to the views above
