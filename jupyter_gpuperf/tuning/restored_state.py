"""Restore what a tuning changes in the notebook: through the step, and through a dataset that loads without workers.

Standard library only at module level.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import state_restored
from jupyter_gpuperf.tuning.request import Step

LOADER: Final = "the loader"
"""Path prefix of the loader in reports of objects that were not restored. It can't be a variable's name."""


class RestoredState(contextlib.ExitStack):
    """A context after which everything is as it was before.

    A dataset may have too many objects for that. Then only the step's changes are restored, with a warning.

    Parameters
    ----------
    state
        Objects that the step changes, beside those that are found through it.
    on_host
        Whether copies of GPU tensors are kept in host memory; ``None`` if only those that don't fit on the GPU.

    Raises
    ------
    GpuPerfError
        ``namespace_too_large``, ``snapshot_too_large``: the step's state can't be restored.
    """

    def __init__(
        self,
        step: Step | None,
        given: object,
        *,
        state: Sequence[Any] = (),
        on_host: bool | None = None,
    ) -> None:
        super().__init__()
        self._step, self._given = step, getattr(given, "unwrapped", given)
        self._more = {f"state[{index}]": each for index, each in enumerate(state)}
        self._on_host = on_host
        self._refusal: GpuPerfError | None = None

    def __enter__(self) -> RestoredState:  # noqa: PYI034  (Self is newer than the oldest Python here)
        import torch

        both = Roots.of_step(self._step, {**self._more, LOADER: self._given})
        try:
            kept = state_restored(torch, both, on_host=self._on_host)
            self._before = self.enter_context(kept)
        except GpuPerfError as error:
            self._refusal = error
            step_alone = Roots.of_step(self._step, self._more)
            kept = state_restored(torch, step_alone, on_host=self._on_host)
            self._before = self.enter_context(kept)
        return self

    def restore(self) -> None:
        """Restore everything now; what changes afterwards is restored at the end."""
        self._before.restore()

    @property
    def models(self) -> list[Any]:
        """The models that the step uses; transforms of the dataset may contain models, too."""
        modules = self._before.reached.modules
        return [each for path, each in modules if not path.startswith(LOADER)]

    def warnings(self) -> list[Message]:
        """Return what was not restored, in sentences."""
        found = []
        if self._refusal is not None:
            template = "What the dataset changes in this process is not restored: {reason}"
            found.append(Message(template, reason=self._refusal.message))
        if names := self._before.not_restored:
            template = "Changed by the step or the loader, and not restored: {names}."
            found.append(Message(template, names=names[:5]))
        return found
