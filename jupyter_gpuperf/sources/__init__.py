"""Where readings come from: a real driver, a recording, or a reason why there is none."""

from __future__ import annotations

from pathlib import Path

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.sources.absent import AbsentSource
from jupyter_gpuperf.sources.auto import AutoSource
from jupyter_gpuperf.sources.nvml import NvmlSource
from jupyter_gpuperf.sources.replay import ReplaySource
from jupyter_gpuperf.sources.source import DriverProcess, DriverProcesses, Readings, Source

__all__ = ["DriverProcess", "DriverProcesses", "Readings", "Source", "source_from"]


def source_from(setting: str, metrics: tuple[Metric, ...]) -> Source:
    """Build the source that ``c.GpuPerf.source`` names.

    Parameters
    ----------
    setting
        ``auto``, ``nvml``, ``none``, or ``replay:FILE[,FILE…]`` (each file one device).

    Raises
    ------
    BadRequest
        ``unknown_source``: the setting is none of these.
    """
    if setting == "auto":
        return AutoSource(NvmlSource(metrics))
    if setting == "nvml":
        return NvmlSource(metrics)
    if setting == "none":
        return AbsentSource.by_setting(metrics)
    kind, _, files = setting.partition(":")
    if kind == "replay" and files:
        return ReplaySource([Path(name) for name in files.split(",") if name], metrics)
    raise BadRequest(
        "unknown_source",
        f"The source {setting!r} is unknown.",
        "Set c.GpuPerf.source to auto, nvml, none or replay:FILE[,FILE…].",
    )
