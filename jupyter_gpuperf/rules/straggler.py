"""Find the straggler among several ranks: ranks that train together wait for each other in every step.

The steps of all ranks take equally long, since no rank gets past the exchange of gradients before the last one
arrives. NCCL's kernels wait on the device, so a waiting rank looks busy. The straggler is the rank that is idle, or
that computes for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from statistics import median

from jupyter_gpuperf.rules.busy_spans import SM, UTILIZATION
from jupyter_gpuperf.rules.rule_input import Device, RuleInput
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.schemas.training import LoopSteps

LATE_RATIO = Threshold(
    0.15,
    reason="Share of a step in which only one rank is idle, or only one computes: the others wait for it.",
    margin="Two ranks of a ResNet-50 on two H100s: balanced 0.002 to 0.07, late due to its loader 0.53, its host 0.64.",
)
SAME_STEP_RATIO = Threshold(
    0.08,
    reason="Largest difference of step times in one training. Separate trainings, one idle for 0.15 of its step: 0.18.",
    margin="Two ranks on two H100s: at most 0.025. Calculated for one step of 0.5 s more or less in 12 s: 0.04.",
)
WAITING_FILL_RATIO = Threshold(
    0.75,
    reason="Share of multiprocessors that a waiting rank uses, divided by that of the straggler: NCCL kernels that wait use few.",
    margin="Two H100s: balanced 0.99 to 1, waiting half of a step or more 0.46 to 0.60. Calculated, if waiting fills a "
    "tenth of the chip: waits of 0.15 of a step 0.87, of 0.3 of a step 0.73.",
)
COMPUTING_FILL_RATIO = Threshold(
    0.3,
    reason="Fill of a rank that may be computing longer: below this, its host sets the pace.",
    margin="Training on one device 0.84 to 0.99, a straggler 0.86 to 0.95; a small MLP 0.01.",
)


class Cause(Enum):
    """The reason why a rank is late: it waits for data, its host is busy otherwise, or its GPU computes for longer."""

    DATA, HOST, GPU = "data", "host", "gpu"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rank:
    """One process of a training on several devices.

    Parameters
    ----------
    data_ratio
        The share of time in which the device waits for data. If it is unknown for some rank's device, the share in
        which the loop on the host waits for its loader is used for all ranks.
    host_ratio
        The share of time in which the device waits for the host; 0 if it is unknown for some rank.
    busy_ratio, fill_ratio
        From the driver: the share of time in which a kernel ran, and the share of the multiprocessors that were
        active in that time; ``None`` if unknown.
    """

    device: Device
    steps: LoopSteps
    data_ratio: float
    host_ratio: float
    busy_ratio: float | None
    fill_ratio: float | None

    @property
    def idle_ratio(self) -> float:
        """The share of time in which the device waits for data or for the host."""
        return self.data_ratio + self.host_ratio


@dataclass(frozen=True, kw_only=True, slots=True)
class Straggler:
    """The rank that is late, the cause, and the ranks that wait for it.

    Parameters
    ----------
    lost_ratio
        The share of a step for which the other ranks wait.
    waiting
        The ranks that wait for it.
    """

    late: Rank
    cause: Cause
    lost_ratio: float
    waiting: tuple[Rank, ...]


def main_loop(steps: Iterable[LoopSteps]) -> LoopSteps | None:
    """Return the loader whose steps take most of the time; ``None`` if no loader has any steps.

    Training takes priority over evaluation.
    """
    return max(
        (each for each in steps if each.count > 0),
        key=lambda each: (each.is_training, each.count * each.step_seconds),
        default=None,
    )


def straggler_of(
    device: Device, rule_input: RuleInput, start_seconds: float, end_seconds: float
) -> Straggler | None:
    """Return the straggler in the distributed training that a device takes part in.

    ``None`` if there is no straggler, or no such training is known.
    """
    main_loops = {
        each.uuid: main_loop(steps for steps in rule_input.steps if steps.device_uuid == each.uuid)
        for each in rule_input.devices
    }
    own = main_loops.get(device.uuid)
    if own is None or not own.is_training:
        return None
    members = [
        (each, steps)
        for each in rule_input.devices
        if (steps := main_loops[each.uuid]) and (steps is own or _trains_with(own, steps))
    ]
    if len(members) < 2 or not _are_ranks([steps for _, steps in members]):
        return None
    ranks = _ranks(members, start_seconds, end_seconds)
    return _idle_one(ranks) or _computing_one(ranks)


def _ranks(
    members: Sequence[tuple[Device, LoopSteps]], start_seconds: float, end_seconds: float
) -> list[Rank]:
    data_name = _known_by_all(members, "idle_for_data_ratio", "wait_ratio")
    host_name = _known_by_all(members, "idle_for_host_ratio")
    ranks = []
    for device, steps in members:
        series = device.series.between(start_seconds, end_seconds)
        filled, busy = series.mean(SM), series.mean(UTILIZATION)
        ranks.append(
            Rank(
                device=device,
                steps=steps,
                data_ratio=getattr(steps, data_name) if data_name else 0.0,
                host_ratio=getattr(steps, host_name) if host_name else 0.0,
                busy_ratio=None if busy is None else busy / 100,
                fill_ratio=None if filled is None or not busy else min(1.0, filled / busy),
            )
        )
    return ranks


def _known_by_all(members: Sequence[tuple[Device, LoopSteps]], *names: str) -> str | None:
    """Return the first of these figures that is known of all members; ``None`` if none is."""
    known = (
        name for name in names if all(getattr(steps, name) is not None for _, steps in members)
    )
    return next(known, None)


def _trains_with(own: LoopSteps, other: LoopSteps) -> bool:
    longer, allowed = max(own.step_seconds, other.step_seconds), float(SAME_STEP_RATIO)
    if own.rank is not None:
        # The rank is known, so this is a distributed training. Over few steps, one rank may have counted one step more.
        allowed += 1 / min(own.count, other.count)
    return (
        other.is_training
        and other.pid != own.pid
        and _notebook(other) == _notebook(own)
        and other.ranks_count == own.ranks_count
        and abs(other.step_seconds - own.step_seconds) <= allowed * longer
    )


def _notebook(steps: LoopSteps) -> str:
    return steps.notebook_key or steps.notebook


def _are_ranks(steps: Sequence[LoopSteps]) -> bool:
    """Return whether the steps can belong to one training: no rank may occur twice.

    Two separate trainings may have equal step times.
    """
    if not _notebook(steps[0]):
        return False
    known = [each.rank for each in steps if each.rank is not None]
    return len(known) == len(set(known))


def _idle_one(ranks: Sequence[Rank]) -> Straggler | None:
    # Compare waits for data first: if the other ranks wait on the host, as with gloo, all are equally idle in total.
    latest = _latest(ranks, attrgetter("data_ratio")) or _latest(ranks, attrgetter("idle_ratio"))
    if latest is None or _computes_less(latest[0], latest[2]):
        return None
    late, lost, waiting = latest
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
    """Return whether the other ranks fill more of the chip than waiting ranks would, so that they are not waiting."""
    usual = fill_of(waiting)
    if late.fill_ratio is None or usual is None:
        return False
    return late.fill_ratio < WAITING_FILL_RATIO * usual


def fill_of(ranks: Sequence[Rank]) -> float | None:
    """Return the median share of the chip that the ranks fill; ``None`` if it is unknown for all of them."""
    known = [each.fill_ratio for each in ranks if each.fill_ratio is not None]
    return median(known) if known else None


def _computing_one(ranks: Sequence[Rank]) -> Straggler | None:
    fills = {rank.device.uuid: rank.fill_ratio for rank in ranks if rank.fill_ratio is not None}
    if len(fills) < len(ranks):
        return None
    late = max(ranks, key=lambda rank: fills[rank.device.uuid])
    others = [rank for rank in ranks if rank is not late]
    fill, usual = fills[late.device.uuid], median(fills[rank.device.uuid] for rank in others)
    if fill < COMPUTING_FILL_RATIO or usual > WAITING_FILL_RATIO * fill:
        return None
    # A rank that is idle for longer than the others does not delay them by computing for longer.
    longer_idle = late.idle_ratio - min(rank.idle_ratio for rank in others)
    less_busy = max(rank.busy_ratio or 0.0 for rank in others) - (late.busy_ratio or 0.0)
    if max(longer_idle, less_busy) >= LATE_RATIO:
        return None
    waiting = tuple(rank for rank in others if fills[rank.device.uuid] <= WAITING_FILL_RATIO * fill)
    return Straggler(late=late, cause=Cause.GPU, lost_ratio=1 - usual / fill, waiting=waiting)
