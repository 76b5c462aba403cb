"""Rules that detect problems. To add one, write it in the file of its subject and list it in ``RULES`` below.

Rules are pure functions from readings and steps to findings: they use no clock, files or torch. Other packages add
rules through the entry point group ``jupyter_gpuperf.rules``. Each entry point names a tuple of :class:`Rule`.
"""

from __future__ import annotations

from jupyter_gpuperf.plugins import with_additions
from jupyter_gpuperf.rules import (
    communication_bound,
    cpu_quota,
    device_health,
    gpu_contention,
    host_storage,
    idle_memory_holder,
    input_bound,
    launch_bound,
    memory_bandwidth_bound,
    memory_growth,
    memory_nearly_full,
    optimizer_bound,
    out_of_memory,
    periodic_stall,
    power_capped,
    tensor_cores_idle,
    thermal_throttled,
    transfer_bound,
)
from jupyter_gpuperf.rules.judge import judge
from jupyter_gpuperf.rules.rule import Finding, HoldOff, Rule, View
from jupyter_gpuperf.rules.rule_input import (
    Device,
    Process,
    ProcessListing,
    ReadingSeries,
    RuleInput,
)
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.undecided import Undecided, undecided_on

__all__ = [
    "RULES",
    "Device",
    "Finding",
    "HoldOff",
    "Process",
    "ProcessListing",
    "ReadingSeries",
    "Rule",
    "RuleInput",
    "Threshold",
    "Undecided",
    "View",
    "all_rules",
    "judge",
    "undecided_on",
]

RULES: tuple[Rule, ...] = (
    *device_health.ALERTS,
    thermal_throttled.ALERT,
    memory_nearly_full.ALERT,
    *host_storage.ALERTS,
    out_of_memory.RULE,
    thermal_throttled.RULE,
    input_bound.RULE,
    cpu_quota.RULE,
    transfer_bound.RULE,
    launch_bound.RULE,
    optimizer_bound.RULE,
    periodic_stall.RULE,
    gpu_contention.RULE,
    communication_bound.RULE,
    tensor_cores_idle.RULE,
    memory_nearly_full.RULE,
    memory_growth.RULE,
    power_capped.RULE,
    memory_bandwidth_bound.RULE,
    idle_memory_holder.RULE,
)
"""Every rule of this package. Findings of the same severity are listed in this order."""


def all_rules() -> tuple[Rule, ...]:
    """Return the rules of this package and those of other packages.

    Packages that can't be loaded, or that repeat a rule's code, are logged and skipped.
    """
    return with_additions(RULES, "rules", Rule, lambda rule: rule.code)
