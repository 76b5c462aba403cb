"""Sentences for people: written in English, shown in the reader's language.

``translator`` is not imported here: workers make messages and need no catalogue. Standard library only, since
workers in foreign environments import this.
"""

from jupyter_gpuperf.messages.message import Message
from jupyter_gpuperf.messages.plain_data import with_messages, without_messages

__all__ = ["Message", "with_messages", "without_messages"]
