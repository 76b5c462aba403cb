"""Find what code may change: everything that can be reached from given roots, by kind.

That is not only models and optimizers, but also a counter in an object, a list that collects losses, or a closure.
Internals of libraries (threads, files, widgets) are not searched.
"""

from __future__ import annotations

import functools
import gc
import io
import itertools
import operator
import sys
import types
import weakref
from collections.abc import Iterable, Iterator
from threading import Condition, Thread
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.loaders.randomness import is_generator
from jupyter_gpuperf.state.bindings import (
    CONTAINERS,
    MUTABLE_CONTAINERS,
    NO_VALUE,
    attributes_of,
    container_type,
    content_of,
    own_dictionary,
)
from jupyter_gpuperf.state.kinds import access_maker, contents_of, opaque_access
from jupyter_gpuperf.state.reached import Reached
from jupyter_gpuperf.state.roots import Roots, is_user_module, names_in
from jupyter_gpuperf.state.tensors import HOOKS

MOST_OBJECTS: Final = 500_000
MOST_MEMBERS: Final = 100_000
"""Longer containers count as data: which members they have is saved, but the members are not searched."""
ATOMS: Final = {
    *(int, float, complex, bool, str, bytes, type(None), range, slice, type(Ellipsis)),
    Condition,
}
"""Types whose objects are not searched. If a condition's list of waiting threads were restored, they would not wake up."""
FOLLOWED_STANDARD: Final = {
    *("builtins", "types", "collections", "functools", "argparse", "configparser", "contextlib"),
    *("weakref", "_weakrefset", "queue", "_thread", "threading", "logging"),
    "multiprocessing.sharedctypes",
}
"""Standard-library modules whose objects are searched: they hold only what users put into them."""
WRAPPERS: Final[tuple[type, ...]] = (
    *(types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType, functools.partial),
    *(staticmethod, classmethod, property, types.MappingProxyType, operator.methodcaller),
    *(type({}.keys()), type({}.values()), type({}.items()), map, zip, filter),
)
"""Types whose instances hold nothing but references to others."""
SHARDED: Final = {"DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule"}
"""Wrappers that distribute a model over processes: DDP and FSDP."""
NOT_ENTERED: Final = {
    *("IPython", "ipykernel", "ipywidgets", "traitlets", "zmq", "comm", "tornado"),
    *("matplotlib", "PIL", "pandas", "pyarrow", "jupyter_gpuperf", "wandb", "mlflow"),
}
NOT_ENTERED_OF_TORCH: Final = (
    *("torch._", "torch.cuda", "torch.distributed", "torch.fx", "torch.jit", "torch.profiler"),
    *("torch.utils.tensorboard", "torch.autograd", "torch.backends", "torch.multiprocessing"),
)


def reached_from(torch: Any, roots: Roots, excluded: Iterable[Any] = ()) -> Reached:
    """Return everything that can be reached from the roots, except through objects in ``excluded``.

    Raises
    ------
    GpuPerfError
        ``namespace_too_large``.
    """
    return _Walker(torch, roots, excluded).run()


class _Walker:
    def __init__(self, torch: Any, roots: Roots, excluded: Iterable[Any]) -> None:
        self.reached = Reached()
        self._torch, self._roots = torch, roots
        self._ndarray = getattr(sys.modules.get("numpy"), "ndarray", ())
        self._seen = {id(NO_VALUE), id(roots.namespace), *map(id, excluded)}
        # Keeps every found object alive, so that its id is not reused during the search.
        self._found: list[tuple[str, Any]] = []
        name = str(roots.namespace.get("__name__", "__main__"))
        self._is_own = functools.cache(lambda module: module == name or is_user_module(module))

    def run(self) -> Reached:
        for name, value in self._roots.values.items():
            self._want(name, value)
        for name, hooks in vars(self._torch.nn.modules.module).items():
            if name.startswith("_global_"):
                self._want(f"torch.nn.modules.module.{name}", hooks)
        if self._roots.code is not None:
            self._use(self._roots.code, self._roots.namespace)
        for path, value in self._found:  # the list grows during the loop
            is_builtin = type(value) in CONTAINERS
            if is_builtin or not (self._is_leaf(path, value) or self._is_code(path, value)):
                self._enter(path, value)
        return self.reached

    def _want(self, path: str, value: Any) -> None:
        if type(value) in weakref.ProxyTypes:
            value = _behind(value)
        kind = type(value)
        if kind in ATOMS or id(value) in self._seen:
            return
        if kind is tuple and all(type(each) in ATOMS for each in value):
            return
        try:
            stands_for_another = value.__class__ is not kind
        except Exception:  # a proxy for what is not there  # noqa: BLE001
            return
        self._seen.add(id(value))
        for each in gc.get_referents(value) if stands_for_another else ():
            self._want(path, each)
        self._found.append((path, value))
        if len(self._found) > MOST_OBJECTS:
            raise GpuPerfError(
                "namespace_too_large",
                "The notebook's state has over {count} objects, too many to restore (near {path}).",
                "Delete unneeded variables, or use a new notebook.",
                count=MOST_OBJECTS,
                path=path,
            )

    def _is_leaf(self, path: str, value: Any) -> bool:
        reached = self.reached
        if issubclass(type(value), self._torch.Tensor):
            reached.tensors.append((path, value))
            for name in HOOKS:
                self._want(path, getattr(value, name, None))
        elif is_generator(self._torch, value):
            reached.generators.append(value)
            self._want(path, getattr(getattr(value, "bit_generator", value), "seed_seq", None))
        elif issubclass(type(value), self._ndarray):
            reached.arrays.append((path, value))
            for index, each in enumerate(value.flat if value.dtype == object else ()):
                self._want(f"{path}[{index}]", each)
        else:
            return issubclass(type(value), types.ModuleType) or self._is_value(path, value)
        self._attributes(path, value)
        return True

    def _is_value(self, path: str, value: Any) -> bool:
        if (make := access_maker(value)) is not None:
            self.reached.values.append((path, functools.partial(make, value)))
            parts = contents_of(value)
        elif is_live_iterator(value) and not self._is_own(type(value).__module__):
            self.reached.iterators.append((path, value))
            parts = _drawn_from(value)
        else:
            return False
        for each in parts:
            self._want(path, each)
        return True

    def _is_code(self, path: str, value: Any) -> bool:
        parts = _parts_of(value)
        for each in parts or ():
            self._want(path, each)
        if issubclass(type(value), types.FunctionType):
            if self._is_own(value.__module__ or ""):
                self._function(path, value)
        elif issubclass(type(value), type):
            if self._is_own(value.__module__):
                self._class(path, value)
        else:
            return parts is not None or issubclass(type(value), types.CodeType)
        return True

    def _function(self, path: str, function: types.FunctionType) -> None:
        self._attributes(path, function)
        for each in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._want(f"{path}()", each)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
        for name, cell in cells:
            self.reached.cells.append(cell)
            self._want(f"{path}.{name}", content_of(cell))
        # A wrapper made by a library's decorator may have the user's module name, but not the user's globals.
        if self._is_own(str(function.__globals__.get("__name__", "__main__"))):
            self._use(function.__code__, function.__globals__)

    def _class(self, path: str, value: type) -> None:
        self._attributes(path, value)
        for each in (type(value), *value.__mro__):
            self._want(path, each)

    def _use(self, code: types.CodeType, namespace: Any) -> None:
        """Find objects that code may use by name, also in the user's own modules, such as ``train.model``."""
        names, done, waiting = names_in(code), set(), [namespace]
        for owner in waiting:  # the list grows during the loop
            if id(owner) in done:
                continue
            done.add(id(owner))
            for name in names:
                value = owner.get(name, NO_VALUE)
                is_used = value is not NO_VALUE or owner is namespace
                if is_used and owner is not self._roots.namespace:
                    self.reached.globals.append((owner, name))
                self._want(name, value)
                if issubclass(type(value), types.ModuleType) and self._is_own(value.__name__):
                    waiting.append(vars(value))

    def _enter(self, path: str, value: Any) -> None:
        kind = container_type(value)
        if kind in MUTABLE_CONTAINERS:
            self.reached.containers.append(value)
        if kind is not None and kind.__len__(value) <= MOST_MEMBERS:
            self._want_items(path, value, kind)
        if type(value) is not kind or hasattr(value, "__dict__"):
            self._object(path, value, is_container=kind is not None)

    def _want_items(self, path: str, value: Any, kind: Any) -> None:
        if not issubclass(type(value), dict):
            for index, each in enumerate(list(kind.__iter__(value))):
                if type(each) not in ATOMS:
                    self._want(f"{path}[{index}]", each)
            return
        for key, each in list(kind.items(value)):
            if type(each) not in ATOMS:
                # Other keys, such as an optimizer's parameters, may be slow to format.
                name = f"{key!r:.40}" if type(key) in ATOMS else type(key).__name__
                self._want(f"{path}[{name}]", each)
            self._want(path, key)

    def _object(self, path: str, value: Any, *, is_container: bool) -> None:
        reached, torch = self.reached, self._torch
        if issubclass(type(value), torch.nn.Module):
            reached.modules.append((path, value))
            if not SHARDED.isdisjoint(each.__name__ for each in type(value).__mro__):
                reached.sharded.append((path, value))
        elif issubclass(type(value), torch.optim.Optimizer):
            reached.optimizers.append((path, value))
        elif issubclass(type(value), torch.amp.GradScaler):
            reached.scalers.append((path, value))
        elif not is_container and not _is_entered(type(value)):
            reached.opaque.append((path, value))
            reached.values.append((path, functools.partial(opaque_access, value)))
            return
        self._want(path, type(value))
        self._attributes(path, value)

    def _attributes(self, path: str, value: Any) -> None:
        self.reached.objects.append((path, value))
        if (own := own_dictionary(value)) is not None:
            self.reached.containers.append(own)
        loader = issubclass(type(value), self._torch.utils.data.DataLoader)
        for name, each in attributes_of(value).items():
            # Skip a loader's own iterator: each loop creates it again.
            if not (loader and is_live_iterator(each)):
                self._want(f"{path}.{name}", each)


def is_live_iterator(value: object) -> bool:
    """Return whether a loop over an object uses up the object itself. Files, ``map``, ``zip`` and ``filter`` don't count."""
    kind = type(value)
    return issubclass(kind, Iterator) and not issubclass(kind, (io.IOBase, map, zip, filter))


def _is_entered(kind: type) -> bool:
    module = getattr(kind, "__module__", "") or ""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names:
        return not FOLLOWED_STANDARD.isdisjoint((root, module)) and not issubclass(kind, Thread)
    if root == "torch":
        return not module.startswith(NOT_ENTERED_OF_TORCH)
    return root not in NOT_ENTERED


def _parts_of(value: Any) -> Iterable[Any] | None:
    """Return what a callable, a view or a weak reference refers to; ``None`` for anything else."""
    kind = type(value)
    if issubclass(kind, weakref.ref):
        return (value(),)
    if issubclass(kind, memoryview):
        return [each for one in gc.get_referents(value) for each in gc.get_referents(one)]
    return gc.get_referents(value) if issubclass(kind, WRAPPERS) else None


def _behind(proxy: Any) -> Any:
    """Return the object behind a weak proxy, or ``None``. A proxy passes on all attributes, bound methods too."""
    try:
        return proxy.__repr__.__self__
    except (ReferenceError, AttributeError):
        return None


def _drawn_from(iterator: Any) -> list[Any]:
    """Return what an iterator of Python's own refers to, but no other iterators: those alone can't be rewound."""
    if type(iterator).__module__ not in ("builtins", "itertools"):
        return []
    parts = [each for each in gc.get_referents(iterator) if not is_live_iterator(each)]
    # A cycle reads its own list of past items without checking its length: it must not be refilled.
    is_cycle = type(iterator) is itertools.cycle
    return [each for each in parts if not (is_cycle and type(each) is list)]
