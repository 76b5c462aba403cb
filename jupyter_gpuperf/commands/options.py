"""A benchmark's parameters as options, shared by the magic and the command line."""

from __future__ import annotations

import argparse
import keyword
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, NoReturn

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Parameter, Scalar
from jupyter_gpuperf.commands.translated_parser import TranslatedParser
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message

TYPES: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "integer": ("N", int),
    "number": ("X", float),
    "text": ("TEXT", str),
}


class OptionParser(TranslatedParser):
    """An argument parser that raises coded errors instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise ``BadRequest`` (``usage``) with a hint that names the manual."""
        named = {"problem": f"{message[:1].upper()}{message[1:]}", "program": self.prog}
        raise BadRequest("usage", "{problem}.", "See: {program} --help", **named)


class Option(NamedTuple):
    """An option's usage, its meaning, and the function that converts its text; ``None`` for a switch."""

    usage: str
    meaning: str
    type: Callable[[str], Any] | None = None

    @property
    def flag(self) -> str:
        """The option without its value: ``--batch-size``."""
        return re.split("[ /]", self.usage)[0]


def flag(name: str) -> str:
    """Return the option for a parameter's name: ``batch_size`` → ``--batch-size``."""
    return f"--{name.replace('_', '-')}"


def option_of(parameter: Parameter) -> Option:
    """Return a parameter's option. It accepts any value: the benchmark checks the range, so that all callers get the
    same errors."""
    meaning = Message.from_template(parameter.help)
    facts: dict[str, Any] = {"help": meaning, "value": _typed(parameter.default)}
    if parameter.minimum is not None and parameter.maximum is not None:
        facts |= {"low": _typed(parameter.minimum), "high": _typed(parameter.maximum)}
        meaning = Message("{help} (default {value}, {low} to {high})", **facts)
    elif parameter.default != "":
        meaning = Message("{help} (default {value})", **facts)
    if parameter.type == "boolean":
        return Option(f"{flag(parameter.name)}/{flag(f'no_{parameter.name}')}", meaning, bool)
    value, conversion = TYPES.get(parameter.type, ("|".join(parameter.choices), str))
    return Option(f"{flag(parameter.name)} {value}", meaning, conversion)


def add_options(parser: OptionParser, options: Iterable[Option], prefix: str = "") -> None:
    """Add options to a parser; a ``prefix`` keeps their parsed names apart from those of parameters."""
    for each in options:
        how: dict[str, Any] = {"type": each.type} if each.type else {"action": "store_true"}
        if each.type is bool:
            how = {"action": argparse.BooleanOptionalAction}
        name = each.flag.lstrip("-").replace("-", "_")
        parser.add_argument(each.flag, dest=f"{prefix}{name}", **how)


def take_options(parsed: argparse.Namespace, prefix: str) -> dict[str, Any]:
    """Remove the values with this prefix from the parsed namespace; return them under their names without it."""
    values = vars(parsed)
    given = [name for name in values if name.startswith(prefix)]
    return {name.removeprefix(prefix): values.pop(name) for name in given}


def variable_name(text: str) -> str:
    """Return the variable name given to ``--into``.

    Raises
    ------
    BadRequest
        ``usage``: it is not an identifier.
    """
    if not text.isidentifier() or keyword.iskeyword(text):
        message, hint = "--into {name}: not a valid variable name.", "Give a Python identifier."
        raise BadRequest("usage", message, hint, name=text)
    return text


def parser_of(benchmark: Benchmark, program: str) -> OptionParser:
    """Return a parser of the benchmark's own options.

    Options that are not given are absent from the parsed namespace; the benchmark adds their defaults.
    """
    parser = OptionParser(
        prog=f"{program} {benchmark.name}",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        add_help=False,  # the manual covers it
    )
    add_options(parser, map(option_of, benchmark.parameters))
    return parser


def _typed(value: Scalar) -> str:
    """Return a value as the user would type it."""
    if isinstance(value, bool):
        return Message("yes") if value else Message("no")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
