"""Bounds for what kernels, workers and files report. A value outside of them is refused when it is decoded.

They are far beyond what any training loop or job reaches, but sums and products of values within them stay finite,
and a page can convert them to dates.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A number of things, or an id. The length of an endless dataset is often ``sys.maxsize``."""
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A number without a unit; JSON has no bound, but a float has."""
Bytes = Annotated[float, Meta(ge=0, le=1e18)]
Seconds = Annotated[float, Meta(ge=0, le=1e10)]
"""A duration of up to three centuries."""
UnixSeconds = Annotated[float, Meta(ge=0, le=1e11)]
Time = Annotated[float, Meta(ge=-1e12, le=1e12)]
"""A time in a recording, on any clock."""
Quantity = Annotated[float, Meta(ge=0, le=1e18)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(max_length=500)]
"""A name of a variable, a class or a device; an id."""
Path = Annotated[str, Meta(max_length=4096)]
"""A path, as long as Linux allows."""
