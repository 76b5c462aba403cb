"""A message on the wire, and structs that carry messages beside their English strings."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from jupyter_gpuperf.messages.plain_data import described_message, restored_message


class MessageInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sentence as template and parameters, for translation."""

    template: str
    """English, with fields: ``{used} of {total} GiB``. ``{{`` stands for a brace."""
    parameters: dict[str, Any]
    """The fields' values: text, a message, or a list of these, which is joined with commas."""
    plural: str | None = None
    """The template for any ``count`` but one."""


MessageOrUnset = MessageInfo | UnsetType
"""Absent for a text that is no message, since it is a constant or comes from somewhere else."""
MessagesOrUnset = list[MessageInfo | None] | UnsetType


class WithMessages(Struct, frozen=True, kw_only=True):
    """A struct with ``name_message`` for a string, or list of strings, ``name``.

    In Python, ``name`` is a :class:`~jupyter_gpuperf.messages.Message` where there is one, before sending and
    after reading. ``name_message`` is filled in for the wire.
    """

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            name = field.removesuffix("_message")
            if name == field or name not in self.__struct_fields__:
                continue
            text, described = getattr(self, name), getattr(self, field)
            if described is not UNSET and described_message(text) is None:
                text = restored_message(text, msgspec.to_builtins(described))
                msgspec.structs.force_setattr(self, name, text)
            # Not what was given: msgspec.structs.replace gives the description of the text before.
            msgspec.structs.force_setattr(self, field, described_message(text) or UNSET)
