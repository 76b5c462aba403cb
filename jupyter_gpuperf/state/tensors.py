"""Save the contents of tensors and restore them into the same memory.

Storages are saved rather than tensors, so that views of the same memory are saved once and stay views. Restoring
writes the raw memory, so that an autograd graph whose backward pass is still to come stays valid.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final

from jupyter_gpuperf.state.copies import CopyPlan, is_plain, memory_key

WATCHED_BYTES: Final = 4096
"""About this many evenly spaced bytes of a large tensor are compared, to detect changes."""

HOOKS: Final = ("_backward_hooks", "_post_accumulate_grad_hooks")
"""Attributes for a tensor's hooks: dictionaries, made with the first hook."""


class SavedTensors:
    """The contents of tensors at one moment.

    Parameters
    ----------
    tensors
        Pairs of path and tensor.
    copies
        The memory to copy; all other memory is only checked for changes.
    on_host
        Whether the copies are kept in host memory.
    """

    def __init__(
        self, torch: Any, tensors: Sequence[tuple[str, Any]], copies: CopyPlan, *, on_host: bool
    ) -> None:
        self._torch, self._on_host = torch, on_host
        self._storages: dict[object, _Storage] = {}
        self._tensors: list[_Tensor] = []
        self._others: list[tuple[str, Any, Any, Any]] = []
        self._lazy: list[Any] = []
        self._not_kept: dict[str, None] = {}
        self._reached = frozenset(id(tensor) for _, tensor in tensors)
        for path, tensor in tensors:
            if is_plain(tensor):
                self._keep(path, tensor, copied=memory_key(tensor) in copies.memory)
            elif torch.nn.parameter.is_lazy(tensor):
                self._lazy.append(tensor)
            elif tensor.device.type != "meta":
                self._keep_other(path, tensor)

    def _keep(self, path: str, tensor: Any, *, copied: bool) -> None:
        saved = _Tensor(tensor, self._reached, on_host=self._on_host)
        self._tensors.append(saved)
        if memory_key(tensor) not in self._storages and tensor.untyped_storage().nbytes():
            storage = _Storage(self._torch, path, saved.alias, copied=copied, on_host=self._on_host)
            self._storages[memory_key(tensor)] = storage

    def _keep_other(self, path: str, tensor: Any) -> None:
        """Save a sparse tensor, or this process's part of a distributed one, as a clone."""
        try:
            gradient = tensor.grad if tensor.is_leaf else None
            copies = [
                None if each is None else each.detach().clone() for each in (tensor, gradient)
            ]
        except Exception:  # any subclass of tensors  # noqa: BLE001
            self._not_kept[f"{path} ({tensor.layout}, {tensor.device.type})"] = None
            return
        self._others.append((path, tensor, *copies))

    def restore(self) -> None:
        """Restore the memory, contents and gradients of all tensors."""
        with self._torch.no_grad():
            for each in self._tensors:
                each.restore_place()
            for storage in self._storages.values():
                storage.restore()
            for each in self._tensors:
                each.restore_gradient()
            for tensor in self._lazy:
                tensor.data = self._torch.empty(0, dtype=tensor.dtype, device=tensor.device)
            for path, tensor, content, gradient in self._others:
                try:
                    tensor.copy_(content)
                    if tensor.is_leaf:
                        tensor.grad = None if gradient is None else gradient.clone()
                except Exception:  # any subclass of tensors  # noqa: BLE001
                    self._not_kept[path] = None

    def not_restored(self) -> list[str]:
        """Return the paths of tensors that could not be saved, and of large ones that have changed."""
        storages = self._storages.values()
        return [*self._not_kept, *(each.path for each in storages if each.has_changed())]


class _Tensor:
    def __init__(self, tensor: Any, reached: frozenset[int], *, on_host: bool) -> None:
        self.tensor, self.requires_grad = tensor, tensor.requires_grad
        self._hooks = {name: getattr(tensor, name, None) for name in HOOKS}
        self.alias = tensor.detach()
        """Tensor over the same memory, with the original shape and strides."""
        self.gradient = self.gradient_itself = None
        gradient = tensor.grad if tensor.is_leaf or tensor.retains_grad else None
        if id(gradient) in reached:
            self.gradient_itself = gradient  # its contents are saved with the other tensors
        elif gradient is not None:
            # Hold no reference to the gradient: when a step frees it, its memory must be released.
            held = gradient.detach()
            self.gradient_address = held.data_ptr() if is_plain(held) else 0
            self.gradient = copy_of(held, on_host=on_host)

    def restore_place(self) -> None:
        tensor, alias = self.tensor, self.alias
        if _place(tensor) != _place(alias):
            tensor.data = alias.detach()
        if tensor.requires_grad != self.requires_grad and tensor.is_leaf:
            tensor.requires_grad_(self.requires_grad)
        for name, hooks in self._hooks.items():
            if getattr(tensor, name, None) is not hooks:
                setattr(tensor, name, hooks)

    def restore_gradient(self) -> None:
        if not (self.tensor.is_leaf or self.tensor.retains_grad):
            return
        now = self.tensor.grad
        if self.gradient is None:
            if now is not self.gradient_itself:
                self.tensor.grad = self.gradient_itself
            return
        is_there = now is not None and is_plain(now) and now.data_ptr() == self.gradient_address
        if is_there and _layout(now) == _layout(self.gradient):
            now.detach().copy_(self.gradient)
        else:
            self.tensor.grad = self.gradient.to(self.alias.device, copy=True)


class _Storage:
    def __init__(self, torch: Any, path: str, alias: Any, *, copied: bool, on_host: bool) -> None:
        self.path = path
        self._torch, self._alias = torch, alias
        self._storage = alias.untyped_storage()
        self._nbytes = self._storage.nbytes()
        self._copy = copy_of(self._storage, on_host=on_host) if copied else None
        self._seen = None if copied else self._look()

    def restore(self) -> None:
        if self._copy is None:
            return
        if self._storage.nbytes() != self._nbytes:
            self._storage.resize_(self._nbytes)
        self._storage.copy_(self._copy)

    def has_changed(self) -> bool:
        return self._seen is not None and self._look() != self._seen

    def _look(self) -> tuple[int, bytes]:
        version = -1
        with contextlib.suppress(RuntimeError):  # an inference tensor has no version
            version = int(self._alias._version)
        if self._storage.nbytes() != self._nbytes:
            return version, b""
        raw = self._torch.empty(0, dtype=self._torch.uint8, device=self._storage.device)
        raw.set_(self._storage)
        spread = raw[:: max(1, self._nbytes // WATCHED_BYTES)]
        return version, bytes(spread.cpu().tolist())


def copy_of(held: Any, *, on_host: bool) -> Any:
    """Return a copy of a tensor or a storage, in host memory or on the same device."""
    return held.cpu() if on_host and held.device.type != "cpu" else held.clone()


def _place(tensor: Any) -> tuple[object, ...]:
    """Return where a tensor's elements are in memory; equal for two views of the same elements."""
    address = tensor.untyped_storage().data_ptr()
    return *_layout(tensor), tensor.device, tensor.storage_offset(), address


def _layout(tensor: Any) -> tuple[object, ...]:
    return tensor.dtype, tensor.shape, tensor.stride()
