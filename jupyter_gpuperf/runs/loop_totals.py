"""The steps of a run's loops from begin to end, in bounded memory: blocks of about equal duration that grow with the run."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from msgspec import structs

from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.measure.statistics import mean_interval, small_sample_mean
from jupyter_gpuperf.schemas import Interval
from jupyter_gpuperf.schemas.phases import Phase, PhaseSeconds
from jupyter_gpuperf.schemas.runs import RunLoop, RunMemory
from jupyter_gpuperf.schemas.training import LoopSteps, Steps, StepTally, WatchedLoop, merged

FIRST_BLOCK_SECONDS: Final = 0.5
MOST_BLOCKS: Final = 512
"""With more blocks, each two become one."""
WARMUP_RATIO: Final = 1.5
"""The blocks at the begin whose steps take longer than the median by this factor are the warm-up."""
FEWEST_BLOCKS: Final = 2
MOST_SAMPLES: Final = 64
"""More blocks are taken together for the interval: a bootstrap of five hundred takes a second."""
MOST_FOR_STUDENT: Final = 10
MOST_LOOPS: Final = 256
"""A search may train thousands of models; the summary is about the first."""


class LoopTotals:
    """All steps of one loop."""

    def __init__(self, pid: int | None, info: WatchedLoop) -> None:
        self.pid, self.info = pid, info
        self._blocks: list[StepTally] = []
        self._block_seconds = FIRST_BLOCK_SECONDS

    def add(self, tally: StepTally) -> None:
        """Add steps that the loop's process reported."""
        blocks = self._blocks
        # Not by the clock's times: the user's code may set it, or replace time.time().
        if blocks and blocks[-1].step_seconds < self._block_seconds:
            blocks[-1] = merged(blocks[-1], tally)
            return
        blocks.append(tally)
        if len(blocks) > MOST_BLOCKS:
            pairs = zip(blocks[::2], blocks[1::2], strict=False)
            odd = blocks[-1:] if len(blocks) % 2 else []
            self._blocks = [*(merged(*each) for each in pairs), *odd]
            self._block_seconds *= 2

    @property
    def steps_count(self) -> int:
        """Number of complete steps so far."""
        return sum(each.count for each in self._blocks)

    @property
    def seconds(self) -> float:
        """The duration of all complete steps so far."""
        return sum(each.step_seconds for each in self._blocks)

    def continues(self, before: LoopTotals) -> bool:
        """Whether it is the same loop with a new loader or optimizer: it is called the same, and began after the end."""
        alike = ("name", "bounded_by", "batch_size", "num_workers", "rank")
        if self.pid != before.pid or not self._blocks or not before._blocks:
            return False
        is_alike = all(getattr(self.info, each) == getattr(before.info, each) for each in alike)
        return is_alike and before._blocks[-1].ended_seconds <= self._blocks[0].began_seconds

    def with_steps_of(self, later: LoopTotals) -> LoopTotals:
        """Return both as one loop."""
        both = LoopTotals(self.pid, later.info)
        for each in (*self._blocks, *later._blocks):
            both.add(each)
        return both

    def learn(self, info: WatchedLoop) -> None:
        """Take what the loop's process says of it now. It has no rank any more when its process group has ended."""
        if info.rank is None:
            info = structs.replace(info, rank=self.info.rank, ranks_count=self.info.ranks_count)
        self.info = info

    def result(self) -> RunLoop | None:
        """Return the loop's figures; ``None`` if it had no complete step."""
        blocks = [each for each in self._blocks if each.count]
        steady = _without_warmup(blocks)
        steps = steps_of(self.info, steady, pid=self.pid, notebook="", busy=lambda *_: None)
        if steps is None:
            return None
        return RunLoop(
            name=steps.loader,
            steps=self.steps_count,
            warmup_steps=self.steps_count - steps.count,
            is_training=steps.is_training,
            step_seconds=_step_interval(steady),
            samples_per_second=steps.samples_per_second,
            tokens_per_second=steps.tokens_per_second,
            flops_format=steps.flops_format,
            flops_utilization_ratio=steps.flops_utilization_ratio,
            wait_ratio=steps.wait_ratio,
            idle_for_data_ratio=steps.idle_for_data_ratio,
            phases=_of_the_mean_step(steps),
            host_lines=steps.host_lines,
            memory=RunMemory(
                allocated_bytes=steps.allocated_bytes,
                reserved_bytes=steps.reserved_bytes,
                peak_allocated_bytes=steps.peak_allocated_bytes,
            ),
            batch_size=steps.batch_size,
            num_workers=steps.num_workers if steps.bounded_by == "loader" else None,
            device_uuid=steps.device_uuid,
            pid=self.pid,
            rank=steps.rank,
        )


class RunTotals:
    """All loops of all processes of a run."""

    def __init__(self) -> None:
        self._loops: list[LoopTotals] = []
        self._current: dict[tuple[int | None, int], LoopTotals] = {}
        self.is_full = False
        """Whether there were more loops than are kept."""

    def add(self, pid: int | None, steps: Steps) -> None:
        """Add a report of a process."""
        for info in steps.loaders:
            self._note(pid, info)
        for tally in steps.tallies:
            loop = self._current.get((pid, tally.loader))
            if loop is not None:
                loop.add(tally)

    def _note(self, pid: int | None, info: WatchedLoop) -> None:
        known = self._current.get((pid, info.id))
        # After exec, or when the system uses a pid again, another program counts its loops from one, too.
        if known is not None and known.info.name == info.name:
            known.learn(info)
        elif len(self._loops) < MOST_LOOPS:
            self._current[pid, info.id] = loop = LoopTotals(pid, info)
            self._loops.append(loop)
        else:
            self._current.pop((pid, info.id), None)
            self.is_full = True

    @property
    def device_uuids(self) -> set[str]:
        """The devices that the loops used."""
        return {uuid for each in self._loops if (uuid := each.info.device_uuid)}

    def results(self) -> list[RunLoop]:
        """Return all loops: training loops first, by rank, those with the most time first."""
        loops = _joined(self._loops)
        found = [(loop.seconds, each) for loop in loops if (each := loop.result())]
        found.sort(key=lambda each: (not each[1].is_training, each[1].rank or 0, -each[0]))
        return [each for _, each in found]


def _of_the_mean_step(steps: LoopSteps) -> dict[Phase, PhaseSeconds] | None:
    """Return the phases as parts of the mean step.

    The phases are of some ten steps a second: where steps differ, the long ones are among them more often than not.
    """
    phases = steps.phases or {}
    followed_seconds = sum(each.host_seconds or 0.0 for each in phases.values())
    if not followed_seconds:
        return steps.phases
    factor = steps.step_seconds / followed_seconds
    return {phase: _times(each, factor) for phase, each in phases.items()}


def _times(phase: PhaseSeconds, factor: float) -> PhaseSeconds:
    values = {name: getattr(phase, name) for name in PhaseSeconds.__struct_fields__}
    return PhaseSeconds(**{name: each and each * factor for name, each in values.items()})


def _joined(loops: Sequence[LoopTotals]) -> list[LoopTotals]:
    """Return the loops, in which a fold or an epoch with an optimizer of its own is no loop of its own."""
    found: list[LoopTotals] = []
    for loop in loops:
        at = next((at for at, each in enumerate(found) if loop.continues(each)), None)
        if at is None:
            found.append(loop)
        else:
            found[at] = found[at].with_steps_of(loop)
    return found


def _without_warmup(blocks: Sequence[StepTally]) -> Sequence[StepTally]:
    """Return the blocks after the first slow ones: compiling, autotuning and filling caches take seconds.

    The very first block goes in any case: its first step alone may take as long as a hundred others.
    """
    if len(blocks) <= FEWEST_BLOCKS:
        return blocks
    usual_seconds = median(map(_mean_seconds, blocks))
    first = 1
    while _mean_seconds(blocks[first]) > WARMUP_RATIO * usual_seconds:
        first += 1
    return blocks[first:]


def _mean_seconds(block: StepTally) -> float:
    return block.step_seconds / block.count


def _step_interval(blocks: Sequence[StepTally]) -> Interval | None:
    """Return the mean duration of a step; blocks differ in their number of steps."""
    if len(blocks) < FEWEST_BLOCKS:
        return None
    size = -(-len(blocks) // MOST_SAMPLES)
    groups = [blocks[begin : begin + size] for begin in range(0, len(blocks), size)]
    seconds = [sum(each.step_seconds for each in group) for group in groups]
    counts = [sum(each.count for each in group) for group in groups]
    mean = sum(seconds) / sum(counts)
    usual = sum(counts) / len(counts)
    # The mean of these is the mean of all steps, and they vary as it does (the linear estimator of a ratio).
    samples = [
        mean + (one - mean * count) / usual for one, count in zip(seconds, counts, strict=True)
    ]
    interval = small_sample_mean if len(samples) <= MOST_FOR_STUDENT else mean_interval
    return Interval(**interval(samples))
