"""Checks of the host: NUMA placement, CPU clocks, huge pages, swap, and the clock source."""

from __future__ import annotations

import re
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import gpus, limits
from jupyter_gpuperf.checks.probes.machine import Machine

CPU_FOLDER: Final = "/sys/devices/system/cpu"
HUGE_PAGES: Final = "/sys/kernel/mm/transparent_hugepage/enabled"
SWAPPED_BYTES: Final = 256 << 20
PRESSURE_PERCENT: Final = 10.0
SLOW_CLOCKS: Final = frozenset({"hpet", "acpi_pm", "jiffies", "pit"})
DYNAMIC_DRIVERS: Final = ("intel_pstate", "amd-pstate-epp", "amd_pstate_epp")
"""With these drivers, the ``powersave`` governor still raises the clock under load."""
LARGEST_PROCESSES: Final = "ps -eo pid,rss,comm --sort=-rss | head"
NOT_REPORTED: Final = not_known("The system does not report it.")

KERNEL_DOCS: Final = "https://docs.kernel.org/admin-guide"


@check(
    label="CPUs near the GPU",
    why="Copies to the GPU are slower from another CPU's memory.",
    expected="The process may run on its GPU's NUMA node.",
    link=f"{KERNEL_DOCS}/mm/numa_memory_policy.html",
)
def _numa(machine: Machine) -> Outcome:
    addresses = gpus.nvidia_pci_addresses(machine)
    names = machine.listdir("/sys/devices/system/node")
    if not addresses:
        return gpus.NO_GPU
    if len([name for name in names if re.fullmatch(r"node\d+", name)]) < 2:
        return fine("There is one NUMA node.")
    cpus_of_node: dict[str, set[int]] = {}
    for address in addresses:
        folder = f"/sys/bus/pci/devices/{address}"
        node = machine.read(f"{folder}/numa_node") or "-1"
        cpus = limits.parse_cpu_list(machine.read(f"{folder}/local_cpulist") or "")
        if node != "-1" and cpus:
            cpus_of_node.setdefault(node, set()).update(cpus)
    if not cpus_of_node:
        return not_known("The system does not report which CPUs are near the GPU.")
    if any(cpus & limits.allowed_cpus(machine) for cpus in cpus_of_node.values()):
        return fine("The process may run on CPUs near the GPU.")
    node = next(iter(cpus_of_node))
    return suspect(
        "The GPU is on NUMA node {node}, but this process may run only on others.",
        fix=f"numactl --cpunodebind={node} --membind={node} jupyter lab",
        node=node,
    )


@check(
    label="CPU clocks",
    why="The CPU loads data and launches GPU kernels; its clock sets their speed.",
    expected="A governor that raises the clock under load.",
    link=f"{KERNEL_DOCS}/pm/cpufreq.html",
)
def _cpu_governor(machine: Machine) -> Outcome:
    governor = machine.read(f"{CPU_FOLDER}/cpu0/cpufreq/scaling_governor")
    driver = machine.read(f"{CPU_FOLDER}/cpu0/cpufreq/scaling_driver") or ""
    if not governor:
        return not_known("The system does not report it; in a virtual machine, its host decides.")
    if governor == "powersave" and driver not in DYNAMIC_DRIVERS:
        fix = f"echo performance | sudo tee {CPU_FOLDER}/cpu*/cpufreq/scaling_governor"
        return suspect("Governor powersave: the CPUs stay at their lowest clock.", fix=fix)
    return fine(f"{governor} ({driver})")


@check(
    label="Huge pages",
    why="Arrays in huge pages cause fewer TLB misses.",
    expected="madvise or always.",
    link=f"{KERNEL_DOCS}/mm/transhuge.html",
)
def _hugepages(machine: Machine) -> Outcome:
    mode = re.search(r"\[(\w+)\]", machine.read(HUGE_PAGES) or "")
    if mode is None:
        return NOT_REPORTED
    if mode[1] == "never":
        fix = f"echo madvise | sudo tee {HUGE_PAGES}"
        return fine("never: no program gets huge pages.", fix=fix)
    return fine(mode[1])


@check(
    label="Swap",
    why="Swapped-out memory is read back from disk in the middle of a step.",
    expected="No memory of this process is swapped out.",
    link=f"{KERNEL_DOCS}/sysctl/vm.html",
)
def _swap(machine: Machine) -> Outcome:
    swapped = limits.status_bytes(machine, "VmSwap") or 0
    pressure = re.search(r"some .*?avg60=([\d.]+)", machine.read("/proc/pressure/memory") or "")
    percent = float(pressure[1]) if pressure else 0.0
    if swapped > SWAPPED_BYTES:
        return suspect(
            "{mib:.0f} MiB of this process are swapped out.",
            fix=LARGEST_PROCESSES,
            then="Another process needs the memory: stop it, or restart this kernel.",
            mib=swapped / 2**20,
        )
    if percent > PRESSURE_PERCENT:
        found = "Programs waited for memory during {percent:.0f} % of the last minute."
        return suspect(found, fix=LARGEST_PROCESSES, percent=percent)
    info = limits.memory_info(machine)
    total, free = (info.get(name, 0) / 2**30 for name in ("SwapTotal", "SwapFree"))
    if total == 0:
        return fine("There is no swap.")
    found = "{used:.1f} of {total:.1f} GiB used, little or none of it by this process."
    return fine(found, used=total - free, total=total)


@check(
    label="Clock source",
    why="Profilers and progress bars read the time in every step.",
    expected="tsc, or the virtual machine's clock.",
    link="https://docs.kernel.org/timers/timekeeping.html",
)
def _clock_source(machine: Machine) -> Outcome:
    folder = "/sys/devices/system/clocksource/clocksource0"
    source = machine.read(f"{folder}/current_clocksource")
    if not source:
        return NOT_REPORTED
    if source not in SLOW_CLOCKS:
        return fine(source)
    return suspect(
        "{source}: reading the time takes a microsecond or more.",
        fix=f"cat {folder}/available_clocksource\nsudo dmesg | grep -i -e tsc -e clocksource",
        then="The Linux kernel's log says why it does not use the fast clock.",
        source=source,
    )
