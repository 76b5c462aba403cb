"""What a benchmark is: its parameters, and a function that measures.

Standard library only: workers in foreign environments import this.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from jupyter_gpuperf.errors import BadRequest

Scalar = bool | int | float | str

LARGEST: Final = sys.float_info.max
"""Bound of numbers that have no other: all are finite."""
LONGEST_TEXT: Final = 4096
"""As long as a path may be on Linux."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter: enough to build a form, a flag and a check from.

    Parameters
    ----------
    minimum, maximum
        Inclusive bounds of ``integer`` and ``number``.
    choices
        What a ``choice`` may be. A ``text`` may be anything that has room on a line, such as a folder.
    """

    name: str
    type: Literal["integer", "number", "boolean", "choice", "text"]
    default: Scalar
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: object) -> Scalar:
        """Return ``value`` as this parameter's type.

        Raises
        ------
        BadRequest
            ``parameter_wrong_type`` or ``parameter_out_of_range``.
        """
        checked = self._typed(value)
        if self.type not in ("integer", "number"):
            return checked
        low = -LARGEST if self.minimum is None else self.minimum
        high = LARGEST if self.maximum is None else self.maximum
        number = cast("float", checked)
        if not low <= number <= high:  # nor is NaN
            raise BadRequest(
                "parameter_out_of_range",
                f"{self.name} = {reprlib.repr(number)} is out of range.",
                f"{self.name} goes from {low:.15g} to {high:.15g}.",
            )
        return float(number) if self.type == "number" else number

    def _typed(self, value: object) -> Scalar:
        if self.type == "boolean" and isinstance(value, bool):
            return value
        if self.type == "choice" and value in self.choices:
            return str(value)
        if self.type == "text" and isinstance(value, str) and _fits_a_line(value):
            return value
        # In Python a boolean is a number; here it isn't.
        if not isinstance(value, bool):
            if self.type == "number" and isinstance(value, (int, float)):
                return value
            if self.type == "integer" and isinstance(value, int):
                return value
            if self.type == "integer" and isinstance(value, float) and value.is_integer():
                return int(value)
        expected = f"one of {', '.join(self.choices)}" if self.choices else f"of type {self.type}"
        raise BadRequest(
            "parameter_wrong_type",
            f"{self.name} = {reprlib.repr(value)} is not {expected}.",
            self.help,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a running benchmark may use of the world around it.

    Parameters
    ----------
    progress
        Takes a ratio from 0 to 1 and a few words.
    warn
        Takes a sentence that goes with the result.
    """

    progress: Callable[[float, str], None]
    warn: Callable[[str], None]


def _fits_a_line(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and not set(text) & set("\0\r\n")


Measured = dict[str, Any]
"""What a benchmark returns: ``figures``, ``samples``, ``environment``, ``limits`` and ``unit``, in
the shapes of :class:`schemas.BenchmarkResult`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """A thing that can be measured on demand.

    Parameters
    ----------
    name
        Unique, snake_case: what people type.
    requires
        Python modules that the kernel's environment must have.
    all_devices
        Whether it uses all devices of the machine, not one.
    run
        Measures. Imports what it needs itself; raises a ``GpuPerfError`` to say what is in the way.
    run_on
        Measures an object of a notebook, in the notebook's own process: takes the object, what the notebook calls it,
        the parameters that were given (those on how long to measure always), and the context. What it returns names
        the ``parameters`` that it really ran with. ``None`` where there is nothing of the kind.
    """

    name: str
    label: str
    help: str
    parameters: tuple[Parameter, ...]
    run: Callable[[Mapping[str, Any], Context], Measured]
    requires: tuple[str, ...] = ()
    all_devices: bool = False
    run_on: Callable[[object, str, Mapping[str, Any], Context], Measured] | None = None

    def check(self, parameters: Mapping[str, object]) -> dict[str, Scalar]:
        """Return all parameters, those not given with their defaults.

        Raises
        ------
        BadRequest
            ``unknown_parameter``, ``parameter_wrong_type`` or ``parameter_out_of_range``.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in parameters:
            if name not in known:
                raise BadRequest(
                    "unknown_parameter",
                    f"{self.name} has no parameter {name!r}.",
                    f"It has: {', '.join(known) or 'none'}.",
                )
        return {
            name: parameter.check(parameters.get(name, parameter.default))
            for name, parameter in known.items()
        }
