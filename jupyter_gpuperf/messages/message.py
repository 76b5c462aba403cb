"""A sentence for people, kept as a template and its parameters so that it can be translated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Final

_FORMATTER: Final = Formatter()
_FIELD: Final = re.compile(r"\{\{|\}\}|\{(\w+)\}")


class Message(str):
    """An English sentence that keeps the template and the parameters it was made from.

    Logs, exceptions and JSON treat it as the string that it is. :meth:`to_dict` is stored beside that string on
    the wire, in kept results and in recordings. :class:`~jupyter_gpuperf.messages.translator.Translator` and the
    page translate it.

    Parameters
    ----------
    template
        English, with named fields: ``"{used:.1f} of {total:.0f} GiB"``. Translators see it without the formats:
        ``"{used} of {total} GiB"``.
    plural
        The template for any ``count`` but one. Use :meth:`counted`, which translation tools recognise.
    parameters
        The fields' values. They are formatted here, so that every language shows the same figure. A ``Message`` is
        translated along with the whole; a list or tuple is joined with commas.

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
        """Fill in the parameters; see the class."""
        chosen = template if plural is None or parameters["count"] == 1 else plural
        formats = {name: (spec, how) for _, name, spec, how in _FORMATTER.parse(chosen) if name}
        values = {name: _formatted(parameters[name], *formats[name]) for name in formats}
        if plural is not None:
            values["count"] = parameters["count"]
            plural = without_formats(plural)
        bare = without_formats(template) if values else filled(template, {}, "".join)
        return cls._made(bare, plural, values)

    @classmethod
    def _made(cls, template: str, plural: str | None, parameters: dict[str, Any]) -> Message:
        chosen = template if plural is None or parameters["count"] == 1 else plural
        # A text without parameters is its own key in the catalogue, braces and all.
        text = filled(chosen, parameters, ", ".join) if parameters else chosen
        message = super().__new__(cls, text)
        message.template, message.plural, message.parameters = template, plural, parameters
        return message

    @classmethod
    def counted(cls, singular: str, plural: str, /, *, count: int, **parameters: Any) -> Message:
        """Return ``singular`` for a count of one, else ``plural``; other languages have other rules."""
        return cls(singular, plural, count=count, **parameters)

    @classmethod
    def from_template(cls, template: str, parameters: Mapping[str, Any] | None = None) -> Message:
        """Return a message; without parameters, the template's braces are only text."""
        if parameters:
            return cls(template, **parameters)
        return template if isinstance(template, Message) else cls._made(template, None, {})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Message:
        """Return the message that :meth:`to_dict` described."""
        parameters = {name: _restored(value) for name, value in data["parameters"].items()}
        return cls._made(data["template"], data.get("plural"), parameters)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle with the template."""
        return Message._made, (self.template, self.plural, self.parameters)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"template", "parameters"}``, and ``"plural"`` where there is one."""
        plural = {} if self.plural is None else {"plural": self.plural}
        parameters = {name: _plain(value) for name, value in self.parameters.items()}
        return {"template": self.template, **plural, "parameters": parameters}


def filled(template: str, values: Mapping[str, Any], join: Callable[[list[str]], str]) -> str:
    """Return ``template`` with its fields filled in; a field without a value stays.

    A template may come from a file, so it can't use Python's formats, which reach into objects.
    """

    def piece(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found[0][0]  # {{ or }}
        value = values.get(name, found[0])
        return join(value) if isinstance(value, list) else str(value)

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
    return format(_FORMATTER.convert_field(value, conversion), spec or "")


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.to_dict() if isinstance(value, Message) else value


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(each) for each in value]
    return Message.from_dict(value) if isinstance(value, Mapping) else value
