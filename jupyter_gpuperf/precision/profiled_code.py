"""The code of a cell, or a function, that is run any number of times."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True, slots=True)
class ProfiledCode:
    """The code to profile.

    Parameters
    ----------
    body
        Runs the cell once.
    first_run
        Runs the cell once, as the ordinary run; may display the cell's value. By default, ``body``.
    code
        The cell's code object, which shows which names it may use; ``None`` when it is unknown.
    hidden
        Names in the namespace that belong to the shell.
    roots
        Name → object that the body reaches without the namespace, such as a function's closure.
    quiet
        Context that hides output; used for all runs but the ordinary one.
    """

    body: Callable[[], object]
    namespace: MutableMapping[str, Any]
    code: types.CodeType | None = None
    first_run: Callable[[], object] | None = None
    hidden: frozenset[str] = frozenset()
    roots: Mapping[str, Any] = field(default_factory=dict)
    quiet: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
