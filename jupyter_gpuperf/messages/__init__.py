"""Sentences for people: made in English, told in the reader's language.

The translator is imported by its module: what makes sentences, such as a worker, needs no catalogue.
"""

from jupyter_gpuperf.messages.message import Message

__all__ = ["Message"]
