"""The memory behind tensors: storages, identified by their address, so that shared ones count once."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Storage(NamedTuple):
    """A piece of memory that tensors share."""

    address: int
    bytes: int
    device: str


class StorageReader:
    """Reads tensors with the methods of torch's base class: those of a subclass may do anything."""

    listing_seconds = 0.0
    """How long Python took the last time to list all objects, which can't be interrupted."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self.tensor, self._base = torch.Tensor, torch._C.TensorBase
        storage = torch._C.StorageBase
        self._nbytes, self._device = storage.nbytes, storage.device.__get__
        # It does not copy a lazily copied tensor, as data_ptr() does.
        self._address = getattr(torch._C, "_data_address", None) or self._base.data_ptr
        self._devices: dict[Any, str] = {}

    def read(self, tensor: Any) -> list[Storage]:
        """Return a tensor's storages: none for a tensor without memory, several for a sparse one."""
        parts = [tensor]
        try:
            layout = self._base.layout.__get__(tensor)
            if layout is not self._torch.strided:
                parts = self._parts(tensor, layout)
            return [storage for each in parts if (storage := self._one(each)).address]
        except Exception:  # a fake, batched or foreign tensor  # noqa: BLE001
            return []

    def is_view(self, tensor: Any, storage: Storage) -> bool:
        """Return whether the tensor covers less than half of its storage."""
        try:
            size = self._base.numel(tensor) * self._base.itemsize.__get__(tensor)
        except Exception:  # sizes that a subclass computes  # noqa: BLE001
            return False
        return bool(2 * size < storage.bytes)

    def gradient(self, tensor: Any) -> Any:
        """Return the gradient; ``None`` for an intermediate result without one, where torch would warn."""
        base = self._base
        try:
            has = base.is_leaf.__get__(tensor) or base.retains_grad.__get__(tensor)
            return base.grad.__get__(tensor) if has else None
        except Exception:  # a foreign tensor  # noqa: BLE001
            return None

    def graph(self, tensor: Any) -> Any:
        """Return the node of the autograd graph that made the tensor."""
        try:
            return self._base.grad_fn.__get__(tensor)
        except Exception:  # a view whose base was changed in place  # noqa: BLE001
            return None

    def base(self, tensor: Any) -> Any:
        """Return the tensor of which this one is a view; ``None`` if it is no view."""
        try:
            return self._base._base.__get__(tensor)
        except Exception:  # a foreign tensor  # noqa: BLE001
            return None

    def live_tensors(self, look: Callable[[list[Any]], object] = len) -> list[Any]:
        """Return all tensors that the collector knows; ``look`` is called with all objects that it knows."""
        kinds = [self.tensor]
        for kind in kinds:  # the list grows during the loop
            kinds += type.__subclasses__(kind)
        wanted = set(map(id, kinds))
        began = time.thread_time()
        objects = gc.get_objects()
        StorageReader.listing_seconds = time.thread_time() - began
        look(objects)
        return [each for each in objects if id(type(each)) in wanted]

    def is_held_by_torch(self, tensor: Any) -> bool:
        """Return whether C++ code, such as a graph, also refers to the tensor."""
        return bool(self._base._use_count(tensor) > 1)

    def _one(self, tensor: Any) -> Storage:
        storage = self._base.untyped_storage(tensor)
        device, size = self._device(storage), self._nbytes(storage)
        if device.type == "meta" or not size:
            return Storage(0, 0, "")
        name = self._devices.get(device)
        if name is None:
            name = self._devices[device] = str(device)
        return Storage(self._address(tensor), size, name)

    def _parts(self, tensor: Any, layout: Any) -> list[Any]:
        base, torch = self._base, self._torch
        if layout is torch.sparse_coo:
            return [base._indices(tensor), base._values(tensor)]
        by_row = layout in (torch.sparse_csr, torch.sparse_bsr)
        ends = (
            (base.crow_indices, base.col_indices)
            if by_row
            else (base.ccol_indices, base.row_indices)
        )
        return [base.values(tensor), *(each(tensor) for each in ends)]
