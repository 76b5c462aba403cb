"""Find what code may change: everything that can be reached from given roots, by kind.

That is not only models and optimizers, but also a counter in an object, a list that collects losses, or a closure.
Internals of libraries (threads, files, widgets) are not searched.
"""

from __future__ import annotations

import functools
import io
import sys
import types
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.loaders.randomness import is_generator
from jupyter_gpuperf.state.bindings import (
    BUFFERS,
    CONTAINERS,
    MUTABLE_CONTAINERS,
    NO_VALUE,
    attributes_of,
    container_type,
    content_of,
)
from jupyter_gpuperf.state.reached import Reached
from jupyter_gpuperf.state.roots import Roots, is_user_module, names_in

MOST_OBJECTS: Final = 500_000
MOST_MEMBERS: Final = 100_000
"""Longer containers count as data: which members they have is saved, but the members are not searched."""
ATOMS: Final = {
    *(int, float, complex, bool, str, bytes, type(None), range, slice, type(Ellipsis)),
    *(weakref.ref, *weakref.ProxyTypes),
}
FOLLOWED_STANDARD: Final = frozenset({"builtins", "types", "collections", "functools", "argparse"})
"""Standard-library modules whose objects are searched: they hold only what users put into them."""
SHARDED: Final = {"DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule"}
"""Wrappers that distribute a model over processes: DDP and FSDP."""
NOT_ENTERED: Final = {
    *("IPython", "ipykernel", "ipywidgets", "traitlets", "zmq", "comm", "tornado"),
    *("matplotlib", "PIL", "tqdm", "pandas", "pyarrow", "jupyter_gpuperf", "wandb", "mlflow"),
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
        if self._roots.code is not None:
            self._use(self._roots.code, self._roots.namespace)
        for path, value in self._found:  # the list grows during the loop
            is_builtin = type(value) in CONTAINERS
            if is_builtin or not (self._is_leaf(path, value) or self._is_code(path, value)):
                self._enter(path, value)
        return self.reached

    def _want(self, path: str, value: Any) -> None:
        kind = type(value)
        if kind in ATOMS or id(value) in self._seen:
            return
        if kind is tuple and all(type(each) in ATOMS for each in value):
            return
        self._seen.add(id(value))
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
        if isinstance(value, self._torch.Tensor):
            reached.tensors.append((path, value))
        elif is_generator(self._torch, value):
            reached.generators.append(value)
        elif isinstance(value, self._ndarray):
            reached.arrays.append((path, value))
            for index, each in enumerate(value.flat if value.dtype == object else ()):
                self._want(f"{path}[{index}]", each)
        elif isinstance(value, BUFFERS):
            reached.containers.append(value)
        elif isinstance(value, io.IOBase):
            reached.files.append(value)
        elif is_live_iterator(value) and not self._is_own(type(value).__module__):
            reached.iterators.append((path, value))
        else:
            return isinstance(value, types.ModuleType)
        return True

    def _is_code(self, path: str, value: Any) -> bool:
        parts = _parts_of(value)
        for each in parts or ():
            self._want(path, each)
        if isinstance(value, types.FunctionType):
            if self._is_own(value.__module__ or ""):
                self._function(path, value)
        elif isinstance(value, type):
            if self._is_own(value.__module__):
                self._class(path, value)
        else:
            return parts is not None or isinstance(value, types.CodeType)
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
        for each in vars(value).values():
            if isinstance(each, (types.FunctionType, staticmethod, classmethod)):
                self._want(path, each)  # also __call__ and other special methods
        for each in value.__mro__:
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
                if isinstance(value, types.ModuleType) and self._is_own(value.__name__):
                    waiting.append(vars(value))

    def _enter(self, path: str, value: Any) -> None:
        kind = container_type(value)
        if kind in MUTABLE_CONTAINERS:
            self.reached.containers.append(value)
        if kind is not None and kind.__len__(value) <= MOST_MEMBERS:
            self._members(path, value, kind)
        if type(value) is not kind or hasattr(value, "__dict__"):
            self._object(path, value, is_container=kind is not None)

    def _members(self, path: str, value: Any, kind: Any) -> None:
        if not isinstance(value, dict):
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
        if isinstance(value, torch.nn.Module):
            reached.modules.append((path, value))
            if not SHARDED.isdisjoint(each.__name__ for each in type(value).__mro__):
                reached.sharded.append((path, value))
        elif isinstance(value, torch.optim.Optimizer):
            reached.optimizers.append((path, value))
        elif isinstance(value, torch.amp.GradScaler):
            reached.scalers.append((path, value))
        elif not is_container and not _is_entered(value):
            reached.opaque.append((path, value))
            return
        self._want(path, type(value))
        self._attributes(path, value)

    def _attributes(self, path: str, value: Any) -> None:
        self.reached.objects.append((path, value))
        loader = isinstance(value, self._torch.utils.data.DataLoader)
        for name, each in attributes_of(value).items():
            # Skip a loader's own iterator: each loop creates it again.
            if not (loader and is_live_iterator(each)):
                self._want(f"{path}.{name}", each)


def is_live_iterator(value: object) -> bool:
    """Return whether an object is an iterator, which a loop uses up. Files don't count."""
    return issubclass(type(value), Iterator) and not isinstance(value, io.IOBase)


def _is_entered(value: object) -> bool:
    module = getattr(type(value), "__module__", "") or ""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names:
        return root in FOLLOWED_STANDARD
    if root == "torch":
        return not module.startswith(NOT_ENTERED_OF_TORCH)
    return root not in NOT_ENTERED


def _parts_of(value: Any) -> tuple[Any, ...] | None:
    """Return the parts of a callable that wraps another one; ``None`` for anything else."""
    match value:
        case types.MethodType():
            return value.__self__, value.__func__
        case types.BuiltinFunctionType():
            return (value.__self__,)  # such as the list in list.append
        case functools.partial():
            return value.func, *value.args, *value.keywords.values()
        case staticmethod() | classmethod():
            return (value.__func__,)
        case property():
            return value.fget, value.fset
    return None
