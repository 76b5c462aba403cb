"""Look at any object without calling its code: its attributes, its members, and how a member is named."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

from jupyter_gpuperf.measure.stacks import current_frames
from jupyter_gpuperf.state.bindings import container_type
from jupyter_gpuperf.state.reachable import ATOMS

ATOM_IDS: Final = frozenset(map(id, ATOMS))
LEAF_IDS: Final = ATOM_IDS | {
    *map(id, (types.CodeType, types.ModuleType, types.BuiltinFunctionType, weakref.ref)),
    *map(id, (*weakref.ProxyTypes, types.GetSetDescriptorType, types.MemberDescriptorType)),
    *map(id, (bytearray, memoryview, types.MethodDescriptorType, types.WrapperDescriptorType)),
}
"""Identities of types whose objects refer to nothing of interest. Types are compared by identity: a metaclass may define
``__hash__`` and ``__eq__``."""
OF_MODULES: Final = ("_modules", "_parameters", "_buffers")
"""Dictionaries of torch modules whose keys are attributes."""
LONGEST_KEY: Final = 40

bases_of = type.__dict__["__mro__"].__get__
_namespace = type.__dict__["__dict__"].__get__


def names_of_class(kind: type) -> dict[str, Any]:
    """Return a class's own attributes."""
    return _namespace(kind)  # type: ignore[no-any-return]


def module_of(kind: type) -> str:
    """Return the name of the module that defines a class."""
    name = names_of_class(kind).get("__module__", "builtins")
    return name if type(name) is str else "builtins"


def name_of_class(kind: type) -> str:
    """Return a class's name."""
    return type.__dict__["__name__"].__get__(kind)  # type: ignore[no-any-return]


def is_made_by_a_function(kind: type) -> bool:
    """Return whether a class was defined in a function, so that each call makes another one."""
    return "<locals>" in type.__dict__["__qualname__"].__get__(kind)


def dictionary_of(value: object) -> dict[str, Any]:
    """Return an object's ``__dict__``; empty if it has none."""
    for each in bases_of(type(value)):
        place = names_of_class(each).get("__dict__")
        if type(place) is types.GetSetDescriptorType:
            own = place.__get__(value)
            return own if type(own) is dict else {}
    return {}


def slots_of(value: object) -> Iterator[tuple[str, Any]]:
    """Yield an object's slots that are set."""
    for each in bases_of(type(value)):
        for name, place in list(names_of_class(each).items()):
            if type(place) is types.MemberDescriptorType and "__slots__" in names_of_class(each):
                try:
                    yield name, place.__get__(value)
                except AttributeError:
                    continue


def members_of(value: object) -> dict[int, str]:
    """Return how each object that ``value`` refers to is written after its name: ``.weight``, ``[3]``, ``['loss']``.

    A container that is not written, such as a ``__dict__``, has an empty text; its members are among those of ``value``.
    """
    names: dict[int, str] = {}
    kind = type(value)
    for base, name_members in _NAMED.items():
        if issubclass(kind, base):
            names |= name_members(value)
    if (container := container_type(value)) is not None:
        names |= dict(items_of(value, container))
    own = dictionary_of(value)
    names[id(own)] = ""
    names |= {id(each): f".{name}" for name, each in list(own.items()) if type(name) is str}
    names |= {id(each): f".{name}" for name, each in slots_of(value)}
    # The members of a module's dictionaries are its attributes.
    for name in OF_MODULES:
        if type(each := own.get(name)) is dict:
            names[id(each)] = ""
            names |= {id(one): f".{key}" for key, one in list(each.items()) if type(key) is str}
    return names


def items_of(value: Any, container: Any) -> Iterator[tuple[int, str]]:
    """Yield the identity of each element, and how it is written; ``container`` is the built-in type, or a base of it."""
    if issubclass(container, dict):
        for key, each in list(container.items(value)):
            yield id(each), f"[{_key(key)}]"
    elif not issubclass(container, (set, frozenset)):
        for index, each in enumerate(list(container.__iter__(value))):
            yield id(each), f"[{index}]"


def _key(key: Any) -> str:
    """Return a key as it is written in code; of another type than text or number, its class."""
    kind = type(key)
    if kind is str or kind is bytes:
        return repr(key) if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]!r}…"
    is_short = kind is not int or key.bit_length() < LONGEST_KEY
    return repr(key) if id(kind) in ATOM_IDS and is_short else name_of_class(kind)


def _of_function(function: Any) -> dict[int, str]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    closure = {id(cell): f".{name}" for name, cell in cells}
    defaults = {id(function.__defaults__): "()", id(function.__kwdefaults__): "()"}
    return defaults | closure | {id(function.__closure__): ""}


def _of_class(kind: type) -> dict[int, str]:
    names = names_of_class(kind)
    behind = {id(each): "" for each in gc.get_referents(names)}
    return behind | {id(each): f".{name}" for name, each in list(names.items())}


def _of_frame(frame: types.FrameType) -> dict[int, str]:
    """Return the names of an ended frame's variables.

    Until Python 3.12, reading them fills a dictionary that would keep them alive; it is emptied again.
    """
    if not frame.f_code.co_flags & 1 or is_running(
        frame
    ):  # not a function: its variables are a namespace
        return {}
    variables = frame.f_locals
    names = {id(each): f" {name}" for name, each in dict(variables).items()} | {id(variables): ""}
    if (
        type(variables) is dict and sys.getrefcount(variables) <= 3
    ):  # the frame, this name, the call
        variables.clear()
    return names


def locals_of_running(frame: types.FrameType) -> dict[str, Any]:
    """Return the variables of a function that is running in this thread, without keeping any alive.

    Until Python 3.12, reading them fills a dictionary of the frame. It is emptied again, unless ``locals()`` returned it
    to the user.
    """
    variables = frame.f_locals
    found = dict(variables)
    if type(variables) is dict and sys.getrefcount(variables) <= 3:
        code = frame.f_code
        for name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
            variables.pop(name, None)
    return found


def of_exception(error: BaseException, name: str) -> Any:
    """Return an attribute that every exception has, such as ``__cause__``."""
    return BaseException.__dict__[name].__get__(error)


def loaded_modules() -> list[tuple[str, types.ModuleType]]:
    """Return the loaded modules by name."""
    return [each for each in list(sys.modules.items()) if type(each[1]) is types.ModuleType]


def is_running(frame: types.FrameType) -> bool:
    """Return whether a thread runs this frame, or a frame called by it."""
    return any(frame is each for each in running_frames())


def running_frames() -> Iterator[types.FrameType]:
    """Yield the frames of all threads."""
    for newest in list(current_frames().values()):
        frame: types.FrameType | None = newest
        while frame is not None:
            yield frame
            frame = frame.f_back


_NAMED: Final[dict[type, Callable[[Any], dict[int, str]]]] = {
    types.FunctionType: _of_function,
    type: _of_class,
    types.FrameType: _of_frame,
}
