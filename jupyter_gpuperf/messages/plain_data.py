"""Messages in plain data: beside each string ``name``, ``name_message`` holds its template and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_gpuperf.messages.message import Message


def with_messages(data: Any) -> Any:
    """Return a copy of plain data, ready for JSON, with ``<name>_message`` beside each message.

    A list of strings is described by a list, with ``None`` for each string that is no message.
    """
    if isinstance(data, Mapping):
        copied = {name: with_messages(value) for name, value in data.items()}
        described = {f"{name}_message": described_message(data[name]) for name in data}
        return copied | {name: value for name, value in described.items() if value is not None}
    if isinstance(data, list | tuple):
        return [with_messages(each) for each in data]
    return str(data) if isinstance(data, Message) else data


def without_messages(data: Any) -> Any:
    """Return a copy of plain data in which each string that :func:`with_messages` described is a message again."""
    if isinstance(data, Mapping):
        return {
            name: restored_message(without_messages(value), data.get(f"{name}_message"))
            for name, value in data.items()
            if name.removesuffix("_message") == name or name.removesuffix("_message") not in data
        }
    return [without_messages(each) for each in data] if isinstance(data, list | tuple) else data


def described_message(value: Any) -> Any:
    """Return the description of a message or of a list with messages; ``None`` for all else."""
    if isinstance(value, Message):
        return value.to_dict()
    if isinstance(value, list | tuple):
        described = [described_message(each) for each in value]
        return described if any(described) else None
    return None


def restored_message(value: Any, described: Any) -> Any:
    """Return ``value``, as a message if ``described`` describes the same English sentence.

    The description may come from a file or a foreign worker, and be anything.
    """
    if isinstance(described, list) and isinstance(value, list) and len(described) == len(value):
        return [restored_message(*pair) for pair in zip(value, described, strict=True)]
    try:
        message = Message.from_dict(described)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return value
    return message if message == value else value
