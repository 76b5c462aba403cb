"""Read the limits that a container or a service manager sets for the examined process. Standard library only."""

from __future__ import annotations

import re
from pathlib import Path

from jupyter_gpuperf import cgroup
from jupyter_gpuperf.checks.probes.machine import Machine

CONTAINERS = (("docker", "/.dockerenv"), ("podman", "/run/.containerenv"))
KUBERNETES = "/var/run/secrets/kubernetes.io"


def container_kind(machine: Machine) -> str | None:
    """Return ``docker``, ``podman``, ``kubernetes``, or ``container`` for other kinds; ``None`` outside a container."""
    if machine.environment.get("KUBERNETES_SERVICE_HOST") or machine.exists(KUBERNETES):
        return "kubernetes"
    for kind, mark in CONTAINERS:
        if machine.exists(mark):
            return kind
    if re.search(r"docker|containerd|kubepods|libpod|lxc", machine.read("/proc/1/cgroup") or ""):
        return "container"
    # Some container runtimes set this variable.
    return "container" if machine.environment.get("container") else None


def _line(machine: Machine, file: str, pattern: str) -> re.Match[str] | None:
    """Return the first match of ``pattern`` at the start of a line of ``/proc/<pid>/<file>``.

    ``None`` without a match.
    """
    text = machine.read(f"/proc/{machine.pid}/{file}") or ""
    return re.search(rf"^{pattern}", text, re.MULTILINE)


def cgroup_folders(machine: Machine) -> list[Path]:
    """Return the folders of the process's control group and its ancestors, innermost first."""
    top = machine.actual_path(cgroup.CGROUP)
    line = _line(machine, "cgroup", r"0::(/.*)$")
    inner = top / (line[1].strip("/") if line else "")
    above = [each for each in (inner, *inner.parents) if each == top or top in each.parents]
    return [each for each in above if each.exists()] or [top]


def cpu_quota(machine: Machine) -> float | None:
    """Return the smallest CPU quota of the process's control groups, in CPUs; ``None`` if there is none."""
    quotas = [cgroup.cpu_quota(each) for each in cgroup_folders(machine)] + _old_quotas(machine)
    return min((quota for quota in quotas if quota is not None), default=None)


def _old_quotas(machine: Machine) -> list[float | None]:
    """Return the CPU quotas of the cgroup v1 hierarchy, from the process's group upwards.

    ``None`` for groups without one.
    """
    line = _line(machine, "cgroup", r"\d+:(?:cpu|cpu,cpuacct|cpuacct,cpu):(/.*)$")
    own = Path((line[1] if line else "/").lstrip("/"))
    quotas: list[float | None] = []
    for inner in (own, *own.parents):
        folder = cgroup.CGROUP / "cpu" / inner
        quota_us = machine.read(folder / "cpu.cfs_quota_us")
        period_us = machine.read(folder / "cpu.cfs_period_us")
        if quota_us and period_us and int(quota_us) > 0:
            quotas.append(int(quota_us) / int(period_us))
    return quotas


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
