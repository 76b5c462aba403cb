"""A sentence for people that can be told in another language.

Standard library only: workers in foreign environments import this.
"""

from __future__ import annotations

from string import Formatter
from typing import Any, Final

_FORMATTER: Final = Formatter()


class Message(str):
    """An English sentence that keeps the template and the parameters it was made from.

    Logs, exceptions and JSON take it as the string it is. :meth:`to_dict` is what goes beside that
    string on the wire, into kept results and into recordings; :class:`Translator` and the page put it
    into the reader's language.

    Parameters
    ----------
    template
        English, with named fields: ``"{used:.1f} of {total:.0f} GiB"``. Translators see it without the
        formats: ``"{used} of {total} GiB"``.
    plural
        The template for a ``count`` other than one; ``template`` is then the singular. Write
        :meth:`counted`, by which translators' tools find both.
    parameters
        What is filled in. A value is formatted here, so every language shows the same figure; a value
        that is itself a ``Message`` is translated with the whole.

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
        message = super().__new__(cls, chosen.format_map(parameters))
        message.template = without_formats(template)
        message.plural = None if plural is None else without_formats(plural)
        formats = {name: (spec, how) for _, name, spec, how in _FORMATTER.parse(chosen) if name}
        message.parameters = {
            name: _formatted(value, *formats.get(name, (None, None)))
            for name, value in parameters.items()
        }
        if plural is not None:
            message.parameters["count"] = parameters["count"]
        return message

    @classmethod
    def counted(cls, singular: str, plural: str, /, *, count: int, **parameters: Any) -> Message:
        """Return ``singular`` for a count of one, else ``plural``; other languages have other rules."""
        return cls(singular, plural, count=count, **parameters)

    def __getnewargs_ex__(self) -> tuple[tuple[str, str | None], dict[str, Any]]:
        """Copy and pickle with the template."""
        return (self.template, self.plural), self.parameters

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"template", "parameters"}``, and ``"plural"`` where there is one."""
        parameters = {
            name: value.to_dict() if isinstance(value, Message) else value
            for name, value in self.parameters.items()
        }
        plural = {} if self.plural is None else {"plural": self.plural}
        return {"template": self.template, **plural, "parameters": parameters}


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
    if isinstance(value, Message):
        return value
    return format(_FORMATTER.convert_field(value, conversion), spec or "")
