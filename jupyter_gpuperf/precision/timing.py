"""Time a cell in several modes in turn, and measure the memory that each takes."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jupyter_gpuperf.measure.interleaved import Interleaved, time_interleaved
from jupyter_gpuperf.measure.statistics import Interval, median_interval
from jupyter_gpuperf.precision.mode_context import RunObserver
from jupyter_gpuperf.precision.outcome import ModeOutcome
from jupyter_gpuperf.precision.scaling import INITIAL_SCALE
from jupyter_gpuperf.precision.session import OutOfTime, ProfileSession
from jupyter_gpuperf.precision.variation import Block, observed_block

BLOCK_SECONDS: Final = 0.05
"""Many short blocks: where the host sets the pace, blocks differ by more than the runs of one block."""
LONG_RUN_SECONDS: Final = 0.5
"""A cell that takes longer than this gets no untimed run before a block. Its time then includes first-step costs."""
LONG_FIRST_RUN: Final = 1.5
WARM_UP_SECONDS: Final = 0.5
WARM_RUNS: Final = 2
FEWEST_ROUNDS: Final = 4


@dataclass(slots=True)
class Variant:
    """One way to run the cell.

    Parameters
    ----------
    prepare
        Called before each use, once the state is restored; for example, to compile models.
    """

    name: str
    mode: str
    prepare: Callable[[], object] = lambda: None
    blocks: list[Block] = field(default_factory=list)
    device_seconds: list[float] = field(default_factory=list)
    steps_skipped: int = 0
    run_seconds: float = 0.0
    keeps_workers: bool = False
    """Whether later runs use workers that the first one started: an untimed run then precedes each block."""
    scale: float = INITIAL_SCALE
    """Scale at which the gradient scaler starts: its scale at the end of the last use.

    This avoids skipped steps, which take less time and would make the variant look faster.
    """

    @property
    def step_seconds(self) -> list[float]:
        """The seconds per step of each block."""
        return [each.step_seconds for each in self.blocks]


class VariantFailed(Exception):
    """A variant raised an exception.

    Attributes
    ----------
    name, mode
        The variant and its mode.
    cause
        The exception.
    runs
        Number of the run that raised it, counted from the restored state.
    """

    def __init__(self, variant: Variant, cause: BaseException, runs: int) -> None:
        super().__init__(variant.name)
        self.name, self.mode, self.cause, self.runs = variant.name, variant.mode, cause, runs


class CellStopwatch:
    """Times runs of one session's cell."""

    def __init__(self, session: ProfileSession) -> None:
        self._session, self._device = session, session.device
        self._on_gpu = self._clock_is_known = session.device.type == "cuda"
        self._shortest_seconds = math.inf

    @contextlib.contextmanager
    def using(self, variant: Variant) -> Iterator[None]:
        """Restore the session's state, then run the body in the variant's mode. An exception in the body becomes :class:`VariantFailed`."""
        try:
            observer = RunObserver(initial_scale=variant.scale)
            with self._session.in_mode(variant.mode, observer):
                variant.prepare()
                yield
                if observer.scaling is not None:
                    variant.steps_skipped += observer.scaling.steps_skipped
                    variant.scale = observer.scaling.scale
        except OutOfTime:
            raise
        except Exception as error:  # whatever the cell raises, the other modes go on
            raise VariantFailed(variant, error, self._session.runs_in_row) from error

    def warm_up(self, variant: Variant, *, fewest_runs: int = 1) -> None:
        """Run the variant until algorithms are chosen and memory is allocated; on a GPU, for at least 0.5 s.

        A first run that is long, beside those of the other variants, is one that had to prepare something.
        """
        least_seconds = WARM_UP_SECONDS if self._on_gpu else 0.0
        with self.using(variant):
            seconds: list[float] = []
            while self._session.can_run_again and (
                len(seconds) < max(WARM_RUNS, fewest_runs) or sum(seconds) < least_seconds
            ):
                seconds.append(self._session.time_cell())
                is_long = sum(seconds) >= LONG_RUN_SECONDS
                is_warm = len(seconds) > 1 or seconds[0] < LONG_FIRST_RUN * self._shortest_seconds
                if is_long and is_warm and len(seconds) >= fewest_runs:
                    break
            variant.run_seconds = min(seconds)
        self._shortest_seconds = min(self._shortest_seconds, variant.run_seconds)

    def time_block(self, variant: Variant) -> float:
        """Run the variant for one block and return the wall-clock seconds per step."""
        session = self._session
        runs = max(1, math.ceil(BLOCK_SECONDS / max(variant.run_seconds, 1e-6)))
        window = session.window
        is_short = variant.run_seconds < LONG_RUN_SECONDS and window is None
        is_warm = session.most_runs > 1 and (is_short or variant.keeps_workers)
        runs = 1 if window else min(runs, session.most_runs - is_warm)
        per_block = runs * (window.last if window else max(1, session.steps_per_run))
        event = session.torch.cuda.Event
        start, end = (event(enable_timing=True) if self._on_gpu else None for _ in range(2))
        with self.using(variant):
            if is_warm:
                session.run_cell()  # an optimizer creates its state in the first step
            session.synchronize()
            with observed_block(per_block, self._clock_mhz) as block:
                began = time.perf_counter()
                if start:
                    start.record()
                for _ in range(runs):
                    session.run_cell()
                if end:
                    block.host_seconds = (time.perf_counter() - began) / per_block
                    end.record()
                session.synchronize()
        if window is not None:
            block.step_seconds = window.step_seconds
        variant.blocks.append(block)
        if start:
            variant.device_seconds.append(float(start.elapsed_time(end)) / 1000 / per_block)
        return block.step_seconds

    def _clock_mhz(self) -> float | None:
        if self._on_gpu and self._clock_is_known:
            with contextlib.suppress(Exception):  # needs nvidia-ml-py
                return float(self._session.torch.cuda.clock_rate(self._device))
        self._clock_is_known = False
        return None

    def time_in_turn(self, variants: Mapping[str, Variant], **pace: Any) -> Interleaved:
        """Time all variants in turn; ``pace`` holds limits for :func:`measure.interleaved.time_interleaved`.

        Variants that were timed before get more rounds. When the session's time is up, the last round may be dropped.

        Raises
        ------
        VariantFailed
            A variant raised an exception; timing ends with the first one.
        OutOfTime
            The session's time was up before two rounds were complete.
        """
        blocks = {name: functools.partial(self.time_block, each) for name, each in variants.items()}
        earlier = {name: each.step_seconds for name, each in variants.items()}
        try:
            return time_interleaved(blocks, earlier=earlier, **pace)
        except OutOfTime:
            rounds = min(len(each.blocks) for each in variants.values())
            if rounds < 2:  # a single one has no interval
                raise
            samples = {name: each.step_seconds[:rounds] for name, each in variants.items()}
            return Interleaved(samples=samples, doubt="")

    def measure_peak_memory(self, variant: Variant, outcome: ModeOutcome) -> None:
        """Fill in the peak bytes of tensors and of the allocator over two runs; on a GPU only.

        Memory that the profile itself holds is not counted.
        """
        if not self._on_gpu:
            return
        session, torch = self._session, self._session.torch
        with self.using(variant):
            torch.cuda.empty_cache()
            own = torch.cuda.memory_allocated(self._device) - session.allocated_before_bytes
            torch.cuda.reset_peak_memory_stats(self._device)
            for _ in range(min(2, session.most_runs)):
                session.run_cell()
            session.synchronize()
            outcome.peak_allocated_bytes = int(torch.cuda.max_memory_allocated(self._device) - own)
            outcome.peak_reserved_bytes = int(torch.cuda.max_memory_reserved(self._device) - own)


def interval_or_none(samples: list[float]) -> Interval | None:
    """Return the median and its 95 % interval; ``None`` without samples."""
    return median_interval(samples) if samples else None
