"""Convert messages to plain data and back: ``name_message`` contains the template and parameters of ``name``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_gpuperf.messages.message import Message


def with_messages(data: Any) -> Any:
    """Return a copy of plain data that is ready for JSON, with ``<name>_message`` beside each message ``<name>``.

    For a list of strings, ``<name>_message`` is a list, with ``None`` for each string that is not a message.
    """
    if isinstance(data, Mapping):
        copied = {name: with_messages(value) for name, value in data.items()}
        described = {f"{name}_message": described_message(data[name]) for name in data}
        return copied | {name: value for name, value in described.items() if value is not None}
    if isinstance(data, list | tuple):
        return [with_messages(each) for each in data]
    return str(data) if isinstance(data, Message) else data


def without_messages(data: Any) -> Any:
    """Return a copy of plain data in which the messages that :func:`with_messages` converted are restored."""
    if isinstance(data, Mapping):
        return {
            name: restored_message(without_messages(value), data.get(f"{name}_message"))
            for name, value in data.items()
            if name.removesuffix("_message") == name or name.removesuffix("_message") not in data
        }
    return [without_messages(each) for each in data] if isinstance(data, list | tuple) else data


def described_message(value: Any) -> Any:
    """Return the templates and parameters of a message or of a list with messages; ``None`` for other values."""
    if isinstance(value, Message):
        return value.to_dict()
    if isinstance(value, list | tuple):
        described = [described_message(each) for each in value]
        return described if any(described) else None
    return None


def restored_message(value: Any, described: Any) -> Any:
    """Return ``value`` as a message if ``described`` results in the same English text; otherwise ``value`` unchanged.

    ``described`` may come from a file or from a worker in another environment, so it may be invalid.
    """
    if isinstance(described, list) and isinstance(value, list) and len(described) == len(value):
        return [restored_message(*pair) for pair in zip(value, described, strict=True)]
    try:
        message = Message.from_dict(described, longest=len(value))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return value
    return message if message == value else value
