"""Finds what a cell may change: everything reachable from the notebook's names, by kind.

Not only models and optimizers: also a counter in an object, a list that losses are appended to, a function's closure.
What belongs to other libraries' inner workings (threads, files, widgets) is not entered.
"""

from __future__ import annotations

import collections
import io
import random
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError

MOST_OBJECTS: Final = 500_000
ATOMS: Final = frozenset(
    {int, float, complex, bool, str, bytes, type(None), range, slice, type(Ellipsis), type}
)
CONTAINERS: Final = (list, dict, set, collections.deque, bytearray)
FOLLOWED_STANDARD: Final = frozenset({"builtins", "types", "collections", "functools", "argparse"})
"""Modules of the standard library whose objects hold nothing but what one puts into them."""
NOT_ENTERED: Final = frozenset(
    {
        *("IPython", "ipykernel", "ipywidgets", "traitlets", "zmq", "comm", "tornado"),
        *("matplotlib", "PIL", "tqdm", "pandas", "pyarrow", "jupyter_gpuperf", "wandb", "mlflow"),
    }
)
NOT_ENTERED_OF_TORCH: Final = (
    *("torch._", "torch.cuda", "torch.distributed", "torch.fx", "torch.jit", "torch.profiler"),
    *("torch.utils.tensorboard", "torch.autograd", "torch.backends", "torch.multiprocessing"),
)


@dataclass(slots=True)
class Heap:
    """What was reached, each once, with the path by which a reader finds it."""

    tensors: list[tuple[str, Any]] = field(default_factory=list)
    arrays: list[tuple[str, Any]] = field(default_factory=list)
    containers: list[Any] = field(default_factory=list)
    objects: list[Any] = field(default_factory=list)
    """Whose attributes can change: instances, functions, and classes of the notebook."""
    cells: list[types.CellType] = field(default_factory=list)
    generators: list[Any] = field(default_factory=list)
    """Sources of random numbers: of torch, NumPy and Python."""
    files: list[tuple[str, Any]] = field(default_factory=list)
    iterators: list[tuple[str, Any]] = field(default_factory=list)
    """Live ones: they can't be copied, and were not entered."""
    opaque: list[tuple[str, Any]] = field(default_factory=list)
    modules: list[tuple[str, Any]] = field(default_factory=list)
    optimizers: list[tuple[str, Any]] = field(default_factory=list)
    scalers: list[tuple[str, Any]] = field(default_factory=list)
    sharded: list[tuple[str, Any]] = field(default_factory=list)
    """Models whose state lies on several processes."""

    def parameter_names(self) -> dict[int, str]:
        """Return the identity of each parameter and buffer → a name such as ``model.fc.weight``."""
        names: dict[int, str] = {}
        for path, module in self.modules:
            for kind in (module.named_parameters, module.named_buffers):
                for name, tensor in kind():
                    names.setdefault(id(tensor), f"{path}.{name}")
        return names

    def root_modules(self) -> list[tuple[str, Any]]:
        """Return the models that are no part of another one."""
        inner = {
            id(child)
            for _, module in self.modules
            for child in module.modules()
            if child is not module
        }
        return [(path, module) for path, module in self.modules if id(module) not in inner]


def walk(
    torch: Any,
    roots: Mapping[str, Any],
    namespace: Mapping[str, Any],
    passed_over: frozenset[int],
) -> Heap:
    """Return what can be reached from the roots.

    Parameters
    ----------
    roots
        Name → value.
    namespace
        The notebook's names: its functions and classes are entered, other modules' are not.
    passed_over
        Identities of objects that are not entered, such as iterators that are recorded.

    Raises
    ------
    GpuPerfError
        ``namespace_too_large``.
    """
    walker = _Walker(torch, namespace, passed_over)
    for name, value in roots.items():
        walker.want(name, value)
    walker.run()
    return walker.heap


class _Walker:
    def __init__(
        self,
        torch: Any,
        namespace: Mapping[str, Any],
        passed_over: frozenset[int],
    ) -> None:
        self.heap = Heap()
        self._torch, self._namespace = torch, namespace
        self._own = {"__main__", str(namespace.get("__name__", "__main__"))}
        self._numpy = sys.modules.get("numpy")
        self._seen: set[int] = set(passed_over) | {id(namespace)}
        self._waiting: list[tuple[str, Any]] = []
        self._alive: list[Any] = []  # so that no identity is given to another object meanwhile

    def want(self, path: str, value: Any) -> None:
        if type(value) in ATOMS or id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._waiting.append((path, value))
        if len(self._seen) > MOST_OBJECTS:
            raise GpuPerfError(
                "namespace_too_large",
                f"More than {MOST_OBJECTS} objects hang together in this notebook, near {path}: too many to restore.",
                "Delete the names that this cell does not need, or profile in a fresh notebook.",
            )

    def run(self) -> None:
        while self._waiting:
            path, value = self._waiting.pop()
            self._alive.append(value)
            if not (self._is_leaf(path, value) or self._is_code(path, value)):
                self._enter(path, value)

    def _is_leaf(self, path: str, value: Any) -> bool:
        torch, numpy = self._torch, self._numpy
        if isinstance(value, torch.Tensor):
            self.heap.tensors.append((path, value))
        elif isinstance(value, (torch.Generator, random.Random)) or _is_numpy_generator(value):
            self.heap.generators.append(value)
        elif numpy is not None and isinstance(value, numpy.ndarray):
            self.heap.arrays.append((path, value))
            if value.dtype == object:
                for place, each in enumerate(value.flat):
                    self.want(f"{path}[{place}]", each)
        elif isinstance(value, io.IOBase):
            self.heap.files.append((path, value))
        elif is_live_iterator(value):
            self.heap.iterators.append((path, value))
        else:
            return isinstance(value, types.ModuleType)
        return True

    def _is_code(self, path: str, value: Any) -> bool:
        if isinstance(value, types.MethodType):
            self.want(path, value.__self__)
            self.want(path, value.__func__)
        elif isinstance(value, types.FunctionType):
            if value.__globals__ is self._namespace or value.__module__ in self._own:
                self._function(path, value)
        elif isinstance(value, type):
            if value.__module__ in self._own:
                self._attributes(path, value)
        else:
            return isinstance(value, (types.BuiltinFunctionType, types.CodeType))
        return True

    def _function(self, path: str, function: types.FunctionType) -> None:
        self._attributes(path, function)
        for each in function.__defaults__ or ():
            self.want(f"{path}()", each)
        for each in (function.__kwdefaults__ or {}).values():
            self.want(f"{path}()", each)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=False
        ):
            self.heap.cells.append(cell)
            try:
                self.want(f"{path}.{name}", cell.cell_contents)
            except ValueError:  # nothing in it yet
                continue

    def _enter(self, path: str, value: Any) -> None:
        if isinstance(value, CONTAINERS):
            self.heap.containers.append(value)
        if isinstance(value, dict):
            for key, each in list(value.items()):
                self.want(f"{path}[{key!r:.40}]", each)
                self.want(path, key)
        elif isinstance(value, (list, tuple, set, frozenset, collections.deque)):
            for place, each in enumerate(list(value)):
                self.want(f"{path}[{place}]", each)
        if type(value) not in (list, dict, tuple, set):
            self._object(path, value)

    def _object(self, path: str, value: Any) -> None:
        heap, torch = self.heap, self._torch
        if is_sharded(torch, value):
            heap.sharded.append((path, value))
        elif isinstance(value, torch.nn.Module):
            heap.modules.append((path, value))
        elif isinstance(value, torch.optim.Optimizer):
            heap.optimizers.append((path, value))
        elif isinstance(value, torch.amp.GradScaler):
            heap.scalers.append((path, value))
        elif not isinstance(value, CONTAINERS) and not _entered(value):
            heap.opaque.append((path, value))
            return
        self._attributes(path, value)

    def _attributes(self, path: str, value: Any) -> None:
        self.heap.objects.append(value)
        loader = isinstance(value, self._torch.utils.data.DataLoader)
        for name, each in attributes_of(value).items():
            # A loader's own iterator is begun anew by each loop.
            if not (loader and is_live_iterator(each)):
                self.want(f"{path}.{name}", each)


def attributes_of(value: Any) -> dict[str, Any]:
    """Return an object's own attributes, those in slots too."""
    if isinstance(value, type):
        return {
            name: each
            for name, each in vars(value).items()
            if not (name.startswith("__") and name.endswith("__"))
        }
    found: dict[str, Any] = dict(getattr(value, "__dict__", {}))
    for owner in type(value).__mro__:
        slots = owner.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                place = owner.__dict__.get(
                    f"_{owner.__name__.lstrip('_')}{name}" if name.startswith("__") else name
                )
                if isinstance(place, types.MemberDescriptorType):
                    try:
                        found[name] = place.__get__(value)
                    except AttributeError:
                        continue
    return found


def is_live_iterator(value: object) -> bool:
    """Tell whether this gives each of its items once: it is used up by what loops over it."""
    kind = type(value)
    return (
        hasattr(kind, "__next__") and hasattr(kind, "__iter__") and not isinstance(value, io.IOBase)
    )


def is_sharded(torch: Any, value: object) -> bool:
    """Tell whether a model is spread over processes: DDP, FSDP."""
    names = {each.__name__ for each in type(value).__mro__}
    return isinstance(value, torch.nn.Module) and not names.isdisjoint(
        {"DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule"}
    )


def _is_numpy_generator(value: object) -> bool:
    kind = type(value)
    return kind.__module__.startswith("numpy.random") and kind.__name__ in (
        "Generator",
        "RandomState",
    )


def _entered(value: object) -> bool:
    module = getattr(type(value), "__module__", "") or ""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names:
        return root in FOLLOWED_STANDARD
    if root == "torch":
        return not module.startswith(NOT_ENTERED_OF_TORCH)
    return root not in NOT_ENTERED
