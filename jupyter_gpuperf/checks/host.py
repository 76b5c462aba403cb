"""Checks of the machine: NUMA placement, CPU clocks, huge pages, swap, and the clock source."""

from __future__ import annotations

import re
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import gpus as look
from jupyter_gpuperf.checks.probes import limits
from jupyter_gpuperf.checks.probes.machine import Machine

CPUS: Final = "/sys/devices/system/cpu"
SWAPPED_BYTES: Final = 256 << 20
PRESSURE_PERCENT: Final = 10.0
SLOW_CLOCKS: Final = frozenset({"hpet", "acpi_pm", "jiffies", "pit"})
RAISES_ITSELF: Final = ("intel_pstate", "amd-pstate-epp", "amd_pstate_epp")
"""With these drivers the `powersave` governor still raises the clock under load."""


KERNEL: Final = "https://docs.kernel.org/admin-guide"


@check(
    label="Processors near the GPU",
    why="From another processor's memory, copies to the device are slower.",
    expected="The process may run on the node of its GPU.",
    link=f"{KERNEL}/mm/numa_memory_policy.html",
)
def _numa(machine: Machine) -> Outcome:
    devices = look.on_the_bus(machine)
    names = machine.names("/sys/devices/system/node")
    nodes = [name for name in names if re.fullmatch(r"node\d+", name)]
    if not devices:
        return not_known("There is no NVIDIA GPU to be seen here.")
    if len(nodes) < 2:
        return fine("One node: every processor is as near.")
    allowed = limits.allowed_cpus(machine)
    near: list[tuple[str, set[int]]] = []
    for device in devices:
        node = machine.text(f"/sys/bus/pci/devices/{device}/numa_node") or "-1"
        own = limits.parse_cpu_list(
            machine.text(f"/sys/bus/pci/devices/{device}/local_cpulist") or ""
        )
        if node != "-1" and own:
            near.append((node, own))
    if not near:
        return not_known("The system does not tell which processors are near the device.")
    if any(own & allowed for _, own in near):
        return fine("The process may run on processors near the device.")
    node = near[0][0]
    return suspect(
        "The device is at node {node}, and this process may run on processors of other "
        "nodes alone.",
        fix=f"numactl --cpunodebind={node} --membind={node} jupyter lab",
        node=node,
    )


@check(
    label="Processor clocks",
    why="Loading data and launching kernels is the processor's work, at the clock it is given.",
    expected="A governor that raises the clock under load.",
    link=f"{KERNEL}/pm/cpufreq.html",
)
def _cpu_governor(machine: Machine) -> Outcome:
    first = f"{CPUS}/cpu0/cpufreq"
    governor = machine.text(f"{first}/scaling_governor")
    driver = machine.text(f"{first}/scaling_driver") or ""
    if not governor:
        return not_known("The system does not tell; in a virtual machine its host decides.")
    if governor == "powersave" and driver not in RAISES_ITSELF:
        return suspect(
            "{governor}: the processors stay at their lowest clock.",
            fix=f"echo performance | sudo tee {CPUS}/cpu*/cpufreq/scaling_governor",
            governor=governor,
        )
    return fine(f"{governor} ({driver}).", governor=governor, driver=driver)


@check(
    label="Large pages",
    why="Arrays in large pages take fewer look-ups.",
    expected="madvise or always.",
    link=f"{KERNEL}/mm/transhuge.html",
)
def _hugepages(machine: Machine) -> Outcome:
    text = machine.text("/sys/kernel/mm/transparent_hugepage/enabled") or ""
    found = re.search(r"\[(\w+)\]", text)
    if found is None:
        return not_known("The system does not tell.")
    if found[1] == "never":
        return fine(
            "never: programs that ask for large pages get small ones.",
            fix="echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
        )
    return fine(f"{found[1]}.", value=found[1])


@check(
    label="Swap",
    why="What was swapped out comes back from the disk in the middle of a step.",
    expected="Nothing of this process.",
    link=f"{KERNEL}/sysctl/vm.html",
)
def _swap(machine: Machine) -> Outcome:
    swapped = limits.status_bytes(machine, "VmSwap") or 0
    pressure = re.search(r"some .*?avg60=([\d.]+)", machine.text("/proc/pressure/memory") or "")
    if swapped > SWAPPED_BYTES:
        return suspect(
            "{swapped:.0f} MiB of this process are swapped out.",
            fix="ps -eo pid,rss,comm --sort=-rss | head",
            then="Something else needs the memory: end it, or restart this kernel.",
            swapped=swapped / 2**20,
        )
    if pressure and float(pressure[1]) > PRESSURE_PERCENT:
        return suspect(
            "Programs waited for memory {pressure:.0f} % of the last minute.",
            fix="ps -eo pid,rss,comm --sort=-rss | head",
            pressure=float(pressure[1]),
        )
    info = limits.memory_info(machine)
    total, free = info.get("SwapTotal", 0), info.get("SwapFree", 0)
    if total == 0:
        return fine("There is no swap.")
    return fine(
        "{total:.1f} of {total_2:.1f} GiB in use, none of it by this process.",
        total=(total - free) / 2**30,
        total_2=total / 2**30,
    )


@check(
    label="Clock",
    why="Profilers and progress bars read the time at every step.",
    expected="tsc, or the clock of the virtual machine.",
    link="https://docs.kernel.org/timers/timekeeping.html",
)
def _clock_source(machine: Machine) -> Outcome:
    folder = "/sys/devices/system/clocksource/clocksource0"
    source = machine.text(f"{folder}/current_clocksource")
    if not source:
        return not_known("The system does not tell.")
    if source in SLOW_CLOCKS:
        return suspect(
            "{source}: reading the time takes a microsecond and more.",
            fix=f"cat {folder}/available_clocksource\nsudo dmesg | grep -i -e tsc -e clocksource",
            then="The kernel says there why it gave up the fast clock.",
            source=source,
        )
    return fine(f"{source}.", source=source)
