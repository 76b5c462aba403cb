"""A message for users that keeps its template and parameters so that it can be translated."""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Final

_FORMATTER: Final = Formatter()
DEEPEST: Final = 8
"""Maximum nesting of restored messages and lists."""
_FIELD: Final = re.compile(r"\{\{|\}\}|\{(\w+)\}")


class Message(str):
    """An English string that keeps the template and the parameters from which it was built.

    Logs, exceptions and JSON treat a message as an ordinary string. On the wire, in stored results and in recordings,
    the result of :meth:`to_dict` is stored beside that string.
    :class:`~jupyter_gpuperf.messages.translator.Translator` and the page translate the message.

    Parameters
    ----------
    template
        English text with named fields: ``"{used:.1f} of {total:.0f} GiB"``. Translators see it without the formats:
        ``"{used} of {total} GiB"``.
    plural
        The template for every ``count`` other than 1. Use :meth:`counted`, which translation tools recognise.
    parameters
        The values of the fields. They are formatted immediately, so that every language shows the same figures. A
        ``Message`` among them is translated too; a list or tuple is joined with commas.

    Raises
    ------
    KeyError
        A field of the template has no parameter.
    """

    __slots__ = ("parameters", "plural", "template")

    template: str
    plural: str | None
    parameters: dict[str, Any]

    def __new__(  # noqa: PYI034 (Self needs typing_extensions before Python 3.11)
        cls, template: str, plural: str | None = None, /, **parameters: Any
    ) -> Message:
        """Create the message; see the class for the parameters."""
        # Fields of both templates: a translation has one text where English has two.
        both = template + (plural or "")
        formats = {name: (spec, how) for _, name, spec, how in _FORMATTER.parse(both) if name}
        values = {name: _formatted(parameters[name], *formats[name]) for name in formats}
        if plural is not None:
            values["count"] = parameters["count"]
            plural = without_formats(plural)
        bare = without_formats(template) if values else filled(template, {}, "".join)
        return cls._made(bare, plural, values)

    @classmethod
    def _made(
        cls,
        template: str,
        plural: str | None,
        parameters: dict[str, Any],
        longest: int = sys.maxsize,
    ) -> Message:
        is_single = plural is None or operator.index(parameters["count"]) == 1
        chosen = template if plural is None or is_single else plural
        # A text without parameters is looked up in the catalogue unchanged, including its braces.
        text = filled(chosen, parameters, ", ".join, longest) if parameters else chosen
        message = super().__new__(cls, text)
        message.template, message.plural, message.parameters = template, plural, parameters
        return message

    @classmethod
    def counted(cls, singular: str, plural: str, /, *, count: int, **parameters: Any) -> Message:
        """Return a message with a count: in English ``singular`` for a count of 1, otherwise ``plural``.

        Translations use the plural rules of their language.
        """
        return cls(singular, plural, count=count, **parameters)

    @classmethod
    def from_template(cls, template: str, parameters: Mapping[str, Any] | None = None) -> Message:
        """Return a message; without parameters, braces in ``template`` are ordinary text.

        A ``template`` that is already a message is returned unchanged.
        """
        if isinstance(template, Message):
            return template
        return cls(template, **parameters) if parameters else cls._made(template, None, {})

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], longest: int = sys.maxsize, depth: int = 0
    ) -> Message:
        """Return the message from the result of :meth:`to_dict`, which may come from a foreign file or process.

        Raises
        ------
        ValueError
            The text, or that of a message in it, has more than ``longest`` characters, or messages are nested too deep.
        KeyError, TypeError, AttributeError
            ``data`` has another shape.
        """
        if depth > DEEPEST:
            raise ValueError("messages are nested too deep")
        template, plural, values = data["template"], data.get("plural"), data["parameters"]
        fields = {*_FIELD.findall(template + (plural or "")), "count"} & {*values}
        parameters = {name: _restored(values[name], longest, depth + 1) for name in sorted(fields)}
        return cls._made(template, plural, parameters, longest)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the template and the parameters when the message is copied or pickled."""
        return Message._made, (self.template, self.plural, self.parameters)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"template", "parameters"}``, and ``"plural"`` if there is one."""
        plural = {} if self.plural is None else {"plural": self.plural}
        parameters = {name: _plain(value) for name, value in self.parameters.items()}
        return {"template": self.template, **plural, "parameters": parameters}


def filled(
    template: str,
    values: Mapping[str, Any],
    join: Callable[[list[str]], str],
    longest: int = sys.maxsize,
) -> str:
    """Return ``template`` with its fields replaced by values; a field without a value stays.

    ``str.format`` is not used: templates may come from files, and format fields could access attributes of objects.

    Raises
    ------
    ValueError
        The values have more than ``longest`` characters: a short template may repeat a long value very often.
    """
    left = longest

    def piece(found: re.Match[str]) -> str:
        nonlocal left
        name = found[1]
        if name is None:
            return found[0][0]  # {{ or }}
        value = values.get(name, found[0])
        text = join(value) if isinstance(value, list) else str(value)
        left -= len(text)
        if left < 0:
            raise ValueError(f"longer than {longest} characters")
        return text

    return _FIELD.sub(piece, template)


def without_formats(template: str) -> str:
    """Return a template as translators see it: ``{used:.1f}`` becomes ``{used}``."""
    pieces = []
    for text, name, _, _ in _FORMATTER.parse(template):
        pieces += [
            text.replace("{", "{{").replace("}", "}}"),
            "" if name is None else f"{{{name}}}",
        ]
    return "".join(pieces)


def _formatted(value: Any, spec: str | None, conversion: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_formatted(each, spec, conversion) for each in value]
    if isinstance(value, Message):
        return value
    text = format(_FORMATTER.convert_field(value, conversion), spec or "")
    # `4 %`, as everywhere else; Python's own format has no space.
    return f"{text[:-1]} %" if spec and spec.endswith("%") else text


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.to_dict() if isinstance(value, Message) else value


def _restored(value: Any, longest: int, depth: int) -> Any:
    if isinstance(value, list):
        return [_restored(each, longest, depth + 1) for each in value]
    if isinstance(value, Mapping):
        return Message.from_dict(value, longest, depth)
    if not isinstance(value, str | int):
        raise TypeError(f"{type(value).__name__} is no value of a message")
    return value
