"""Training loops: the reports of kernels about their DataLoaders and cells, and the data for pages."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field, structs

from jupyter_gpuperf.schemas import bounds
from jupyter_gpuperf.schemas.bounds import Bytes, Count, Quantity, Seconds, Time, UnixSeconds
from jupyter_gpuperf.schemas.cells import CellMark
from jupyter_gpuperf.schemas.phases import (
    FollowedSteps,
    HostLines,
    OptimizerInfo,
    Phase,
    PhaseSeconds,
    merged_phases,
)
from jupyter_gpuperf.schemas.readings import Columns
from jupyter_gpuperf.schemas.step_bins import HIGHEST_BIN, StepBin
from jupyter_gpuperf.schemas.work import LoopFlops, StepWorth

Arguments = Annotated[list[bounds.Name], Meta(max_length=64)]
StepCount = Annotated[int, Meta(ge=0, le=1_000_000)]
"""A number of steps in one tally; a kernel adds up at most a few hundred at once."""

# Messages from a kernel.


class MemoryGrowth(Struct, frozen=True, kw_only=True):
    """Allocated memory that grows step by step, measured at the ends of a loop's steps."""

    bytes_per_step: Bytes
    steps: Count
    """Number of steps over which it was measured."""
    outlasts_epoch: bool
    """Whether the memory kept growing when an epoch ended: what is collected for one epoch would have come free."""
    holder: bounds.Name | None = None
    """The variable that holds what was added, as typed: ``losses``; ``None`` if it is not known."""
    function: bounds.Name | None = None
    """The running function whose local variable the holder is; ``None`` for a variable of the notebook."""
    holds_graphs: bool = False
    """Whether the holder keeps autograd graphs."""


BoundedBy = Literal["loader", "optimizer", "module"]
"""What begins a step of a loop: the request for a batch, the end of the optimizer's last step, or a call of the outermost
module."""


class WatchedLoop(LoopFlops, frozen=True, kw_only=True):
    """A loop, and the settings of its torch DataLoader, if it has one. Unknown settings are ``None``."""

    id: Count
    """The loop's number in its kernel."""
    name: bounds.Name
    """The name of the notebook's variable that holds the loader, the optimizer or the module, otherwise of the class of the
    dataset, the optimizer or the module."""
    bounded_by: BoundedBy = "loader"
    device_uuid: bounds.Name | None = None
    """The device that the notebook uses; ``None`` until the notebook uses CUDA."""
    batch_size: Count | None = None
    batches_per_epoch: Count | None = None
    num_workers: Count = 0
    prefetch_factor: Count | None = None
    pin_memory: bool = False
    persistent_workers: bool = False
    arguments: Arguments | None = None
    """Arguments as code, valid in the notebook, that recreate the loader together with the settings above. Empty if no
    arguments recreate it; ``None`` if it has no name or was not examined.
    """
    worker_threads: Count | None = None
    """Number of threads that computed in one worker of the loader during the last seconds; ``None`` if unknown."""
    rank: Count | None = None
    """The rank of this process in a distributed training; ``None`` if it trains alone."""
    ranks_count: Count | None = None
    """The number of ranks in the distributed training; ``None`` if the process trains alone."""
    memory_growth: MemoryGrowth | None = None
    """``None`` while the memory does not grow, or without a GPU."""
    host_lines: HostLines | None = None
    optimizer: OptimizerInfo | None = None


class StepTally(Struct, frozen=True, kw_only=True):
    """Sums over some complete steps of one loop. A step lasts from requesting a batch to requesting the next; in loops
    without a loader, from the end of an optimizer's step to the end of its next step; in those without an optimizer, too, from
    one call of the outermost module to the next."""

    loader: Count
    """The loop's ``id``."""
    began_seconds: UnixSeconds
    """Unix time at which the first step began."""
    ended_seconds: UnixSeconds
    """Unix time at which the last step ended."""
    count: StepCount
    """Number of steps, without interrupted ones."""
    training_count: StepCount
    """Number of steps in which gradients were enabled."""
    interrupted_count: StepCount = field(name="nested_count")
    """Number of interrupted steps: another loop (an evaluation) or the pause between two cells fell within them."""
    samples_count: Quantity
    """Number of samples in the ``count`` steps."""
    step_seconds: Seconds
    """Total duration of the ``count`` steps."""
    wait_seconds: Seconds
    """Total time in which the host waited in ``next()``; a part of ``step_seconds``. 0 in loops without a loader."""
    event_step_seconds: Seconds
    """Total duration of the steps whose CUDA events were read; 0 without a GPU."""
    event_idle_seconds: Seconds
    """Total time in which the GPU waited for data in the steps whose CUDA events were read."""
    epoch_batches: Count
    """Number of batches of the current epoch so far."""
    bins: dict[Annotated[int, Meta(ge=0, le=HIGHEST_BIN)], StepCount]
    """Histogram of step times: bin number (see :func:`bin_seconds`) → number of steps."""
    allocated_bytes: Bytes | None = None
    """Memory of tensors on the GPU at the end of one of the last steps; ``None`` without a GPU."""
    reserved_bytes: Bytes | None = None
    """What torch holds of the GPU's memory then, used or not."""
    peak_allocated_bytes: Bytes | None = None
    """Torch's own peak, since the notebook last reset it."""
    followed: FollowedSteps | None = None
    """The phases of some of the steps."""


SUMS: Final = (
    *("count", "training_count", "interrupted_count", "samples_count"),
    *("step_seconds", "wait_seconds", "event_step_seconds", "event_idle_seconds"),
)
"""Fields that are summed when two tallies of one loader are merged."""
MEMORY: Final = ("allocated_bytes", "reserved_bytes", "peak_allocated_bytes")
"""Fields of which the later value counts; some tallies have none."""


def merged(one: StepTally, next_one: StepTally) -> StepTally:
    """Merge two consecutive tallies of one loader; ``one`` is the earlier."""
    later = one if next_one.allocated_bytes is None else next_one
    return structs.replace(
        one,
        **{name: getattr(one, name) + getattr(next_one, name) for name in SUMS},
        **{name: getattr(later, name) for name in MEMORY},
        ended_seconds=next_one.ended_seconds,
        epoch_batches=next_one.epoch_batches,
        followed=merged_phases(one.followed, next_one.followed),
        bins=dict(Counter(one.bins) + Counter(next_one.bins)),
    )


class Steps(Struct, frozen=True, kw_only=True, tag="steps"):
    """A kernel's report about its loops, sent a few times per second while loops run."""

    kernel_id: bounds.Name | None
    notebook_path: bounds.Path | None
    loaders: list[WatchedLoop]
    tallies: list[StepTally]
    is_script: bool = False
    """Whether it is a process of ``jupyter gpuperf run``, and not a kernel: it has no cells, and answers no requests."""


class ExplainNow(Struct, frozen=True, kw_only=True, tag="explain"):
    """Request to a kernel to profile its next steps."""

    steps: int


# Data for the panel and for API clients.

BusyMetric = Literal["graphics_active_percent", "utilization_percent"]


class LoopSteps(StepWorth, frozen=True, kw_only=True):
    """Figures of a loop's steps in the last seconds. Ratios are shares of the duration of the steps."""

    pid: int | None
    notebook: str
    device_uuid: str | None
    loader: bounds.Name
    """The name of the loader; of the optimizer or the module in loops that are bounded by it."""
    loader_id: Count
    count: Count
    step_seconds: float
    """Mean duration of a step."""
    samples_per_second: float | None
    wait_ratio: float | None
    """Share of time in which the host waits in ``next()``. It overstates the problem if the GPU has queued work. ``None`` in
    loops without a loader."""
    idle_for_data_ratio: float | None
    """Share of time in which the GPU waits for data, measured with CUDA events; ``None`` without them."""
    busy_ratio: float | None
    """Share of time in which the GPU is busy, as reported by the driver; ``None`` if it is unknown."""
    busy_metric: BusyMetric | None
    """The metric of ``busy_ratio``."""
    idle_for_host_ratio: float | None
    """Share of time in which the GPU is idle for other reasons (launches, synchronisation); ``None`` if unknown."""
    batch_size: Count | None
    batches_per_epoch: Count | None
    num_workers: Count
    prefetch_factor: Count | None
    pin_memory: bool
    persistent_workers: bool
    worker_threads: Count | None
    is_training: bool
    epoch_batches: Count
    epoch_left_seconds: float | None
    """Time left in the epoch at the current speed; ``None`` if its length is unknown."""
    last_seconds: Time
    """Unix time at which the latest step ended."""
    bins: list[StepBin]
    notebook_key: str = ""
    """The key of the notebook's :class:`NotebookTraining`."""
    rank: Count | None = None
    """The rank of the process in a distributed training; ``None`` if it trains alone."""
    ranks_count: Count | None = None
    bounded_by: BoundedBy = "loader"
    arguments: Arguments | None = None
    """See :attr:`WatchedLoop.arguments`; recordings omit it."""
    allocated_bytes: Bytes | None = None
    """See :class:`StepTally`, as the two below."""
    reserved_bytes: Bytes | None = None
    peak_allocated_bytes: Bytes | None = None
    memory_growth: MemoryGrowth | None = None
    """Recordings omit the names in it."""
    host_lines: HostLines | None = None
    """Recordings omit it."""
    optimizer: OptimizerInfo | None = None
    """``None`` until one was seen; recordings omit classes that may be the user's own."""
    phases: dict[Phase, PhaseSeconds] | None = None
    """Mean times of each phase of a step, over some ten steps a second; ``None`` if none was measured."""


class NotebookTraining(Struct, frozen=True, kw_only=True):
    """The current state of a watched notebook."""

    key: str
    """The kernel's id; the process id if the kernel's id is unknown."""
    pid: int | None
    notebook_path: str | None
    connected: bool
    loaders: list[LoopSteps]
    """Loaders whose loop has not ended, training loops first. A loop has ended when its process stopped reporting, or
    when it had no step for a minute and for as long as ten of its steps. ``history`` and the notebook's own report
    contain ended loops.
    """
    cells: list[CellMark]
    is_script: bool = False
    """Whether it is a script, run by ``jupyter gpuperf run``; ``notebook_path`` is its name then."""


class TrainingNow(Struct, frozen=True, kw_only=True, tag="training"):
    """The current state of all watched notebooks, sent on the live socket when it changes."""

    time_seconds: Time
    window_seconds: float
    notebooks: list[NotebookTraining]


class Training(Struct, frozen=True, kw_only=True):
    """Answer of ``GET training``: the current state of all watched notebooks, and their history."""

    now: TrainingNow
    history: dict[str, Columns]
    """Notebook key → ``samples_per_second``, ``tokens_per_second``, ``step_seconds`` and the ratios over time.

    It includes loops that ran in this period but are no longer in ``now``.
    """
    paths: dict[str, str | None]
    """Notebook key → path, for each notebook in the history."""


class ExplainRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST training/explain``: the key of the notebook, and the number of its next steps to profile."""

    key: str
    steps: int = 5
