"""What torch's profiler must be told. Standard library only."""

from __future__ import annotations

import inspect
from typing import Any


def keeping_events(profile: Any) -> dict[str, bool]:  # torch's class
    """Return the options with which a profile keeps what it saw, and does not warn."""
    # From torch 2.6 on it warns that it forgets them; before, there is no such option.
    known = "acc_events" in inspect.signature(profile).parameters
    return {"acc_events": True} if known else {}
