"""The JSON form of a message, and structs that contain messages beside their English strings."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.plain_data import described_message, restored_message


class MessageInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message as template and parameters, for translation."""

    template: str
    """English text with fields: ``{used} of {total} GiB``. If there are parameters, ``{{`` stands for a brace."""
    parameters: dict[str, Any]
    """Field name → value: a text, a message, or a list of these, which is joined with commas."""
    plural: str | None = None
    """The template for every ``count`` other than 1; ``None`` for a message without a count."""


MessageOrUnset = MessageInfo | UnsetType
"""Absent for a text without parameters, which is looked up in the catalogue unchanged."""
MessagesOrUnset = list[MessageInfo | None] | UnsetType


class WithMessages(Struct, frozen=True, kw_only=True):
    """Base of structs that have a field ``name_message`` for a field ``name``, a string or a list of strings.

    In Python, the value of ``name`` is a :class:`~jupyter_gpuperf.messages.Message`, before encoding and after
    decoding. ``name_message`` is filled in automatically; it contains the template and the parameters in the JSON.
    """

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            name = field.removesuffix("_message")
            if name == field or name not in self.__struct_fields__:
                continue
            text = _as_message(getattr(self, name), getattr(self, field))
            msgspec.structs.force_setattr(self, name, text)
            # Don't keep the given description: msgspec.structs.replace passes that of the earlier text.
            msgspec.structs.force_setattr(self, field, _description(text))


def _as_message(text: Any, described: Any) -> Any:
    if described is not UNSET and described_message(text) is None:
        text = restored_message(text, msgspec.to_builtins(described))
    if isinstance(text, list):
        return [_as_message(each, UNSET) for each in text]
    return text if text is None else Message.from_template(text)


def _description(text: Any) -> Any:
    """Return the value of ``name_message``; ``UNSET`` if no text has parameters."""
    if isinstance(text, list):
        found = [_description(each) for each in text]
        described = [None if each is UNSET else each for each in found]
        return described if any(described) else UNSET
    return text.to_dict() if text and text.parameters else UNSET
