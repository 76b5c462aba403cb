"""Each GPU's own settings and state, as nvidia-smi shows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.doctor.declaration import Check, Outcome, broken, fine, not_known, suspect
from jupyter_gpuperf.doctor.looking import gpus as look
from jupyter_gpuperf.doctor.looking.gpus import Gpu
from jupyter_gpuperf.doctor.looking.machine import Machine
from jupyter_gpuperf.doctor.looking.unset import unset

BUSY_PERCENT: Final = 50.0
LOWERED_RATIO: Final = 0.98
UUID: Final = re.compile(r"(GPU|MIG)-[0-9a-fA-F-]+(/\d+/\d+)?")

Looks = Callable[[Machine, list[Gpu]], Outcome]


def _with_devices(looks: Looks) -> Callable[[Machine], Outcome]:
    def run(machine: Machine) -> Outcome:
        shown = look.gpus(machine)
        return looks(machine, shown) if shown else not_known("nvidia-smi shows no GPU here.")

    return run


def _visible(machine: Machine, shown: list[Gpu]) -> Outcome:
    value = machine.environment.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return fine(f"Not set: all {len(shown)} devices are visible.")
    entries = [each.strip() for each in value.split(",")] if value else []
    wrong = [each for each in entries if not _names_a_device(each, shown)]
    if not entries or entries == ["-1"] or entries == ["NoDevFiles"]:
        return broken(
            f"CUDA_VISIBLE_DEVICES={value!r} hides every device.",
            **unset(machine, "CUDA_VISIBLE_DEVICES"),
        )
    if wrong:
        return broken(
            f"CUDA_VISIBLE_DEVICES={value}: there is no device {wrong[0]}, and CUDA shows none from there on.",
            fix=f"export CUDA_VISIBLE_DEVICES={','.join(each.index for each in shown)}",
        )
    if len(set(entries)) < len(entries):
        return broken(
            f"CUDA_VISIBLE_DEVICES={value} names a device twice, and CUDA shows none then.",
            fix=f"export CUDA_VISIBLE_DEVICES={','.join(dict.fromkeys(entries))}",
        )
    return fine(f"CUDA_VISIBLE_DEVICES={value}.")


def _names_a_device(entry: str, shown: list[Gpu]) -> bool:
    if entry.isdigit():
        return any(each.index == str(int(entry)) for each in shown)
    if entry.startswith("MIG-"):
        return bool(UUID.fullmatch(entry))  # instances are not listed by this query
    return len(entry) > 4 and any(each.values.get("uuid", "").startswith(entry) for each in shown)


def _mig(machine: Machine, shown: list[Gpu]) -> Outcome:
    split = [each for each in shown if each.word("mig.mode.current") == "Enabled"]
    if not split:
        return fine("No device is split.")
    listed = machine.run("nvidia-smi", "-L", seconds=look.SECONDS)
    if listed.code == 0 and "MIG" not in listed.out:
        return broken(
            f"GPU {split[0].index} is in MIG mode, and has no instance: nothing can compute on it.",
            fix=f"sudo nvidia-smi -i {split[0].index} -mig 0\n# or make an instance of all of it:\nsudo nvidia-smi mig -i {split[0].index} -cgi 0 -C",
        )
    return fine(f"GPU {split[0].index} is split into instances: a process uses one of them alone.")


def _persistence(machine: Machine, shown: list[Gpu]) -> Outcome:
    off = [each for each in shown if each.word("persistence_mode") == "Disabled"]
    if not off:
        return fine("On, or not a thing of these devices.")
    return fine(
        f"Off on GPU {', '.join(each.index for each in off)}: the first program on an idle device waits for it to start.",
        fix="sudo nvidia-smi -pm 1",
    )


def _ecc(machine: Machine, shown: list[Gpu]) -> Outcome:
    field = "ecc.errors.uncorrected.volatile.total"
    counted = [(each, count) for each in shown if (count := each.number(field)) is not None]
    for each, count in counted:
        if count > 0:
            return broken(
                f"GPU {each.index} had {count:.0f} memory errors that could not be corrected since it started.",
                fix=f"sudo nvidia-smi --gpu-reset -i {each.index}",
                then="Results since then are not to be trusted. If they come back after a reset, have the device replaced.",
            )
    return fine("None.") if counted else not_known("These devices do not count memory errors.")


def _link(machine: Machine, shown: list[Gpu]) -> Outcome:
    known = False
    for each in shown:
        width, most = each.number("pcie.link.width.current"), each.number("pcie.link.width.max")
        if width is None or most is None:
            continue
        known = True
        if width < most:
            return suspect(
                f"GPU {each.index} has {width:.0f} of {most:.0f} lanes.",
                fix=f"sudo lspci -vvv -s {each.values.get('pci.bus_id', '')[-10:]} | grep -i lnk",
                then="Seat the card again, or move it into a slot with all lanes.",
            )
        generation, newest = each.number("pcie.link.gen.current"), each.number("pcie.link.gen.max")
        # An idle device rests at a slower link; only at full clocks does it tell.
        if (
            generation
            and newest
            and generation < newest
            and each.word("pstate") == "P0"
            and (each.number("utilization.gpu") or 0) > 0
        ):
            return suspect(
                f"GPU {each.index} works at PCIe {generation:.0f}; it could at {newest:.0f}.",
                fix=f"sudo lspci -vvv -s {each.values.get('pci.bus_id', '')[-10:]} | grep -i lnk",
                then="See the firmware's setting of the slot.",
            )
    return (
        fine("As wide as it can be.")
        if known
        else not_known("These devices have no PCIe link to be seen.")
    )


def _power(machine: Machine, shown: list[Gpu]) -> Outcome:
    known = False
    for each in shown:
        limit, default = each.number("power.limit"), each.number("power.default_limit")
        if limit is None or default is None:
            continue
        known = True
        if limit < LOWERED_RATIO * default:
            return suspect(
                f"GPU {each.index} is limited to {limit:.0f} W; its default is {default:.0f} W.",
                fix=f"sudo nvidia-smi -i {each.index} -pl {default:.0f}",
            )
    return fine("At the default.") if known else not_known("These devices tell no power limit.")


def _compute_mode(machine: Machine, shown: list[Gpu]) -> Outcome:
    for each in shown:
        if each.word("compute_mode") == "Prohibited":
            return broken(
                f"GPU {each.index} is set to let nothing compute.",
                fix=f"sudo nvidia-smi -i {each.index} -c DEFAULT",
            )
    exclusive = [each.index for each in shown if each.word("compute_mode") == "Exclusive_Process"]
    if exclusive:
        return fine(f"GPU {', '.join(exclusive)} takes one process at a time.")
    return fine("Open to all.")


def _busy(machine: Machine, shown: list[Gpu]) -> Outcome:
    loads = [(each, load) for each in shown if (load := each.number("utilization.gpu")) is not None]
    busy = [(each, load) for each, load in loads if load >= BUSY_PERCENT]
    if not loads:
        return not_known("These devices do not tell how busy they are.")
    if not busy:
        return fine("No device is at work now.")
    device, load = busy[0]
    idle = [each.index for each, load in loads if load < BUSY_PERCENT]
    sentence = (
        f"GPU {device.index} is {load:.0f} % busy now: what is measured on it meanwhile shares it."
    )
    if idle:
        return fine(sentence, fix=f"export CUDA_VISIBLE_DEVICES={','.join(idle)}")
    return fine(sentence)


SMI: Final = "https://docs.nvidia.com/deploy/nvidia-smi/"


def _check(
    name: str,
    label: str,
    why: str,
    expected: str,
    looks: Looks,
    *messages: str,
    article: tuple[str, ...] = (),
) -> Check:
    return Check(
        name=name,
        label=label,
        why=why,
        expected=expected,
        run=_with_devices(looks),
        link=SMI,
        messages=messages,
        article=article,
        seconds=2 * look.SECONDS,
    )


CHECKS: Final = (
    _check(
        "visible_devices",
        "CUDA_VISIBLE_DEVICES",
        "A number that is not there hides all devices behind it, without a word.",
        "Not set, or devices that are there, each once.",
        _visible,
        "No CUDA GPUs are available",
        "CUDA error: invalid device ordinal",
        article=("3.1",),
    ),
    _check(
        "mig",
        "Split devices (MIG)",
        "A device in MIG mode computes in its instances alone; without one, nothing runs.",
        "Off, or with instances.",
        _mig,
        "CUDA error: no CUDA-capable device is detected",
    ),
    _check(
        "persistence",
        "Persistence",
        "Without it the driver lets an idle device go, and the next program waits until it is up again.",
        "On, where the device serves notebooks.",
        _persistence,
    ),
    _check(
        "memory_errors",
        "Memory errors",
        "An error that could not be corrected may have changed weights or results.",
        "None.",
        _ecc,
        "uncorrectable ECC error encountered",
    ),
    _check(
        "pcie_link",
        "PCIe link",
        "With half the lanes, copies to the device take twice as long.",
        "All lanes that the device has.",
        _link,
    ),
    _check(
        "power_limit",
        "Power limit",
        "Below its default the device lowers its clocks under load.",
        "The default, or above.",
        _power,
        "SW Power Cap",
    ),
    _check(
        "compute_mode",
        "Compute mode",
        "A mode that forbids or reserves computing makes programs fail at their start.",
        "Default, or one process on purpose.",
        _compute_mode,
        "all CUDA-capable devices are busy or unavailable",
    ),
    _check(
        "busy",
        "At work now",
        "Two programs on one device slow each other down, and each looks slow by itself.",
        "Idle, before something is measured.",
        _busy,
        article=("5.2",),
    ),
)
