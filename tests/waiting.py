"""Waiting in tests: for a state, never for a time.

A busy machine makes everything slow, so a limit here only ends a test of what never comes: it proves nothing, and a
generous one costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")
PATIENCE_SECONDS = 60.0


def wait_until(
    condition: Callable[[], T], what: str = "It", seconds: float = PATIENCE_SECONDS
) -> T:
    """Return the first true answer of ``condition``; fail when none comes."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            pytest.fail(f"{what} did not happen within {seconds:.0f} s.")
        time.sleep(0.005)
    return found


async def until(
    condition: Callable[[], T], what: str = "It", seconds: float = PATIENCE_SECONDS
) -> T:
    """Do what :func:`wait_until` does, and let the event loop go on meanwhile."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            pytest.fail(f"{what} did not happen within {seconds:.0f} s.")
        await asyncio.sleep(0.005)
    return found
