"""The step clock: measure from inside what a notebook's training loops wait for, at a cost nobody notices.

It runs in the kernel and does not import torch. :mod:`watching` decides what is watched, :mod:`patch` and :mod:`clock`
run at each batch, :mod:`events` times the device, :mod:`tallies` and :mod:`telemetry` report to the server.
"""

from jupyter_gpuperf.loops.telemetry import TelemetryThread
from jupyter_gpuperf.loops.watching import LoaderWatch

__all__ = ["LoaderWatch", "TelemetryThread"]
