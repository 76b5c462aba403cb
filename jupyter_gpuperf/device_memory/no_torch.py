"""Stands for torch in a notebook without it, so that other libraries' arrays are found by the same search."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final


@dataclass(frozen=True)
class Device:
    """As ``torch.device``."""

    type: str
    index: int | None = None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


def device_named(name: str) -> Device:
    """Return the device with this name."""
    kind, _, index = name.partition(":")
    return Device(kind, int(index) if index.isdecimal() else None)


class _Nothing:
    """A class without objects."""

    nbytes = data_ptr = None

    @property
    def device(self) -> None:
        """Nothing has a device."""


NO_TORCH: Final[Any] = SimpleNamespace(
    Tensor=_Nothing,
    nn=SimpleNamespace(Module=_Nothing, Parameter=_Nothing),
    optim=SimpleNamespace(Optimizer=_Nothing),
    _C=SimpleNamespace(
        TensorBase=_Nothing,
        StorageBase=_Nothing,
        _FunctionBase=_Nothing,
        _autograd=None,
        DisableTorchFunction=contextlib.nullcontext,
    ),
)
