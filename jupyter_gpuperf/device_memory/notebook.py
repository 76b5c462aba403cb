"""Where a notebook keeps objects: its variables, IPython's history, and the last exception."""

from __future__ import annotations

import builtins
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.device_memory.objects import (
    dictionary_of,
    loaded_modules,
    locals_of_running,
    running_frames,
)
from jupyter_gpuperf.state.roots import is_user_file, is_user_module

UNDERSCORES: Final = ("_", "__", "___")
OF_SYS: Final = ("last_exc", "last_value", "last_traceback")
OF_TRACEBACKS: Final = ("tb", "evalue", "pdb")
"""Attributes of IPython's traceback printer; ``pdb`` is the debugger, which keeps a frame."""

LOCAL: Final = ".<locals>."
"""Between a function and its local variable, as Python writes it."""
OWN_PACKAGE: Final = __name__.partition(".")[0]
LAST_RESULT: Final = "last result"
"""What IPython's ``last_execution_result`` is called here; it is an object with the result."""

IPYTHONS_NAMES: Final = frozenset({"In", "Out", "_oh", "_dh", "_ih"})


class Slot(NamedTuple):
    """A place that keeps an object alive, and how to clear it."""

    kind: str
    name: str
    value: Any
    clear: Callable[[], object]

    @property
    def content(self) -> Any:
        """What the user knows by the name."""
        is_result = self.name == LAST_RESULT
        return dictionary_of(self.value).get("result") if is_result else self.value


class Notebook:
    """The notebook of ``shell``; without one, the running script."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        main = sys.modules.get("__main__")
        self.names: dict[str, Any] = vars(main) if shell is None else shell.user_ns

    def hidden_names(self) -> set[str]:
        """Return the names that belong to IPython."""
        history = {each.name for each in self.history()}
        return history | IPYTHONS_NAMES | set(getattr(self.shell, "user_ns_hidden", ()))

    def variables(self) -> list[tuple[str, Any]]:
        """Return the user's names and objects, also those of the user's modules."""
        hidden = self.hidden_names()
        own = [each for each in list(self.names.items()) if each[0] not in hidden]
        return own + [
            (f"{name}.{key}", value)
            for name, module in loaded_modules()
            if is_user_module(name) and vars(module) is not self.names
            for key, value in list(vars(module).items())
        ]

    def running_locals(self, *, of_libraries: bool = False) -> Iterator[tuple[str, Any]]:
        """Yield the local variables of the functions that the cell runs, in this thread: ``train.<locals>.losses``.

        Parameters
        ----------
        of_libraries
            Also of functions that are not the user's own, such as the training loop of a framework; of none outside of
            a cell.
        """
        frames: list[types.FrameType] = []
        frame = sys._getframe().f_back  # with its own frame, the list below would be a cycle
        while frame is not None and not self._is_of_cell(frame):
            frames.append(frame)
            frame = frame.f_back
        if of_libraries and frame is None and self.shell is not None:
            return  # no cell runs here: these are IPython's own functions
        for each in frames:
            code, module = each.f_code, each.f_globals.get("__name__")
            name = module if type(module) is str else ""
            is_own = is_user_module(name) or each.f_globals is self.names
            is_wanted = is_own or (of_libraries and name.partition(".")[0] != OWN_PACKAGE)
            if code.co_flags & inspect.CO_OPTIMIZED and is_wanted:
                function = getattr(code, "co_qualname", code.co_name)
                for key, value in locals_of_running(each).items():
                    yield f"{function}{LOCAL}{key}", value

    def _is_of_cell(self, frame: types.FrameType) -> bool:
        """Return whether the frame is that of the cell itself: what called it is IPython."""
        return frame.f_globals is self.names and not frame.f_code.co_flags & inspect.CO_OPTIMIZED

    def history(self) -> list[Slot]:
        """Return where IPython keeps results of cells: ``Out``, ``_``, ``_12``."""
        return [] if self.shell is None else list(self._history())

    def exceptions(self) -> list[Slot]:
        """Return what keeps the last exception, and with it the variables of its functions."""
        return list(self._exceptions())

    def variable(self, name: str) -> Slot:
        """Return the place of one of the user's variables."""
        return Slot(
            "variable", name, self.names[name], functools.partial(self.names.pop, name, None)
        )

    def stops(self) -> list[Any]:
        """Return objects not to be searched, because they lead to all others."""
        shell = self.shell
        hook = getattr(shell, "displayhook", None)
        found = [shell, hook, getattr(shell, "InteractiveTB", None), self.names]
        return [*found, self.names.get("_oh"), vars(builtins), *running_frames()]

    def place_of_frame(self, frame: types.FrameType, line: int | None = None) -> str:
        """Return a place in a frame, by default where it is now: ``cell [3]:2`` or ``train.py:12``."""
        file = frame.f_code.co_filename
        return self.place_of_line(file, frame.f_lineno if line is None else line)

    def place_of_line(self, file: str, line: int) -> str:
        """Return a line as text: ``cell [3]:2`` or ``train.py:12``."""
        cells = self._cells
        where = f"cell [{cells[file]}]" if file in cells else PurePath(file).name
        return f"{where}:{line}"

    def is_own_file(self, file: str) -> bool:
        """Return whether a file is a cell, or the user's own."""
        return file in self._cells or is_user_file(file)

    @property
    def _cells(self) -> dict[str, int]:
        return getattr(getattr(self.shell, "compile", None), "_filename_map", {})

    def _history(self) -> Iterator[Slot]:
        results: dict[int, Any] = self.names.get("_oh") or {}
        hook = self.shell.displayhook
        for number, value in list(results.items()):
            yield Slot("history", f"Out[{number}]", value, functools.partial(results.pop, number))
            yield from self._copies(f"_{number}", value)
        for name in UNDERSCORES:
            if (value := getattr(hook, name, "")) is self.names.get(name, self):
                yield from self._copies(name, value)
                yield Slot("history", name, value, functools.partial(setattr, hook, name, ""))
        last = getattr(self.shell, "last_execution_result", None)
        if last is not None and _error_of(last) is None:
            yield Slot("history", LAST_RESULT, last, self._forget_result)

    def _copies(self, name: str, value: Any) -> Iterator[Slot]:
        """Yield the variable in which IPython keeps a result, unless it is the user's own, and its hidden copy."""
        for names in (self.names, self.shell.user_ns_hidden):
            if type(names) is dict and names.get(name, self) is value:
                # IPython continues to maintain _, __ and ___ if they are equal to its own.
                clear = functools.partial(names.__setitem__, name, "")
                if name not in UNDERSCORES:
                    clear = functools.partial(names.pop, name)
                yield Slot("history", name, value, clear)

    def _exceptions(self) -> Iterator[Slot]:
        for name in OF_SYS:
            if (value := getattr(sys, name, None)) is not None:
                yield Slot("exception", "", value, functools.partial(_forget, name))
        printer = getattr(self.shell, "InteractiveTB", None)
        for name in OF_TRACEBACKS:
            if (value := dictionary_of(printer).get(name)) is not None:
                yield Slot("exception", "", value, functools.partial(setattr, printer, name, None))
        last = getattr(self.shell, "last_execution_result", None)
        if last is not None and _error_of(last) is not None:
            yield Slot("exception", "", last, self._forget_result)

    def _forget_result(self) -> None:
        self.shell.last_execution_result = None


def _error_of(result: Any) -> BaseException | None:
    errors = (result.error_in_exec, result.error_before_exec)
    return next((each for each in errors if each is not None), None)


def _forget(name: str) -> None:
    for each in (name, "last_type"):
        if hasattr(sys, each):
            delattr(sys, each)
