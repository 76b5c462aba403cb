"""Read the limits that a container or a service manager sets for the examined process. Standard library only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from jupyter_gpuperf import cgroup
from jupyter_gpuperf.checks.probes.machine import Machine

CONTAINERS: Final = (
    ("kubernetes", ("KUBERNETES_SERVICE_HOST",), ("/var/run/secrets/kubernetes.io",)),
    ("apptainer", ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"), ("/.singularity.d",)),
    ("enroot", ("ENROOT_ROOTFS", "PYXIS_VERSION"), ("/etc/enroot.d", "/.enroot")),
    ("docker", (), ("/.dockerenv",)),
    ("podman", (), ("/run/.containerenv",)),
)
"""Kind of container, the variables and the files that show it."""

CONTAINER_NAMES: Final = {
    "docker": "docker",
    "podman": "podman",
    "libpod": "podman",
    "kubepods": "kubernetes",
    "kubelet": "kubernetes",
    "lxc": "lxc",
    "lxd": "lxc",
    "systemd-nspawn": "container",
    "containerd": "container",
    "containers/storage": "podman",
    "oci": "container",
}
"""How files and the variable ``container`` name a kind."""
NAMED: Final = re.compile("|".join(CONTAINER_NAMES))


def container_kind(machine: Machine) -> str | None:
    """Return the kind of container, ``container`` for those not in :data:`CONTAINERS`; ``None`` outside a container."""
    for kind, variables, files in CONTAINERS:
        if any(map(machine.environment.get, variables)) or any(map(machine.exists, files)):
            return kind
    named = (
        machine.read("/proc/1/cgroup"),
        machine.read("/run/systemd/container"),
        machine.environment.get("container"),
        _root_mount(machine),  # with version 2, a container's control group is "/"
    )
    found = next(filter(None, (NAMED.search(text or "") for text in named)), None)
    if found is None:  # another runtime may set this variable
        return "container" if machine.environment.get("container") else None
    return CONTAINER_NAMES[found[0]]


def _root_mount(machine: Machine) -> str:
    """Return how the root folder is mounted if it consists of layers, as in a container."""
    line = _line(machine, "mountinfo", r"\S+ \S+ \S+ \S+ / .* - overlay .*$")
    return line[0] if line else ""


def _line(machine: Machine, file: str, pattern: str) -> re.Match[str] | None:
    """Return the first match of ``pattern`` at the start of a line of ``/proc/<pid>/<file>``.

    ``None`` without a match.
    """
    text = machine.read(f"/proc/{machine.pid}/{file}") or ""
    return re.search(rf"^{pattern}", text, re.MULTILINE)


def _cgroup(machine: Machine) -> tuple[Path, Path]:
    """Return where the control groups are mounted, and the file that names those of the process."""
    own = machine.actual_path(f"/proc/{machine.pid}/cgroup")
    return machine.actual_path(cgroup.CGROUP), own


def cpu_quota(machine: Machine) -> float | None:
    """Return the smallest CPU quota of the process's control groups, in CPUs; ``None`` if there is none."""
    return cgroup.cpu_quota(*_cgroup(machine))


def memory_limit(machine: Machine) -> tuple[int, int] | None:
    """Return the limit and the used memory of the process's control group that is closest to its limit, in bytes."""
    return cgroup.tightest_memory(*_cgroup(machine))


def allowed_cpus(machine: Machine) -> set[int]:
    """Return the numbers of the CPUs that the process may run on."""
    line = _line(machine, "status", r"Cpus_allowed_list:\s*(\S+)$")
    return parse_cpu_list(line[1]) if line else set(range(machine.cpu_count))


def usable_cpus(machine: Machine) -> float:
    """Return how many CPUs the process can use: the smaller of its affinity and its quota, which may be fractional."""
    quota = cpu_quota(machine)
    count = len(allowed_cpus(machine)) or machine.cpu_count
    return min(count, quota) if quota else float(count)


def parse_cpu_list(text: str) -> set[int]:
    """Parse a CPU list such as ``0-3,8``."""
    ranges = re.findall(r"(\d+)(?:-(\d+))?", text)
    return {cpu for first, last in ranges for cpu in range(int(first), int(last or first) + 1)}


def process_limit(machine: Machine, name: str) -> tuple[float, float] | None:
    """Return a soft and a hard limit from /proc/<pid>/limits: ``inf`` if there is no limit, ``None`` if unreadable."""
    line = _line(machine, "limits", rf"{name}\s+(\S+)\s+(\S+)")
    if line is None:
        return None
    soft, hard = (float(each.replace("unlimited", "inf")) for each in line.groups())
    return soft, hard


def status_bytes(machine: Machine, name: str) -> int | None:
    """Return a size in bytes from /proc/<pid>/status; ``None`` if there is no such entry."""
    line = _line(machine, "status", rf"{name}:\s*(\d+) kB")
    return 1024 * int(line[1]) if line else None


def memory_info(machine: Machine) -> dict[str, int]:
    """Return the entries of /proc/meminfo, in bytes."""
    lines = re.findall(r"^(\w+):\s*(\d+) kB", machine.read("/proc/meminfo") or "", re.MULTILINE)
    return {name: 1024 * int(number) for name, number in lines}
