"""What a container was started without, as lines to add. Standard library only."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.checks.probes.gpus import on_the_bus
from jupyter_gpuperf.checks.probes.limits import container
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


def lines_for(machine: Machine, *needed: str) -> str:
    """Return how to start the container with the flags needed, and with whatever else it lacks."""
    flags = list(dict.fromkeys([*needed, *_missing(machine)]))
    if container(machine) == "kubernetes":
        return "\n".join(KUBERNETES[flag] for flag in flags if flag in KUBERNETES)
    program = "podman" if container(machine) == "podman" else "docker"
    words = [
        "--device nvidia.com/gpu=all" if program == "podman" and flag == "--gpus all" else flag
        for flag in flags
    ]
    compose = "\n".join(f"#   {COMPOSE[flag]}" for flag in flags if flag in COMPOSE)
    return f"{program} run {' '.join(words)} …\n# or, in compose.yaml:\n{compose}"


def _missing(machine: Machine) -> list[str]:
    missing = []
    if on_the_bus(machine) and not machine.exists("/dev/nvidiactl"):
        missing.append("--gpus all")
    room = machine.room("/dev/shm")
    if room is not None and room.total_bytes < SMALL_SHARED_MEMORY:
        missing.append("--shm-size=8g")
    return missing
