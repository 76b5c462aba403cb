"""How a benchmark is declared: its parameters, and the function that measures.

Standard library only: workers in other Python environments import this.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message

Scalar = bool | int | float | str

LARGEST_NUMBER: Final = sys.float_info.max
"""Default bound of numbers, so that infinity and NaN are refused."""
LONGEST_TEXT: Final = 4096
"""Maximum length of a text parameter: that of the longest path on Linux."""
LIMIT_HELP: Final = "Measure no longer than this, even if the interval is still wide; start and warm-up come before."


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a benchmark. Form fields, command-line options and checks are derived from it.

    Parameters
    ----------
    minimum, maximum
        Inclusive bounds of ``integer`` and ``number``.
    choices
        The values that a ``choice`` can have. A ``text`` can be any single line, such as a folder's path.
    """

    name: str
    type: Literal["integer", "number", "boolean", "choice", "text"]
    default: Scalar
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @classmethod
    def integer(cls, name: str, default: int, bounds: tuple[int, int], help: str) -> Parameter:
        """Declare an integer with inclusive bounds."""
        low, high = bounds
        return cls(name, "integer", default, help, minimum=low, maximum=high)

    @classmethod
    def boolean(cls, name: str, default: bool, help: str) -> Parameter:
        """Declare a boolean."""
        return cls(name, "boolean", default, help)

    @classmethod
    def choice(cls, name: str, default: str, choices: tuple[str, ...], help: str) -> Parameter:
        """Declare a choice among several values."""
        return cls(name, "choice", default, help, choices=choices)

    @classmethod
    def text(cls, name: str, default: str, help: str) -> Parameter:
        """Declare a single line of text."""
        return cls(name, "text", default, help)

    @classmethod
    def time_limit(cls, default: float, help: str = LIMIT_HELP, minimum: float = 1.0) -> Parameter:
        """Declare ``time_limit_seconds``, from ``minimum`` to 600 seconds."""
        return cls("time_limit_seconds", "number", default, help, minimum=minimum, maximum=600.0)

    def check(self, value: object) -> Scalar:
        """Return ``value`` converted to this parameter's type.

        Raises
        ------
        BadRequest
            ``parameter_wrong_type`` or ``parameter_out_of_range``.
        """
        if self.type == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)
        # In Python, bool is a subclass of int.
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        is_right = (
            (self.type == "boolean" and isinstance(value, bool))
            or (self.type == "choice" and value in self.choices)
            or (self.type == "text" and isinstance(value, str) and _fits_a_line(value))
            or (self.type == "number" and is_number)
            or (self.type == "integer" and is_number and isinstance(value, int))
        )
        if not is_right:
            message = "{name} = {value} is not of type {type}."
            if self.choices:
                message = "{name} = {value} is not one of {choices}."
            raise BadRequest(
                "parameter_wrong_type",
                message,
                self.help,
                name=self.name,
                value=reprlib.repr(value),
                type=self.type,
                choices=self.choices,
            )
        if not is_number:
            return cast("Scalar", value)
        low = -LARGEST_NUMBER if self.minimum is None else self.minimum
        high = LARGEST_NUMBER if self.maximum is None else self.maximum
        number = cast("float", value)
        if not low <= number <= high:  # also true for NaN
            raise BadRequest(
                "parameter_out_of_range",
                "{name} = {value} is out of range.",
                "{name} must be from {low:.15g} to {high:.15g}.",
                name=self.name,
                value=reprlib.repr(number),
                low=low,
                high=high,
            )
        return float(number) if self.type == "number" else number


RIGOROUS: Final = Parameter.boolean(
    "rigorous",
    False,
    "Measure in five processes, each to ±1 % instead of ±3 %; the interval then also applies to later runs.",
)
"""Parameter of every benchmark that measures until an interval is narrow enough; see :func:`stopping.target_ratio`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """How a running benchmark reports progress and warnings.

    Parameters
    ----------
    progress
        Takes a ratio from 0 to 1 and a short text.
    warn
        Takes a sentence that is added to the result's warnings.
    """

    progress: Callable[[float, str], None]
    warn: Callable[[str], None]

    def span(self, begin: float, end: float, name: str = "") -> Context:
        """Return a context whose progress from 0 to 1 counts as ``begin`` to ``end``; ``name`` precedes messages."""

        def named(text: str) -> str:
            return Message("{name}: {text}", name=name, text=text) if name else text

        def progress(ratio: float, text: str) -> None:
            self.progress(begin + (end - begin) * min(ratio, 1.0), named(text))

        return Context(progress=progress, warn=lambda sentence: self.warn(named(sentence)))

    def part(self, place: int, parts: int, name: str = "") -> Context:
        """Return the context of one of several equally long parts; ``place`` counts from 0."""
        return self.span(place / parts, (place + 1) / parts, name)

    def doubt(self, doubt: str | None) -> None:
        """Warn with ``doubt``, a sentence about an interval that stayed wide. Do nothing if it is ``None``."""
        if doubt:
            self.warn(doubt)


def _fits_a_line(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and not set(text) & set("\0\r\n")


Measured = dict[str, Any]
"""The result of a benchmark: ``unit``, ``figures``, ``samples``, ``environment`` and, if they are known, ``limits``.
Their types are those in :class:`schemas.BenchmarkResult`.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """A benchmark that can be run on demand.

    Parameters
    ----------
    name
        Unique, in snake_case: the name that users type.
    requires
        Python modules that the benchmark's environment must have.
    all_devices
        Whether the benchmark uses all devices of the machine instead of one.
    run
        Function that measures. It imports its own dependencies, and raises a ``GpuPerfError`` if it can't run.
    run_on
        Function that measures an object of a notebook, in the notebook's own process; ``None`` if the benchmark can't
        do this. It takes the object, its name in the notebook, the given parameters (which always include those that
        limit the measuring time), and the context. Its result lists the ``parameters`` that were actually used.
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
        """Return the values of all parameters, with defaults for those not given.

        Raises
        ------
        BadRequest
            ``unknown_parameter``, ``parameter_wrong_type`` or ``parameter_out_of_range``.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        if unknown := [name for name in parameters if name not in known]:
            raise BadRequest(
                "unknown_parameter",
                "{benchmark} has no parameter {unknown!r}.",
                "Available: {known}.",
                benchmark=self.name,
                unknown=unknown[0],
                known=[*known] or [Message("none")],
            )
        return {
            name: parameter.check(parameters.get(name, parameter.default))
            for name, parameter in known.items()
        }
