"""Suggest how to start the container with the missing flags. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jupyter_gpuperf.checks.probes.gpus import DEVICE_FILES, nvidia_pci_addresses
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


OTHERS: Final = {
    "kubernetes": KUBERNETES,
    "apptainer": {
        "--gpus all": "apptainer exec --nv …",
        "--shm-size=8g": "apptainer exec --bind /dev/shm …",
    },
    "enroot": {
        "--gpus all": "NVIDIA_VISIBLE_DEVICES=all enroot start …\n# or, with Slurm: srun --gpus=1 --container-image=…",
        "--shm-size=8g": "enroot start --mount tmpfs:/dev/shm:x-create=dir,size=8G …",
    },
    "lxc": {
        "--gpus all": "lxc config device add CONTAINER gpu gpu\nlxc config set CONTAINER nvidia.runtime true",
        "--shm-size=8g": "sudo mount -o remount,size=8G /dev/shm",
    },
}
"""Kind of container → Docker's flag → what to do instead."""
HOSTED: Final = {
    "COLAB_RELEASE_TAG": "# Colab: Runtime > Change runtime type > a GPU",
    "KAGGLE_KERNEL_RUN_TYPE": "# Kaggle: Settings > Accelerator > a GPU",
    "SAGEMAKER_APP_TYPE": "# SageMaker: choose an instance type with a GPU, such as ml.g5.xlarge",
    "DATABRICKS_RUNTIME_VERSION": "# Databricks: use a cluster with the ML runtime for GPUs",
    "CODESPACES": "# GitHub Codespaces have no GPUs",
    "REMOTE_CONTAINERS": '# devcontainer.json: "runArgs": ["--gpus", "all", "--shm-size=8g"]',
}
"""Variable of a service or an editor that starts its containers itself → how to get a GPU there."""


def hosted_gpu(machine: Machine) -> str:
    """Return how to get a GPU from the service that runs this container; empty if it is none that is known."""
    return next((how for name, how in HOSTED.items() if machine.environment.get(name)), "")


def start_commands(machine: Machine, *needed: str) -> str:
    """Return the command that starts the container with the needed flags and any other missing ones.

    For Kubernetes, return the lines to add to the pod instead.
    """
    flags = list(dict.fromkeys([*needed, *_missing(machine)]))
    if "--gpus all" in needed and (hosted := hosted_gpu(machine)):
        return hosted
    if (instead := OTHERS.get(container_kind(machine) or "")) is not None:
        return "\n".join(instead[flag] for flag in flags if flag in instead)
    command = f"docker run {' '.join(flags)}"
    if container_kind(machine) == "podman":
        command = command.replace("docker", "podman")
        command = command.replace("--gpus all", "--device nvidia.com/gpu=all")
    compose = "\n".join(f"#   {COMPOSE[flag]}" for flag in flags if flag in COMPOSE)
    return f"{command} …\n# or, in compose.yaml:\n{compose}"


def _missing(machine: Machine) -> Iterator[str]:
    if nvidia_pci_addresses(machine) and not any(map(machine.exists, DEVICE_FILES)):
        yield "--gpus all"
    disk_space = machine.disk_space("/dev/shm")
    if disk_space is not None and disk_space.total_bytes < SMALL_SHARED_MEMORY:
        yield "--shm-size=8g"
