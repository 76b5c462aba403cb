"""Each GPU's own settings and state, as nvidia-smi shows them."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import gpus as look
from jupyter_gpuperf.checks.probes.gpus import Gpu
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import unset
from jupyter_gpuperf.messages import Message

BUSY_PERCENT: Final = 50.0
LOWERED_RATIO: Final = 0.98
UUID: Final = re.compile(r"(GPU|MIG)-[0-9a-fA-F-]+(/\d+/\d+)?")

SMI: Final = "https://docs.nvidia.com/deploy/nvidia-smi/"

_device_check = partial(check, look.shown_gpus, link=SMI, seconds=2 * look.SECONDS)


@_device_check(
    label="CUDA_VISIBLE_DEVICES",
    why="A number that is not there hides all devices behind it, without a word.",
    expected="Not set, or devices that are there, each once.",
    messages=("No CUDA GPUs are available", "CUDA error: invalid device ordinal"),
)
def _visible_devices(machine: Machine, shown: list[Gpu]) -> Outcome:
    value = machine.environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return fine("Not set: all {shown_count} devices are visible.", shown_count=len(shown))
    entries = [each.strip() for each in value.split(",")] if value else []
    wrong = [each for each in entries if not _names_a_device(each, shown)]
    if entries in ([], ["-1"], ["NoDevFiles"]):
        return broken(
            Message("CUDA_VISIBLE_DEVICES={value!r} hides every device.", value=value),
            **unset(machine, "CUDA_VISIBLE_DEVICES"),
        )
    if wrong:
        return broken(
            "CUDA_VISIBLE_DEVICES={value}: there is no device {wrong}, and CUDA shows none "
            "from there on.",
            fix=f"export CUDA_VISIBLE_DEVICES={','.join(each.index for each in shown)}",
            value=value,
            wrong=wrong[0],
        )
    if len(set(entries)) < len(entries):
        return broken(
            "CUDA_VISIBLE_DEVICES={value} names a device twice, and CUDA shows none then.",
            fix=f"export CUDA_VISIBLE_DEVICES={','.join(dict.fromkeys(entries))}",
            value=value,
        )
    return fine("CUDA_VISIBLE_DEVICES={value}.", value=value)


def _names_a_device(entry: str, shown: list[Gpu]) -> bool:
    if entry.isdigit():
        return any(each.index == str(int(entry)) for each in shown)
    if entry.startswith("MIG-"):
        return bool(UUID.fullmatch(entry))  # this query does not list MIG instances
    return len(entry) > 4 and any(each.values.get("uuid", "").startswith(entry) for each in shown)


@_device_check(
    label="Split devices (MIG)",
    why="A device in MIG mode computes in its instances alone; without one, nothing runs.",
    expected="Off, or with instances.",
    messages=("CUDA error: no CUDA-capable device is detected",),
)
def _mig(machine: Machine, shown: list[Gpu]) -> Outcome:
    split = [each for each in shown if each.word("mig.mode.current") == "Enabled"]
    if not split:
        return fine("No device is split.")
    listed = machine.run("nvidia-smi", "-L", seconds=look.SECONDS)
    if listed.code == 0 and "MIG" not in listed.out:
        return broken(
            "GPU {index} is in MIG mode, and has no instance: nothing can compute on it.",
            fix=f"sudo nvidia-smi -i {split[0].index} -mig 0\n# or make an instance of all of it:\nsudo nvidia-smi mig -i {split[0].index} -cgi 0 -C",
            index=split[0].index,
        )
    return fine(
        "GPU {index} is split into instances: a process uses one of them alone.",
        index=split[0].index,
    )


@_device_check(
    label="Persistence",
    why="Without it the driver lets an idle device go, and the next program waits until it is up again.",
    expected="On, where the device serves notebooks.",
)
def _persistence(machine: Machine, shown: list[Gpu]) -> Outcome:
    off = [each for each in shown if each.word("persistence_mode") == "Disabled"]
    if not off:
        return fine("On, or not a thing of these devices.")
    return fine(
        "Off on GPU {off}: the first program on an idle device waits for it to start.",
        fix="sudo nvidia-smi -pm 1",
        off=", ".join(each.index for each in off),
    )


@_device_check(
    label="Memory errors",
    why="An error that could not be corrected may have changed weights or results.",
    expected="None.",
    messages=("uncorrectable ECC error encountered",),
)
def _memory_errors(machine: Machine, shown: list[Gpu]) -> Outcome:
    field = "ecc.errors.uncorrected.volatile.total"
    counted = [(each, count) for each in shown if (count := each.number(field)) is not None]
    for each, count in counted:
        if count > 0:
            return broken(
                "GPU {index} had {value:.0f} memory errors that could not be corrected since "
                "it started.",
                fix=f"sudo nvidia-smi --gpu-reset -i {each.index}",
                then="Results since then are not to be trusted. If they come back after a reset, have the device replaced.",
                index=each.index,
                value=count,
            )
    return fine("None.") if counted else not_known("These devices do not count memory errors.")


@_device_check(
    label="PCIe link",
    why="With half the lanes, copies to the device take twice as long.",
    expected="All lanes that the device has.",
)
def _pcie_link(machine: Machine, shown: list[Gpu]) -> Outcome:
    known = _pairs(shown, "pcie.link.width.current", "pcie.link.width.max")
    for each, width, most in known:
        fix = f"sudo lspci -vvv -s {each.values.get('pci.bus_id', '')[-10:]} | grep -i lnk"
        if width < most:
            return suspect(
                "GPU {index} has {width:.0f} of {most:.0f} lanes.",
                fix=fix,
                then="Seat the card again, or move it into a slot with all lanes.",
                index=each.index,
                width=width,
                most=most,
            )
        generation, newest = each.number("pcie.link.gen.current"), each.number("pcie.link.gen.max")
        # An idle device uses a slower link; the link speed is meaningful only at full clocks.
        at_work = each.word("pstate") == "P0" and (each.number("utilization.gpu") or 0) > 0
        if generation and newest and generation < newest and at_work:
            return suspect(
                "GPU {index} works at PCIe {generation:.0f}; it could at {newest:.0f}.",
                fix=fix,
                then="See the firmware's setting of the slot.",
                index=each.index,
                generation=generation,
                newest=newest,
            )
    if known:
        return fine("As wide as it can be.")
    return not_known("These devices have no PCIe link to be seen.")


def _pairs(shown: list[Gpu], first: str, second: str) -> list[tuple[Gpu, float, float]]:
    """Return the devices that report both figures, each with the two values."""
    told = [(each, each.number(first), each.number(second)) for each in shown]
    return [(each, a, b) for each, a, b in told if a is not None and b is not None]


@_device_check(
    label="Power limit",
    why="Below its default the device lowers its clocks under load.",
    expected="The default, or above.",
    messages=("SW Power Cap",),
)
def _power_limit(machine: Machine, shown: list[Gpu]) -> Outcome:
    known = _pairs(shown, "power.limit", "power.default_limit")
    for each, limit, default in known:
        if limit < LOWERED_RATIO * default:
            return suspect(
                "GPU {index} is limited to {limit:.0f} W; its default is {default:.0f} W.",
                fix=f"sudo nvidia-smi -i {each.index} -pl {default:.0f}",
                index=each.index,
                limit=limit,
                default=default,
            )
    return fine("At the default.") if known else not_known("These devices tell no power limit.")


@_device_check(
    label="Compute mode",
    why="A mode that forbids or reserves computing makes programs fail at their start.",
    expected="Default, or one process on purpose.",
    messages=("all CUDA-capable devices are busy or unavailable",),
)
def _compute_mode(machine: Machine, shown: list[Gpu]) -> Outcome:
    for each in shown:
        if each.word("compute_mode") == "Prohibited":
            return broken(
                "GPU {index} is set to let nothing compute.",
                fix=f"sudo nvidia-smi -i {each.index} -c DEFAULT",
                index=each.index,
            )
    exclusive = [each.index for each in shown if each.word("compute_mode") == "Exclusive_Process"]
    if exclusive:
        return fine("GPU {exclusive} takes one process at a time.", exclusive=", ".join(exclusive))
    return fine("Open to all.")


@_device_check(
    label="At work now",
    why="Two programs on one device slow each other down, and each looks slow by itself.",
    expected="Idle, before something is measured.",
)
def _busy(machine: Machine, shown: list[Gpu]) -> Outcome:
    loads = [(each, load) for each in shown if (load := each.number("utilization.gpu")) is not None]
    busy = [(each, load) for each, load in loads if load >= BUSY_PERCENT]
    if not loads:
        return not_known("These devices do not tell how busy they are.")
    if not busy:
        return fine("No device is at work now.")
    device, load = busy[0]
    idle = [each.index for each, load in loads if load < BUSY_PERCENT]
    return fine(
        "GPU {index} is {load:.0f} % busy now: what is measured on it meanwhile shares it.",
        fix=f"export CUDA_VISIBLE_DEVICES={','.join(idle)}" if idle else "",
        index=device.index,
        load=load,
    )
