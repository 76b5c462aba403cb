"""Choose options of torch's profiler. This module uses only the standard library."""

from __future__ import annotations

import inspect
from typing import Any


def keeping_events(profile: Any) -> dict[str, bool]:
    """Return the options for ``torch.profiler.profile`` that make it keep its events, without a warning."""
    # Since torch 2.6, the profiler warns that it drops events. Older versions don't have the option.
    known = "acc_events" in inspect.signature(profile).parameters
    return {"acc_events": True} if known else {}
