"""Finds what a step may change: models, optimizers, tensors and variables that it can reach.

A step is a function of the notebook's: it reaches its globals by name, its closure, and the object that it is a method
of. What is found is listed to the user, who can name more.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import sysconfig
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

DEEPEST: Final = 4
LONGEST_CONTAINER: Final = 1000
"""Larger lists and dictionaries are taken for data."""

PLAIN: Final = (bool, int, float, complex, str, bytes, type(None))


@dataclass
class Reached:
    """What a step can reach, by kind; each thing once."""

    modules: list[Any] = field(default_factory=list)
    optimizers: list[Any] = field(default_factory=list)
    stateful: list[Any] = field(default_factory=list)
    """Schedulers, gradient scalers: what has a ``state_dict`` beside."""
    tensors: list[Any] = field(default_factory=list)
    generators: list[Any] = field(default_factory=list)
    containers: list[list[Any] | dict[Any, Any] | set[Any]] = field(default_factory=list)
    objects: list[Any] = field(default_factory=list)
    """Instances of the notebook's own classes: their attributes may be set anew."""
    globals: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    cells: list[Any] = field(default_factory=list)

    def names(self) -> list[str]:
        """Return what has state worth naming, in words."""
        return [type(each).__name__ for each in (*self.modules, *self.optimizers, *self.stateful)]


def reached_by(torch: Any, step: Any, more: Iterable[Any] = ()) -> Reached:
    """Return what ``step`` can reach, and what is named beside."""
    search = _Search(torch)
    search.look_at(step, 0)
    for each in more:
        search.look_at(each, 0)
    return search.found


class _Search:
    def __init__(self, torch: Any) -> None:
        self.found = Reached()
        self._torch = torch
        self._seen: dict[int, Any] = {}

    def look_at(self, thing: Any, depth: int) -> None:
        if isinstance(thing, (*PLAIN, type, types.ModuleType)) or id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing  # kept, so that its id stays its own
        if not self._take(thing) and depth <= DEEPEST:
            for part in self._parts_of(thing):
                self.look_at(part, depth + 1)

    def _parts_of(self, thing: Any) -> list[Any]:
        if isinstance(thing, functools.partial):
            return [thing.func, *thing.args, *thing.keywords.values()]
        if isinstance(thing, types.MethodType):
            return [thing.__self__, thing.__func__]
        if isinstance(thing, types.FunctionType):
            return self._parts_of_function(thing) if is_the_notebooks(thing.__module__) else []
        if isinstance(thing, (list, tuple, dict, set)):
            return self._parts_of_container(thing)
        if hasattr(thing, "__dict__") and is_the_notebooks(type(thing).__module__):
            self.found.objects.append(thing)
            return [*vars(thing).values(), *_methods_of(type(thing))]
        return []

    def _take(self, thing: Any) -> bool:
        torch, found = self._torch, self.found
        if isinstance(thing, torch.nn.Module):
            found.modules.append(thing)
        elif isinstance(thing, torch.optim.Optimizer):
            found.optimizers.append(thing)
        elif isinstance(thing, torch.Tensor):
            found.tensors.append(thing)
        elif isinstance(thing, torch.Generator):
            found.generators.append(thing)
        elif isinstance(thing, torch.utils.data.DataLoader):
            return True
        elif callable(getattr(thing, "state_dict", None)) and callable(
            getattr(thing, "load_state_dict", None)
        ):
            found.stateful.append(thing)
        else:
            return False
        return True

    def _parts_of_function(self, function: types.FunctionType) -> list[Any]:
        parts = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        for cell in function.__closure__ or ():
            self.found.cells.append(cell)
            with contextlib.suppress(ValueError):  # not yet bound
                parts.append(cell.cell_contents)
        for name in _names_in(function.__code__):
            if name in function.__globals__:
                self.found.globals.append((function.__globals__, name))
                parts.append(function.__globals__[name])
        return parts

    def _parts_of_container(self, container: Any) -> list[Any]:
        if len(container) > LONGEST_CONTAINER:
            return []
        if not isinstance(container, tuple):
            self.found.containers.append(container)
        return list(container.values() if isinstance(container, dict) else container)


def _names_in(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):  # a function within
            names |= _names_in(constant)
    return names


def _methods_of(kind: type) -> list[types.FunctionType]:
    return [each for each in vars(kind).values() if isinstance(each, types.FunctionType)]


LIBRARIES: Final = tuple(
    {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


def is_the_notebooks(module_name: str) -> bool:
    """Tell whether a module is the notebook, or a file beside it, and no library's.

    A library's functions and objects keep their own counsel; what of them is state has a ``state_dict``.
    """
    if module_name == "__main__":
        return True
    file = getattr(sys.modules.get(module_name), "__file__", None)
    return file is not None and not file.startswith(LIBRARIES)
