"""Cells of watched notebooks: their reports, and their time spans for charts."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from jupyter_gpuperf.schemas import bounds
from jupyter_gpuperf.schemas.bounds import Count, Time, UnixSeconds


class CellRan(Struct, frozen=True, kw_only=True, tag="cell"):
    """Report that a cell of a watched notebook has ended. The server answers with a :class:`Footprint`."""

    kernel_id: bounds.Name | None
    notebook_path: bounds.Path | None
    number: Count
    began_seconds: UnixSeconds
    ended_seconds: UnixSeconds
    device_uuids: Annotated[list[bounds.Name], Meta(max_length=64)]
    """Devices on which the notebook holds memory."""


class Footprint(Struct, frozen=True, kw_only=True, tag="footprint"):
    """The GPU usage of a cell; ``None`` for values without a reading in that time."""

    number: int
    busy_percent: float | None
    busy_metric: str | None
    energy_joules: float | None


class CellMark(Struct, frozen=True, kw_only=True):
    """The time span of a cell, for charts."""

    number: Count
    began_seconds: Time
    ended_seconds: Time
