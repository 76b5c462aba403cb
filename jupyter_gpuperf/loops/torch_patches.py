"""What is changed in torch while everything is watched, switched on and off together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol


class TorchPatch(Protocol):
    """Something that is changed in torch."""

    quiet: bool
    """Whether it only passes calls through."""

    def apply(self) -> None:
        """Change it, now or when torch is imported. A second time changes nothing."""

    def undo(self) -> None:
        """Restore torch's own."""


class TorchPatches:
    """Several patches as one."""

    def __init__(self, *patches: TorchPatch) -> None:
        self._patches = patches

    def apply(self) -> None:
        """Apply all patches."""
        for each in self._patches:
            each.apply()

    def undo(self) -> None:
        """Undo all patches."""
        for each in self._patches:
            each.undo()

    def silence(self) -> None:
        """Have all patches pass calls through, until they are applied again."""
        for each in self._patches:
            each.quiet = True

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Within the context, have all patches pass calls through."""
        before = [each.quiet for each in self._patches]
        self.silence()
        try:
            yield
        finally:
            for each, quiet in zip(self._patches, before, strict=True):
                each.quiet = quiet
