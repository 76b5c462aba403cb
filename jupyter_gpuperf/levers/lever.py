"""What can make a cell faster: declarations. Other packages add theirs by the entry point ``jupyter_gpuperf.levers``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.messages import Message


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A cell and what it uses, after its ordinary run.

    Attributes
    ----------
    namespace
        The notebook's variables.
    models, optimizers
        Path → object, of what the cell names; each path is an expression that is valid in the notebook.
    has_own_autocast
        Whether the cell enters autocast itself.
    has_scaler
        Whether the cell scales its gradients itself.
    has_backward
        Whether the cell runs a backward pass.
    """

    torch: Any
    device: Any
    namespace: Mapping[str, Any]
    models: Mapping[str, Any]
    optimizers: Mapping[str, Any]
    has_own_autocast: bool
    has_scaler: bool
    has_backward: bool

    @property
    def is_on_gpu(self) -> bool:
        """Whether the cell runs on a GPU."""
        return str(self.device.type) == "cuda"

    def has_convolutions(self) -> bool:
        """Return whether a model has two-dimensional convolutions."""
        kinds = (self.torch.nn.Conv2d, self.torch.nn.ConvTranspose2d)
        return any(isinstance(x, kinds) for model in self.models.values() for x in model.modules())


class NotApplicable(Exception):
    """A lever does not apply to a cell; the first argument is a :class:`Message` with the reason."""

    @property
    def reason(self) -> Message:
        """Why."""
        reason: Message = self.args[0]
        return reason


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One way to make a cell faster.

    Attributes
    ----------
    name
        Such as ``bf16``.
    apply
        Returns the code with the lever in it.

        Raises :class:`NotApplicable` with the reason, if the lever can't help this cell or can't be written into it.
    excludes
        Names of levers of which it takes the place.
    keeps_numbers
        Whether the results stay those of fp32, apart from the order of sums; ``--safe`` allows only such levers.
    compiles
        Whether its first run takes long; such levers come last, on top of all others.
    follows
        Name of a lever without whose trial, or if that showed it to be slower, this one is not tried either.
    requires
        Name of the option of the search without which the lever is not tried: ``risky``, for what can end the CUDA
        context, or ``max_autotune``.
    hint
        If given, the lever is only measured, and what this returns for the code is displayed if it would gain: its code
        would change more than speed.
    """

    name: str
    apply: Callable[[Situation, CellCode], CellCode]
    excludes: frozenset[str] = frozenset()
    keeps_numbers: bool = True
    compiles: bool = False
    follows: str = ""
    requires: str = ""
    hint: Callable[[CellCode], Message] | None = None
