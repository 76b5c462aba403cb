"""Where the search for state begins: a notebook's names and a cell's code, or a step function."""

from __future__ import annotations

import sys
import sysconfig
import types
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final

LIBRARY_PATHS: Final = tuple(
    {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
LIBRARY_FOLDERS: Final = frozenset({"site-packages", "dist-packages"})
ALWAYS_LIBRARIES: Final = frozenset({"torch", "numpy", "jupyter_gpuperf"})
"""Packages treated as libraries even when installed from a working copy."""
EMPTY_MAPPING: Final[Mapping[str, Any]] = types.MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Roots:
    """The starting points of the search.

    Attributes
    ----------
    values
        Name → object to start from.
    namespace
        Namespace that is saved as a whole: names added later are deleted on restore.
    hidden
        Names in the namespace that are left alone, such as the shell's own.
    code
        Code that runs in the namespace.
    """

    values: Mapping[str, Any]
    namespace: MutableMapping[str, Any] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    code: types.CodeType | None = None

    @classmethod
    def of_notebook(
        cls,
        namespace: MutableMapping[str, Any],
        *,
        hidden: frozenset[str] = frozenset(),
        more: Mapping[str, Any] = EMPTY_MAPPING,
        code: types.CodeType | None = None,
    ) -> Roots:
        """Start from all visible names of a notebook and from ``more``, such as a function's closure and object."""
        visible = {name: value for name, value in namespace.items() if name not in hidden}
        return cls({**visible, **more}, namespace, hidden, code)

    @classmethod
    def of_step(cls, step: object, more: Mapping[str, Any] = EMPTY_MAPPING) -> Roots:
        """Start from a step function and ``more``.

        The search then finds the function's closure, defaults and object, and the globals that its code names.
        """
        return cls({"step": step, **more})


def is_user_module(module_name: str) -> bool:
    """Return whether a module is the notebook or a file of the user, not a library.

    Functions and classes of libraries need not be searched: they keep their state in objects, which are found anyway.
    """
    if module_name == "__main__":
        return True
    if module_name.partition(".")[0] in ALWAYS_LIBRARIES | sys.stdlib_module_names:
        return False
    return is_user_file(getattr(sys.modules.get(module_name), "__file__", None) or "")


def is_user_file(file: str) -> bool:
    """Return whether a file belongs to no library; ``False`` for an empty name."""
    return bool(file) and not (
        file.startswith(LIBRARY_PATHS) or LIBRARY_FOLDERS.intersection(PurePath(file).parts)
    )


def names_in(code: types.CodeType) -> dict[str, None]:
    """Return the names of globals and attributes that code and its inner functions may use, in order."""
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= names_in(constant)
    return names
