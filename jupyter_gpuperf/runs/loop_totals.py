"""The steps of a run's loops from begin to end, in bounded memory: blocks of about equal duration that grow with the run."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.measure.statistics import bootstrap
from jupyter_gpuperf.schemas import Interval
from jupyter_gpuperf.schemas.runs import RunLoop, RunMemory
from jupyter_gpuperf.schemas.training import Steps, StepTally, WatchedLoop, merged

FIRST_BLOCK_SECONDS: Final = 0.5
MOST_BLOCKS: Final = 512
"""With more blocks, each two become one."""
WARMUP_RATIO: Final = 1.5
"""The blocks at the begin whose steps take longer than the median by this factor are the warm-up."""
FEWEST_BLOCKS: Final = 2


class LoopTotals:
    """All steps of one loop."""

    def __init__(self, pid: int | None, info: WatchedLoop) -> None:
        self.pid, self.info = pid, info
        self._blocks: list[StepTally] = []
        self._block_seconds = FIRST_BLOCK_SECONDS

    def add(self, tally: StepTally) -> None:
        """Add steps that the loop's process reported."""
        blocks = self._blocks
        if blocks and _seconds(blocks[-1]) < self._block_seconds:
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
            phases=steps.phases,
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
        self._loops: dict[tuple[int | None, int], LoopTotals] = {}

    def add(self, pid: int | None, steps: Steps) -> None:
        """Add a report of a process."""
        for info in steps.loaders:
            self._loops.setdefault((pid, info.id), LoopTotals(pid, info)).info = info
        for tally in steps.tallies:
            loop = self._loops.get((pid, tally.loader))
            if loop is not None:
                loop.add(tally)

    @property
    def device_uuids(self) -> set[str]:
        """The devices that the loops used."""
        return {uuid for each in self._loops.values() if (uuid := each.info.device_uuid)}

    def results(self) -> list[RunLoop]:
        """Return all loops: training loops first, by rank, the longest first."""
        found = [each for loop in self._loops.values() if (each := loop.result())]
        return sorted(found, key=lambda each: (not each.is_training, each.rank or 0, -each.steps))


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

    def mean(chosen: Sequence[float]) -> float:
        picked = [blocks[int(each)] for each in chosen]
        return sum(each.step_seconds for each in picked) / sum(each.count for each in picked)

    return Interval(**bootstrap(range(len(blocks)), mean))


def _seconds(block: StepTally) -> float:
    return block.ended_seconds - block.began_seconds
