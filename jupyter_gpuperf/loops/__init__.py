"""The step clock: what a notebook's training loops wait for, seen from inside, at a price nobody notices.

Runs in the kernel; imports no torch. :mod:`watching` says what is watched, :mod:`patch` and :mod:`clock` do what is
done at each batch, :mod:`events` times the device, :mod:`tallies` and :mod:`telemetry` take it to the server.
"""

from jupyter_gpuperf.loops.telemetry import TelemetryThread
from jupyter_gpuperf.loops.watching import Watching

__all__ = ["TelemetryThread", "Watching"]
