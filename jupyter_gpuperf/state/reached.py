"""Everything that code can reach, by kind."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jupyter_gpuperf.state.values import Access


@dataclass(slots=True)
class Reached:
    """Reached objects, each once, with a path by which the user can find it."""

    tensors: list[tuple[str, Any]] = field(default_factory=list)
    arrays: list[tuple[str, Any]] = field(default_factory=list)
    containers: list[Any] = field(default_factory=list)
    objects: list[tuple[str, Any]] = field(default_factory=list)
    """Objects whose attributes can change: instances, functions, and the user's own classes."""
    cells: list[types.CellType] = field(default_factory=list)
    globals: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    """Pairs of namespace and name that code uses outside the roots' namespace, bound or not."""
    generators: list[Any] = field(default_factory=list)
    """Random generators of torch, NumPy and Python."""
    values: list[tuple[str, Callable[[], Access]]] = field(default_factory=list)
    """What makes the access to files, buffers, tables and others, and to objects that are only compared."""
    iterators: list[tuple[str, Any]] = field(default_factory=list)
    """Live iterators. They can't be copied; only those over sequences can be rewound."""
    opaque: list[tuple[str, Any]] = field(default_factory=list)
    """Objects of libraries whose attributes are not searched."""
    modules: list[tuple[str, Any]] = field(default_factory=list)
    optimizers: list[tuple[str, Any]] = field(default_factory=list)
    scalers: list[tuple[str, Any]] = field(default_factory=list)
    sharded: list[tuple[str, Any]] = field(default_factory=list)
    """Models whose state is distributed over several processes."""

    def parameter_names(self) -> dict[int, str]:
        """Return ``id`` of each parameter and buffer → a name such as ``model.fc.weight``."""
        names: dict[int, str] = {}
        for path, module in self.modules:
            for kind in (module.named_parameters, module.named_buffers):
                for name, tensor in kind():
                    names.setdefault(id(tensor), f"{path}.{name}")
        return names

    def root_modules(self) -> list[tuple[str, Any]]:
        """Return path and model of each model that is not part of another one."""
        pairs = ((module, each) for _, module in self.modules for each in module.modules())
        inner = {id(each) for module, each in pairs if each is not module}
        return [(path, module) for path, module in self.modules if id(module) not in inner]

    def stateful(self) -> list[tuple[str, Any]]:
        """Return path and object of each model, optimizer and other object that has ``load_state_dict``."""
        known = {id(each) for _, each in (*self.modules, *self.optimizers)}
        others = [
            (path, each)
            for path, each in self.objects
            if id(each) not in known and hasattr(type(each), "load_state_dict")
        ]
        return [*self.root_modules(), *self.optimizers, *others]
