"""Keeps what tensors hold, and puts it back into the same memory.

By storage, not by tensor: views of one memory are kept once and stay views of it. Written raw, so that a graph that
waits for its backward pass is not spoilt.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

LARGE_BYTES: Final = 256 * 2**20
"""Data larger than this is not copied, but watched: cells read it, and rarely write it."""
WATCHED_BYTES: Final = 4096
"""Bytes, spread over a large tensor, that are looked at again."""


class Tensors:
    """What tensors held at one moment.

    Parameters
    ----------
    tensors
        Path and tensor.
    always
        Identities of tensors that are kept whatever their size: parameters, and an optimizer's state.
    on_host
        Whether the copies lie in the host's memory.
    """

    def __init__(
        self,
        torch: Any,
        tensors: Iterable[tuple[str, Any]],
        *,
        always: frozenset[int],
        on_host: bool,
    ) -> None:
        self._torch = torch
        self._on_host = on_host
        self._storages: dict[tuple[str, int], _Storage] = {}
        self._tensors: list[_Tensor] = []
        self.not_kept: list[str] = []
        tensors = list(tensors)
        self._reached = frozenset(id(tensor) for _, tensor in tensors)
        for path, tensor in tensors:
            self._keep(path, tensor, whole=id(tensor) in always or bool(tensor.requires_grad))

    def _keep(self, path: str, tensor: Any, *, whole: bool) -> None:
        torch = self._torch
        if tensor.layout != torch.strided or tensor.device.type == "meta" or _is_spread(tensor):
            self.not_kept.append(f"{path} ({tensor.layout}, {tensor.device.type})")
            return
        alias = tensor.detach()
        kept = _Tensor(tensor=tensor, alias=alias, requires_grad=bool(tensor.requires_grad))
        if tensor.is_leaf or tensor.retains_grad:
            kept.keep_gradient(tensor.grad, self._reached, on_host=self._on_host)
        self._tensors.append(kept)
        storage = alias.untyped_storage()
        key = (str(storage.device), storage.data_ptr())
        if key not in self._storages and storage.nbytes():
            watched = storage.nbytes() > LARGE_BYTES and not whole
            self._storages[key] = _Storage(torch, path, alias, watched, self._on_host)
        elif whole and key in self._storages:
            self._storages[key].keep(self._on_host)

    def restore(self) -> None:
        """Put everything back."""
        with self._torch.no_grad():
            for each in self._tensors:
                each.restore_place()
            for storage in self._storages.values():
                storage.restore()
            for each in self._tensors:
                each.restore_gradient()

    def changed_unkept(self) -> list[str]:
        """Return the paths of large tensors that were written meanwhile, and can't be put back."""
        return [each.path for each in self._storages.values() if each.watched_change()]


@dataclass(slots=True)
class _Tensor:
    tensor: Any
    alias: Any
    """Of the same memory, with the shape and strides that the tensor had."""
    requires_grad: bool
    gradient: Any = None
    gradient_itself: Any = None
    gradient_address: int = 0

    def keep_gradient(
        self,
        gradient: Any,
        reached: frozenset[int],
        *,
        on_host: bool,
    ) -> None:
        if gradient is None:
            return
        if id(gradient) in reached:
            self.gradient_itself = gradient  # a name stands for it, too: it is kept like any tensor
            return
        # The gradient itself is not held: a step that lets go of it must get its memory back.
        held = gradient.detach()
        self.gradient_address = int(held.data_ptr())
        self.gradient = held.cpu() if on_host and held.device.type != "cpu" else held.clone()

    def restore_place(self) -> None:
        tensor, alias = self.tensor, self.alias
        if not _same_place(tensor, alias):
            tensor.data = alias.detach()
        if tensor.requires_grad != self.requires_grad and tensor.is_leaf:
            tensor.requires_grad_(self.requires_grad)

    def restore_gradient(self) -> None:
        if not (self.tensor.is_leaf or self.tensor.retains_grad):
            return
        now = self.tensor.grad
        if self.gradient is None:
            if now is not self.gradient_itself:
                self.tensor.grad = self.gradient_itself
        elif (
            now is not None
            and now.data_ptr() == self.gradient_address
            and _same_shape(now, self.gradient)
        ):
            now.detach().copy_(self.gradient)
        else:
            self.tensor.grad = self.gradient.to(self.alias.device, copy=True)


class _Storage:
    def __init__(
        self,
        torch: Any,
        path: str,
        alias: Any,
        watched: bool,
        on_host: bool,
    ) -> None:
        self.path = path
        self._torch, self._alias = torch, alias
        self._storage = alias.untyped_storage()
        self._nbytes = self._storage.nbytes()
        self._copy: Any = None
        self._seen: tuple[int, bytes] | None = None
        if watched:
            self._seen = self._look()
        else:
            self.keep(on_host)

    def keep(self, on_host: bool) -> None:
        if self._copy is None:
            self._seen = None
            to_host = on_host and self._storage.device.type != "cpu"
            self._copy = self._storage.cpu() if to_host else self._storage.clone()

    def restore(self) -> None:
        if self._copy is None:
            return
        if self._storage.nbytes() != self._nbytes:
            self._storage.resize_(self._nbytes)
        self._storage.copy_(self._copy)

    def watched_change(self) -> bool:
        return self._seen is not None and self._look() != self._seen

    def _look(self) -> tuple[int, bytes]:
        version = -1
        with contextlib.suppress(RuntimeError):  # an inference tensor has none
            version = int(self._alias._version)
        if self._storage.nbytes() != self._nbytes:
            return version, b""
        raw = self._torch.empty(0, dtype=self._torch.uint8, device=self._storage.device)
        raw.set_(self._storage)
        spread = raw[:: max(1, self._nbytes // WATCHED_BYTES)]
        return version, bytes(spread.cpu().tolist())


def copied_bytes(tensors: Iterable[tuple[str, Any]], kind: str, always: frozenset[int]) -> int:
    """Return how much memory the copies of tensors on this kind of device take, each storage once."""
    sizes: dict[int, int] = {}
    for _, tensor in tensors:
        if tensor.device.type == kind and str(tensor.layout) == "torch.strided":
            storage = tensor.untyped_storage()
            if storage.nbytes() <= LARGE_BYTES or id(tensor) in always or tensor.requires_grad:
                sizes[storage.data_ptr()] = storage.nbytes()
    return sum(sizes.values())


def _same_place(tensor: Any, alias: Any) -> bool:
    return bool(
        tensor.dtype == alias.dtype
        and tensor.device == alias.device
        and _same_shape(tensor, alias)
        and tensor.storage_offset() == alias.storage_offset()
        and tensor.untyped_storage().data_ptr() == alias.untyped_storage().data_ptr()
    )


def _same_shape(one: Any, other: Any) -> bool:
    return bool(
        one.shape == other.shape and one.stride() == other.stride() and one.dtype == other.dtype
    )


def _is_spread(tensor: Any) -> bool:
    return type(tensor).__name__ in ("DTensor", "FakeTensor", "FunctionalTensor")
