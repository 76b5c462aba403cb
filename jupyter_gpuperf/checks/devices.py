"""Checks of each GPU's settings and state, as nvidia-smi reports them."""

from __future__ import annotations

import re
from functools import partial
from shlex import quote
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import gpus
from jupyter_gpuperf.checks.probes.gpus import Gpu
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import unset_advice

BUSY_PERCENT: Final = 50.0
LOWERED_RATIO: Final = 0.98
UUID: Final = re.compile(r"(GPU|MIG)-[0-9a-fA-F-]+(/\d+/\d+)?")

SMI_DOCS: Final = "https://docs.nvidia.com/deploy/nvidia-smi/"

_device_check = partial(check, gpus.reported_gpus, link=SMI_DOCS, seconds=2 * gpus.SMI_SECONDS)


@_device_check(
    label="CUDA_VISIBLE_DEVICES",
    why="A wrong number silently hides all devices after it.",
    expected="Not set, or existing devices, each once.",
    messages=("No CUDA GPUs are available", "CUDA error: invalid device ordinal"),
)
def _visible_devices(machine: Machine, devices: list[Gpu]) -> Outcome:
    value = machine.environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return fine("Not set. All devices are visible: {count}.", count=len(devices))
    entries = [each.strip() for each in value.split(",")] if value else []
    unknown = [each for each in entries if not _is_device(each, devices)]
    if entries in ([], ["-1"], ["NoDevFiles"]):
        steps = unset_advice(machine, "CUDA_VISIBLE_DEVICES")
        return broken("CUDA_VISIBLE_DEVICES={value!r} hides all devices.", value=value, **steps)
    if unknown:
        return broken(
            "CUDA_VISIBLE_DEVICES={value}: there is no device {unknown}; CUDA hides all after it.",
            fix=f"export CUDA_VISIBLE_DEVICES={','.join(each.index for each in devices)}",
            value=value,
            unknown=unknown[0],
        )
    if len(set(entries)) < len(entries):
        return broken(
            "CUDA_VISIBLE_DEVICES={value} lists a device twice, so CUDA finds no GPU.",
            fix=f"export CUDA_VISIBLE_DEVICES={quote(','.join(dict.fromkeys(entries)))}",
            value=value,
        )
    return fine(f"CUDA_VISIBLE_DEVICES={value}")


def _is_device(entry: str, devices: list[Gpu]) -> bool:
    if entry.isdigit():
        return any(each.index == str(int(entry)) for each in devices)
    if entry.startswith("MIG-"):
        return bool(UUID.fullmatch(entry))  # the query does not list MIG instances
    return len(entry) > 4 and any(each.values.get("uuid", "").startswith(entry) for each in devices)


@_device_check(
    label="MIG",
    why="A GPU in MIG mode computes only in its instances. Without one, nothing runs.",
    expected="Off, or with instances.",
    messages=("CUDA error: no CUDA-capable device is detected",),
)
def _mig(machine: Machine, devices: list[Gpu]) -> Outcome:
    split = [each.index for each in devices if each.text("mig.mode.current") == "Enabled"]
    if not split:
        return fine("MIG is off.")
    index, listed = split[0], machine.run(gpus.smi_program(machine), "-L", seconds=gpus.SMI_SECONDS)
    if listed.code == 0 and "MIG" not in listed.out:
        disable = f"sudo nvidia-smi -i {index} -mig 0"
        create = f"sudo nvidia-smi mig -i {index} -cgi 0 -C"
        return broken(
            "GPU {index} is in MIG mode without an instance: nothing can run on it.",
            fix=f"{disable}\n# or create an instance of the whole GPU:\n{create}",
            index=index,
        )
    return fine("GPU {index} is split: each process uses one MIG instance.", index=index)


@_device_check(
    label="Persistence mode",
    why="Without it, the driver deinitializes an idle GPU, and the next program waits for it.",
    expected="On for a GPU that serves notebooks.",
)
def _persistence(machine: Machine, devices: list[Gpu]) -> Outcome:
    off = [each.index for each in devices if each.text("persistence_mode") == "Disabled"]
    if not off:
        return fine("On, or not supported.")
    found = "Off on GPU {off}: the first program on an idle GPU waits for its initialization."
    return fine(found, fix="sudo nvidia-smi -pm 1", off=off)


@_device_check(
    label="Memory errors",
    why="An uncorrected error may have changed weights or results.",
    expected="None.",
    messages=("uncorrectable ECC error encountered",),
)
def _memory_errors(machine: Machine, devices: list[Gpu]) -> Outcome:
    counts = {each.index: each.number("ecc.errors.uncorrected.volatile.total") for each in devices}
    for index, errors in counts.items():
        if errors:
            return broken(
                "GPU {index}: uncorrected memory errors since the driver was loaded: {errors:.0f}.",
                fix=f"sudo nvidia-smi --gpu-reset -i {index}",
                then="Results since then are suspect. If it recurs after a reset, replace the GPU.",
                index=index,
                errors=errors,
            )
    if set(counts.values()) == {None}:
        return not_known("These GPUs do not count memory errors.")
    return fine("None.")


@_device_check(
    label="PCIe link",
    why="With half the lanes, copies to the GPU take twice as long.",
    expected="All lanes of the GPU.",
)
def _pcie_link(machine: Machine, devices: list[Gpu]) -> Outcome:
    links = _pairs(devices, "pcie.link.width.current", "pcie.link.width.max")
    for gpu, lanes, full in links:
        fix = f"sudo lspci -vvv -s {gpu.values.get('pci.bus_id', '')[-10:]} | grep -i lnk"
        if lanes < full:
            return suspect(
                "GPU {index} uses {lanes:.0f} of {full:.0f} PCIe lanes.",
                fix=fix,
                then="Reseat the card, or use a slot with all lanes.",
                index=gpu.index,
                lanes=lanes,
                full=full,
            )
        # An idle device lowers its link speed, so compare the speed only when the device is busy.
        is_busy = gpu.text("pstate") == "P0" and (gpu.number("utilization.gpu") or 0) > 0
        current, newest = gpu.number("pcie.link.gen.current"), gpu.number("pcie.link.gen.max")
        if is_busy and current and newest and current < newest:
            return suspect(
                "GPU {index} runs at PCIe {current:.0f}, but supports PCIe {newest:.0f}.",
                fix=fix,
                then="Check the slot's setting in the firmware.",
                index=gpu.index,
                current=current,
                newest=newest,
            )
    if not links:
        return not_known("These GPUs report no PCIe link.")
    return fine("All PCIe lanes are in use.")


def _pairs(devices: list[Gpu], first: str, second: str) -> list[tuple[Gpu, float, float]]:
    """Return the devices that report both fields, each with the two values."""
    values = [(each, each.number(first), each.number(second)) for each in devices]
    return [(each, a, b) for each, a, b in values if a is not None and b is not None]


@_device_check(
    label="Power limit",
    why="Below the default, the GPU lowers its clocks under load.",
    expected="The default or higher.",
    messages=("SW Power Cap",),
)
def _power_limit(machine: Machine, devices: list[Gpu]) -> Outcome:
    limits = _pairs(devices, "power.limit", "power.default_limit")
    for gpu, limit, default in limits:
        if limit < LOWERED_RATIO * default:
            return suspect(
                "GPU {index} is limited to {limit:.0f} W; the default is {default:.0f} W.",
                fix=f"sudo nvidia-smi -i {gpu.index} -pl {default:.0f}",
                index=gpu.index,
                limit=limit,
                default=default,
            )
    return fine("At the default.") if limits else not_known("These GPUs report no power limit.")


@_device_check(
    label="Compute mode",
    why="In a prohibited or exclusive mode, programs fail at start.",
    expected="Default, or intentionally one process.",
    messages=("all CUDA-capable devices are busy or unavailable",),
)
def _compute_mode(machine: Machine, devices: list[Gpu]) -> Outcome:
    modes = {each.index: each.text("compute_mode") for each in devices}
    for index, mode in modes.items():
        if mode == "Prohibited":
            fix = f"sudo nvidia-smi -i {index} -c DEFAULT"
            return broken("GPU {index} prohibits compute programs.", fix=fix, index=index)
    if exclusive := [index for index, mode in modes.items() if mode == "Exclusive_Process"]:
        return fine("GPU {exclusive}: one process at a time.", exclusive=exclusive)
    return fine("Default.")


@_device_check(
    label="GPU load",
    why="Two programs on one GPU slow each other down, so each of them looks slow.",
    expected="Idle before a measurement.",
)
def _busy(machine: Machine, devices: list[Gpu]) -> Outcome:
    loads = {each.index: each.number("utilization.gpu") for each in devices}
    loads_percent = {index: load for index, load in loads.items() if load is not None}
    if not loads_percent:
        return not_known("These GPUs do not report their load.")
    index, percent = max(loads_percent.items(), key=lambda each: each[1])
    if percent < BUSY_PERCENT:
        return fine("No GPU is busy.")
    idle = [index for index, percent in loads_percent.items() if percent < BUSY_PERCENT]
    return fine(
        "GPU {index} is {percent:.0f} % busy: a measurement would share it.",
        fix=f"export CUDA_VISIBLE_DEVICES={','.join(idle)}" if idle else "",
        index=index,
        percent=percent,
    )
