"""Why is it slow? A new diagnosis is one file with a ``RULE``, and its line here.

Pure: a window of readings in, findings out; no clock, no file, no torch. Other packages add theirs through the
entry point group ``jupyter_gpuperf.rules``; each entry point names a tuple of :class:`Rule`.
"""

from __future__ import annotations

from jupyter_gpuperf.diagnose import (
    communication_bound,
    cpu_quota,
    gpu_contention,
    idle_memory_holder,
    input_bound,
    launch_bound,
    memory_bandwidth_bound,
    memory_nearly_full,
    out_of_memory,
    periodic_stall,
    power_capped,
    tensor_cores_idle,
    thermal_throttled,
    transfer_bound,
)
from jupyter_gpuperf.diagnose.declaration import (
    SEVERITIES,
    Confidence,
    Finding,
    Rule,
    Severity,
    Threshold,
)
from jupyter_gpuperf.diagnose.diagnosis import diagnose
from jupyter_gpuperf.diagnose.view import View
from jupyter_gpuperf.diagnose.window import Device, Listing, Process, Series, Steps, Window
from jupyter_gpuperf.plugins import with_additions

__all__ = [
    "RULES",
    "SEVERITIES",
    "Confidence",
    "Device",
    "Finding",
    "Listing",
    "Process",
    "Rule",
    "Series",
    "Severity",
    "Steps",
    "Threshold",
    "View",
    "Window",
    "all_rules",
    "diagnose",
]

RULES: tuple[Rule, ...] = (
    out_of_memory.RULE,
    thermal_throttled.RULE,
    input_bound.RULE,
    cpu_quota.RULE,
    transfer_bound.RULE,
    launch_bound.RULE,
    periodic_stall.RULE,
    gpu_contention.RULE,
    communication_bound.RULE,
    tensor_cores_idle.RULE,
    memory_nearly_full.RULE,
    power_capped.RULE,
    memory_bandwidth_bound.RULE,
    idle_memory_holder.RULE,
)
"""Every rule of this package; at the same severity, what comes first is told first."""


def all_rules() -> tuple[Rule, ...]:
    """Return this package's rules and those of other packages.

    A package that can't be loaded, or that repeats a code, is logged and left out.
    """
    return with_additions(RULES, "rules", Rule, lambda rule: rule.code)
