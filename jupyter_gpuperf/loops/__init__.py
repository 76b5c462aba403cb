"""The step clock: measure inside a notebook what its training loops wait for, at a negligible cost.

It runs in the kernel and does not import torch. :mod:`loop_watch` decides which loaders are watched, :mod:`patch` and
:mod:`clock` run at each batch, and :mod:`idle_timer` times the device. :mod:`tallies` and :mod:`telemetry` report to
the server.
"""

from jupyter_gpuperf.loops.loop_watch import LoopWatch
from jupyter_gpuperf.loops.telemetry import TelemetryThread

__all__ = ["LoopWatch", "TelemetryThread"]
