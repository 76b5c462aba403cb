"""A benchmark's parameters as options, shared by the magic and the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final, NoReturn

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Parameter, Scalar
from jupyter_gpuperf.errors import BadRequest

CONVERSIONS: Final[dict[str, Callable[[str], Any]]] = {
    "integer": int,
    "number": float,
    "choice": str,
    "text": str,
}


class OptionParser(argparse.ArgumentParser):
    """An argument parser that raises coded errors instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Refuse, and name the way to the manual."""
        raise BadRequest(
            "usage", f"{message[:1].upper()}{message[1:]}.", f"See {self.prog} --help."
        )


def flag(name: str) -> str:
    """Return a parameter's option: ``batch_size`` → ``--batch-size``."""
    return f"--{name.replace('_', '-')}"


def parser_of(benchmark: Benchmark, program: str) -> OptionParser:
    """Return a parser of the benchmark's own options.

    What is not given is absent from the parsed namespace: the benchmark knows its defaults.
    """
    parser = OptionParser(
        prog=f"{program} {benchmark.name}",
        description=f"{benchmark.label}. {benchmark.help}",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    group = parser.add_argument_group("parameters")
    for parameter in benchmark.parameters:
        add_option(group, parameter)
    return parser


def add_option(group: argparse._ArgumentGroup, parameter: Parameter) -> None:
    """Add one parameter; its range is checked by the benchmark itself, in one place for everybody."""
    if parameter.type == "boolean":
        group.add_argument(
            flag(parameter.name),
            action=argparse.BooleanOptionalAction,
            help=_help(parameter),
            default=argparse.SUPPRESS,
        )
        return
    group.add_argument(
        flag(parameter.name),
        dest=parameter.name,
        type=CONVERSIONS[parameter.type],
        metavar=_metavar(parameter),
        help=_help(parameter),
    )


def parameter_lines(benchmark: Benchmark) -> list[tuple[str, str]]:
    """Return each parameter's option and what it means, for a manual."""
    return [
        (_usage(parameter), _help(parameter).replace("%%", "%"))
        for parameter in benchmark.parameters
    ]


def _usage(parameter: Parameter) -> str:
    if parameter.type == "boolean":
        return f"{flag(parameter.name)}/{flag(f'no_{parameter.name}')}"
    return f"{flag(parameter.name)} {_metavar(parameter)}"


def _metavar(parameter: Parameter) -> str:
    if parameter.type == "choice":
        return "|".join(parameter.choices)
    return {"integer": "N", "number": "X", "boolean": "", "text": "TEXT"}[parameter.type]


def _help(parameter: Parameter) -> str:
    facts = [f"default {_typed(parameter.default)}"] if parameter.default != "" else []
    if parameter.minimum is not None and parameter.maximum is not None:
        facts.append(f"{_typed(parameter.minimum)} to {_typed(parameter.maximum)}")
    return (parameter.help + (f" ({', '.join(facts)})" if facts else "")).replace("%", "%%")


def _typed(value: Scalar) -> str:
    """Return a value as one would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
