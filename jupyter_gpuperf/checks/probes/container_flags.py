"""Suggest how to start the container with the missing flags. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jupyter_gpuperf.checks.probes.gpus import nvidia_pci_addresses
from jupyter_gpuperf.checks.probes.limits import container_kind
from jupyter_gpuperf.checks.probes.machine import Machine

SMALL_SHARED_MEMORY: Final = 1 << 30
COMPOSE: Final = {
    "--gpus all": "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: all, capabilities: [gpu]}]}}}",
    "--shm-size=8g": 'shm_size: "8gb"',
    "--ulimit memlock=-1": "ulimits: {memlock: -1}",
}
KUBERNETES: Final = {
    "--gpus all": "resources: {limits: {nvidia.com/gpu: 1}}",
    "--shm-size=8g": (
        "volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 8Gi}}]\n"
        "volumeMounts: [{name: shm, mountPath: /dev/shm}]"
    ),
}


def start_commands(machine: Machine, *needed: str) -> str:
    """Return the command that starts the container with the needed flags and any other missing ones.

    For Kubernetes, return the lines to add to the pod instead.
    """
    flags = list(dict.fromkeys([*needed, *_missing(machine)]))
    if container_kind(machine) == "kubernetes":
        return "\n".join(KUBERNETES[flag] for flag in flags if flag in KUBERNETES)
    command = f"docker run {' '.join(flags)}"
    if container_kind(machine) == "podman":
        command = command.replace("docker", "podman")
        command = command.replace("--gpus all", "--device nvidia.com/gpu=all")
    compose = "\n".join(f"#   {COMPOSE[flag]}" for flag in flags if flag in COMPOSE)
    return f"{command} …\n# or, in compose.yaml:\n{compose}"


def _missing(machine: Machine) -> Iterator[str]:
    if nvidia_pci_addresses(machine) and not machine.exists("/dev/nvidiactl"):
        yield "--gpus all"
    disk_space = machine.disk_space("/dev/shm")
    if disk_space is not None and disk_space.total_bytes < SMALL_SHARED_MEMORY:
        yield "--shm-size=8g"
