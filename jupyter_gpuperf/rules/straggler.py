"""Find the straggler among several ranks: ranks that train together wait for each other in every step.

Their steps take equally long, since none gets past the exchange of gradients before the last one arrives. NCCL's
kernels wait on the device, so a waiting rank looks busy. The straggler is idle, or computes for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from jupyter_gpuperf.rules.busy_spans import SM, UTILIZATION
from jupyter_gpuperf.rules.rule_input import Device, RuleInput
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.schemas.training import LoaderSteps

LATE_RATIO = Threshold(
    0.15,
    reason="Of a step, in which one rank is idle and the others are not, or computes and the others do not: what "
    "they wait for it. As much as is worth a change of a loader.",
    margin="Two ranks of a ResNet-50 on two H100s: alike 0.002 to 0.07, one late by its loader 0.53, by its host 0.64.",
)
SAME_STEP_RATIO = Threshold(
    0.08,
    reason="By how much steps of one training may differ where each rank counts its own. Copies that train apart and "
    "of which one is idle for 0.15 of its step differ by 0.18.",
    margin="Two ranks on two H100s, whose steps changed meanwhile: 0.025 at most. By arithmetic: a step more or less in "
    "twelve seconds, with steps of half a second, 0.04.",
)
WAITING_FILL_RATIO = Threshold(
    0.75,
    reason="How full the chip is while a rank waits, of how full it is in the late one: a kernel of NCCL that waits "
    "uses a few of the multiprocessors.",
    margin="Two ranks on two H100s: alike 0.99 to 1; one that waits for half of its step and more 0.46 to 0.60. By "
    "arithmetic: with a tenth of the chip used while waiting, waits of 0.15 of a step 0.87, of 0.3 of a step 0.73.",
)
COMPUTING_FILL_RATIO = Threshold(
    0.3,
    reason="Of the chip, by whoever is said to compute for longer: below it the host sets the pace.",
    margin="Training on one device 0.84 to 0.99, a rank that is late 0.86 to 0.95; a small MLP 0.01.",
)


class Cause(Enum):
    """Why a rank is late: it waits for data, its host does something else, or its GPU computes for longer."""

    DATA, HOST, GPU = "data", "host", "gpu"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rank:
    """One process of a training on several devices.

    Parameters
    ----------
    data_ratio
        The share of time idle for data; by the hosts' clocks where it is not known for the devices of all ranks.
    host_ratio
        The share of time idle for the host; 0 where it is not known for all ranks.
    busy_ratio, fill_ratio
        From the driver: the share of time in which a kernel ran, and how much of the chip it filled then; ``None``
        where unknown.
    """

    device: Device
    steps: LoaderSteps
    data_ratio: float
    host_ratio: float
    busy_ratio: float | None
    fill_ratio: float | None

    @property
    def idle_ratio(self) -> float:
        """The share of time idle for data or for the host."""
        return self.data_ratio + self.host_ratio


@dataclass(frozen=True, kw_only=True, slots=True)
class Straggler:
    """The rank that is late, why, and which ranks wait.

    Parameters
    ----------
    lost_ratio
        The share of a step that the others wait for it.
    waiting
        The ranks that wait.
    """

    late: Rank
    cause: Cause
    lost_ratio: float
    waiting: tuple[Rank, ...]


def main_loop(steps: Iterable[LoaderSteps]) -> LoaderSteps | None:
    """Return the loader whose steps take most of the time; training takes priority over evaluation."""
    return max(
        (each for each in steps if each.count > 0),
        key=lambda each: (each.is_training, each.count * each.step_seconds),
        default=None,
    )


def straggler_of(
    device: Device, everything: RuleInput, start_seconds: float, end_seconds: float
) -> Straggler | None:
    """Return the straggler in the training that a device takes part in; ``None`` if there is none or it is unknown."""
    devices, steps = everything.devices, everything.steps
    if len(steps) < 2 or len(devices) < 2:
        return None
    mains = _mains(devices, steps)
    own = mains.get(device.uuid)
    if own is None or not own.is_training:
        return None
    together = {uuid: each for uuid, each in mains.items() if each is own or _is_with(own, each)}
    if len(together) < 2 or not _are_ranks(list(together.values())):
        return None
    span = start_seconds, end_seconds
    ranks = _ranks([each for each in devices if each.uuid in together], together, span)
    return _idle_one(ranks) or _computing_one(ranks)


def _ranks(
    devices: Sequence[Device], steps: Mapping[str, LoaderSteps], span: tuple[float, float]
) -> list[Rank]:
    data = [steps[each.uuid].idle_for_data_ratio for each in devices]
    host = [steps[each.uuid].idle_for_host_ratio for each in devices]
    data_is_known, host_is_known = None not in data, None not in host
    ranks = []
    for device, of_data, of_host in zip(devices, data, host, strict=True):
        own, series = steps[device.uuid], device.series.between(*span)
        filled, busy = series.mean(SM), series.mean(UTILIZATION)
        ranks.append(
            Rank(
                device=device,
                steps=own,
                data_ratio=(of_data or 0.0) if data_is_known else own.wait_ratio,
                host_ratio=(of_host or 0.0) if host_is_known else 0.0,
                busy_ratio=None if busy is None else busy / 100,
                fill_ratio=None if filled is None or not busy else min(1.0, filled / busy),
            )
        )
    return ranks


def _mains(devices: Sequence[Device], steps: Sequence[LoaderSteps]) -> dict[str, LoaderSteps]:
    uuids = [device.uuid for device in devices]
    mains = {uuid: main_loop(each for each in steps if each.device_uuid == uuid) for uuid in uuids}
    return {uuid: main for uuid, main in mains.items() if main is not None}


def _is_with(own: LoaderSteps, other: LoaderSteps) -> bool:
    longer, allowed = max(own.step_seconds, other.step_seconds), float(SAME_STEP_RATIO)
    if own.rank is not None:
        # A known rank is part of a training. Over few steps, one rank may have counted a step more than another.
        allowed += 1 / min(own.count, other.count)
    return (
        other.is_training
        and other.pid != own.pid
        and _notebook(other) == _notebook(own)
        and other.ranks_count == own.ranks_count
        and abs(other.step_seconds - own.step_seconds) <= allowed * longer
    )


def _notebook(steps: LoaderSteps) -> str:
    return steps.notebook_key or steps.notebook


def _are_ranks(steps: Sequence[LoaderSteps]) -> bool:
    """Return whether the steps belong to one training, in which no rank occurs twice; two may have equal steps."""
    if not _notebook(steps[0]):
        return False
    known = [each.rank for each in steps if each.rank is not None]
    return len(known) == len(set(known))


def _idle_one(ranks: Sequence[Rank]) -> Straggler | None:
    # Data first: where the others wait on their hosts, as with gloo, all ranks are equally idle.
    found = _latest(ranks, lambda rank: rank.data_ratio) or _latest(
        ranks, lambda rank: rank.idle_ratio
    )
    if found is None or _computes_less(found[0], found[2]):
        return None
    late, lost, waiting = found
    data_lost = late.data_ratio - median(each.data_ratio for each in waiting)
    cause = Cause.DATA if data_lost >= lost / 2 else Cause.HOST
    return Straggler(late=late, cause=cause, lost_ratio=min(1.0, lost), waiting=waiting)


def _latest(
    ranks: Sequence[Rank], ratio: Callable[[Rank], float]
) -> tuple[Rank, float, tuple[Rank, ...]] | None:
    late = max(ranks, key=ratio)
    # Compare with the median rank: if most are equally slow, there is no straggler.
    lost = ratio(late) - median(ratio(each) for each in ranks if each is not late)
    waiting = tuple(each for each in ranks if ratio(late) - ratio(each) >= LATE_RATIO)
    return (late, lost, waiting) if lost >= LATE_RATIO and waiting else None


def _computes_less(late: Rank, waiting: Sequence[Rank]) -> bool:
    """Return whether the others fill more of the chip than a waiting rank would: then they are not waiting."""
    usual = fill_of(waiting)
    if late.fill_ratio is None or usual is None:
        return False
    return late.fill_ratio < WAITING_FILL_RATIO * usual


def fill_of(ranks: Sequence[Rank]) -> float | None:
    """Return the median share of the chip that the ranks fill; ``None`` where it is known for none."""
    known = [each.fill_ratio for each in ranks if each.fill_ratio is not None]
    return median(known) if known else None


def _computing_one(ranks: Sequence[Rank]) -> Straggler | None:
    known = {each.device.uuid: each.fill_ratio for each in ranks if each.fill_ratio is not None}
    if len(known) < len(ranks):
        return None
    late = max(ranks, key=lambda rank: known[rank.device.uuid])
    others = [each for each in ranks if each is not late]
    fill, usual = known[late.device.uuid], median(known[each.device.uuid] for each in others)
    if fill < COMPUTING_FILL_RATIO or usual > WAITING_FILL_RATIO * fill:
        return None
    # A rank that is idle for longer can't be the one that the others wait for because it computes.
    idle = late.idle_ratio - min(each.idle_ratio for each in others)
    rest = max(each.busy_ratio or 0.0 for each in others) - (late.busy_ratio or 0.0)
    if max(idle, rest) >= LATE_RATIO:
        return None
    waiting = tuple(each for each in others if known[each.device.uuid] <= WAITING_FILL_RATIO * fill)
    return Straggler(late=late, cause=Cause.GPU, lost_ratio=1 - usual / fill, waiting=waiting)
