"""Lines from a stream, none of them longer than the stream's limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


async def bounded_lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes | None]:
    """Yield lines; ``None`` for one beyond the reader's limit, whose rest is skipped unread."""
    skipping = False
    while True:
        try:
            line = await reader.readuntil()
        except asyncio.LimitOverrunError as error:
            await reader.readexactly(error.consumed)
            if not skipping:
                yield None
            skipping = True
            continue
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # hung up
        if not skipping:
            yield line
        skipping = False
