"""Options of torch's profiler. Standard library only."""

from __future__ import annotations

import inspect
from typing import Any


def keeping_events(profile: Any) -> dict[str, bool]:  # torch's class
    """Return the options that make a profile keep its events, without a warning."""
    # From torch 2.6 on it warns that it drops them; older versions lack the option.
    known = "acc_events" in inspect.signature(profile).parameters
    return {"acc_events": True} if known else {}
