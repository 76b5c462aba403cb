"""Templates of the server's sentences, for pages in other languages than English.

A page recognises a sentence by the text around its figures, and puts the figures into the translation.
``sentences.json`` is generated from the sources.
"""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import operation
from jupyter_gpuperf.schemas import Sentences
from jupyter_gpuperf.server.threads import in_thread


class SentencesHandler(GpuPerfHandler):
    """``GET sentences``: templates with ``%1``, ``%2`` for the figures, most specific first."""

    @operation(Sentences)
    async def get(self) -> Sentences:
        """Templates of the server's sentences, for pages in another language."""
        return await in_thread(_sentences)


@functools.cache
def _sentences() -> Sentences:
    content = Path(__file__).with_name("sentences.json").read_bytes()
    return Sentences(sentences=msgspec.json.decode(content, type=list[str]))
