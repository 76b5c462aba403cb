"""Messages for users: written in English, shown in the user's language.

This package uses only the standard library, because workers in other environments import it. It does not import
``translator``, because workers create messages but never translate them.
"""

from jupyter_gpuperf.messages.message import Message
from jupyter_gpuperf.messages.plain_data import with_messages, without_messages

__all__ = ["Message", "with_messages", "without_messages"]
