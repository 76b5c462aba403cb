"""A message on the wire, and structs that carry messages beside their English strings."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.plain_data import described_message, restored_message


class MessageInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sentence as template and parameters, for translation."""

    template: str
    """English, with fields: ``{used} of {total} GiB``. With parameters, ``{{`` stands for a brace."""
    parameters: dict[str, Any]
    """The fields' values: text, a message, or a list of these, which is joined with commas."""
    plural: str | None = None
    """The template for any ``count`` but one."""


MessageOrUnset = MessageInfo | UnsetType
"""Absent for a text without parameters, which is looked up as it is."""
MessagesOrUnset = list[MessageInfo | None] | UnsetType


class WithMessages(Struct, frozen=True, kw_only=True):
    """A struct with ``name_message`` for a string, or list of strings, ``name``.

    In Python, ``name`` is a :class:`~jupyter_gpuperf.messages.Message`, before sending and after reading.
    ``name_message`` is filled in for the wire.
    """

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            name = field.removesuffix("_message")
            if name == field or name not in self.__struct_fields__:
                continue
            text = _as_message(getattr(self, name), getattr(self, field))
            msgspec.structs.force_setattr(self, name, text)
            # Not what was given: msgspec.structs.replace gives the description of the text before.
            msgspec.structs.force_setattr(self, field, _description(text))


def _as_message(text: Any, described: Any) -> Any:
    if described is not UNSET and described_message(text) is None:
        text = restored_message(text, msgspec.to_builtins(described))
    if isinstance(text, list):
        return [_as_message(each, UNSET) for each in text]
    return text if text is None else Message.from_template(text, {})


def _description(text: Any) -> Any:
    """Return what ``name_message`` says: nothing about texts without parameters."""
    if isinstance(text, list):
        found = [_description(each) for each in text]
        described = [None if each is UNSET else each for each in found]
        return described if any(described) else UNSET
    return text.to_dict() if text and text.parameters else UNSET
