"""Settings of the whole process that code may change: environment variables, folder, warnings, numerics of Python."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from jupyter_gpuperf.state.values import Access

DECIMAL: Final = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
PRINTED: Final = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")


def process_state(torch: Any) -> Iterator[tuple[str, Callable[[], Access]]]:
    """Yield name and access of each setting."""
    for name, (read, write) in _settings(torch).items():
        yield name, partial(Access, read, write)


def _settings(torch: Any) -> dict[str, tuple[Callable[[], Any], Callable[[Any], object]]]:
    options = torch._tensor_str.PRINT_OPTS
    settings: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
        "os.environ": (lambda: sorted(os.environ.items()), _set_environment),
        "os.getcwd()": (os.getcwd, os.chdir),
        "sys.path": (sys.path.copy, partial(sys.path.__setitem__, slice(None))),
        "sys.stdout": (lambda: (sys.stdout, sys.stderr), _set_streams),
        "sys.getrecursionlimit()": (sys.getrecursionlimit, sys.setrecursionlimit),
        "warnings.filters": (lambda: [*warnings.filters], _set_filters),
        "gc.isenabled()": (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
        "gc.get_threshold()": (gc.get_threshold, lambda before: gc.set_threshold(*before)),
        "torch.set_printoptions()": (
            lambda: [(name, getattr(options, name)) for name in PRINTED],
            lambda before: torch.set_printoptions(**dict(before)),
        ),
    }
    if numpy := sys.modules.get("numpy"):
        settings["numpy.geterr()"] = (numpy.geterr, lambda before: numpy.seterr(**before))
        settings["numpy.get_printoptions()"] = (
            numpy.get_printoptions,
            lambda before: numpy.set_printoptions(**before),
        )
    if decimal := sys.modules.get("decimal"):
        settings["decimal.getcontext()"] = _decimal(decimal)
    return settings


def _set_streams(before: tuple[Any, Any]) -> None:
    sys.stdout, sys.stderr = before


def _set_environment(before: list[tuple[str, str]]) -> None:
    known: Mapping[str, str] = dict(before)
    for name in [*os.environ]:
        if name not in known:
            del os.environ[name]
    os.environ.update({name: text for name, text in before if os.environ.get(name) != text})


def _set_filters(before: list[Any]) -> None:
    warnings.resetwarnings()  # so that Python forgets which warnings it has shown under other filters
    warnings.filters.extend(before)  # type: ignore[attr-defined]  # a list, as documented


def _decimal(decimal: Any) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    def read() -> tuple[Any, ...]:
        now = decimal.getcontext()
        signals = [dict(each) for each in (now.flags, now.traps)]
        return (*(getattr(now, name) for name in DECIMAL), *signals)

    def write(before: tuple[Any, ...]) -> None:
        now = decimal.getcontext()
        for name, value in zip(DECIMAL, before, strict=False):
            setattr(now, name, value)
        now.flags, now.traps = before[len(DECIMAL) :]

    return read, write
