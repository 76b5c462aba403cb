"""Training loops: a kernel's reports on its DataLoaders and cells, and what pages get."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.readings import Columns

# Messages from a kernel.


class WatchedLoader(Struct, frozen=True, kw_only=True):
    """A DataLoader with its settings; ``None`` for settings that are unknown, or if it is not torch's."""

    id: int
    """Its number in this kernel."""
    name: str
    """The notebook's variable, otherwise the dataset's class."""
    device_uuid: str | None = None
    """The device that the notebook uses; ``None`` before it used CUDA."""
    batch_size: int | None = None
    batches_per_epoch: int | None = None
    num_workers: int = 0
    prefetch_factor: int | None = None
    pin_memory: bool = False
    persistent_workers: bool = False
    arguments: list[str] | None = None
    """The arguments, as code in its notebook, that recreate it apart from the settings above; empty if none make an
    equal
    one; ``None`` if it has no name, or was not examined.
    """
    worker_threads: int | None = None
    """Threads that computed in one of its workers during the last seconds."""
    rank: int | None = None
    """This process's rank among those that train together; ``None`` if it trains alone."""
    ranks_count: int | None = None


class StepTally(Struct, frozen=True, kw_only=True):
    """Some complete steps of one loader: from requesting one batch to requesting the next."""

    loader: int
    began_seconds: float
    """Unix time."""
    ended_seconds: float
    count: int
    training_count: int
    """Steps with gradients enabled."""
    nested_count: int
    """Steps not in ``count``: they contained another loop (an evaluation) or the pause between two cells."""
    samples_count: float
    """Samples of ``count`` steps."""
    step_seconds: float
    """Sum over ``count`` steps."""
    wait_seconds: float
    """Sum of the host's waits in ``next()``, a part of ``step_seconds``."""
    event_step_seconds: float
    """Sum over the steps whose CUDA events were read; 0 without a GPU."""
    event_idle_seconds: float
    """The GPU's idle time in these steps caused by waiting for data."""
    epoch_batches: int
    """Batches of the current epoch so far."""
    bins: dict[str, int]
    """Step times: bin number (see :func:`bin_seconds`) → number of steps."""


class Steps(Struct, frozen=True, kw_only=True, tag="steps"):
    """A kernel's report, sent a few times a second while loops run."""

    kernel_id: str | None
    notebook_path: str | None
    loaders: list[WatchedLoader]
    tallies: list[StepTally]


class CellRan(Struct, frozen=True, kw_only=True, tag="cell"):
    """A cell of a watched notebook has ended; answered with a :class:`Footprint`."""

    kernel_id: str | None
    notebook_path: str | None
    number: int
    began_seconds: float
    ended_seconds: float
    device_uuids: list[str]
    """Devices on which the notebook holds memory."""


class Footprint(Struct, frozen=True, kw_only=True, tag="footprint"):
    """What the devices did while a cell ran; ``None`` if there is no reading for that time."""

    number: int
    busy_percent: float | None
    busy_metric: str | None
    energy_joules: float | None


class ExplainNow(Struct, frozen=True, kw_only=True, tag="explain"):
    """Asks a kernel to profile the next steps of its running loop."""

    steps: int


BINS_PER_OCTAVE = 4
SHORTEST_STEP_SECONDS = 1e-6


def bin_seconds(number: int) -> float:
    """Return the lower bound of a step time bin, in seconds: four bins per octave, from one microsecond."""
    return float(SHORTEST_STEP_SECONDS * 2 ** (number / BINS_PER_OCTAVE))


# What pages and scripts get.

BusyMetric = Literal["graphics_active_percent", "utilization_percent"]


class StepBin(Struct, frozen=True, kw_only=True):
    """Steps that took from ``low_seconds`` up to ``high_seconds``."""

    low_seconds: float
    high_seconds: float
    count: int


class LoaderSteps(Struct, frozen=True, kw_only=True):
    """A loader's steps over the last seconds; ratios are shares of the steps' time."""

    pid: int | None
    notebook: str
    device_uuid: str | None
    loader: str
    loader_id: int
    count: int
    step_seconds: float
    """Mean."""
    samples_per_second: float | None
    wait_ratio: float
    """The host's wait in ``next()``. Overstates starvation if the GPU has queued work."""
    idle_for_data_ratio: float | None
    """The GPU's idle time caused by waiting for data, by CUDA events; ``None`` without them."""
    busy_ratio: float | None
    """The share of time that the device was busy, as reported by the driver; ``None`` if it is not known."""
    busy_metric: BusyMetric | None
    idle_for_host_ratio: float | None
    """The GPU's remaining idle time: launches, synchronisation, copies, Python."""
    batch_size: int | None
    batches_per_epoch: int | None
    num_workers: int
    prefetch_factor: int | None
    pin_memory: bool
    persistent_workers: bool
    worker_threads: int | None
    is_training: bool
    epoch_batches: int
    epoch_left_seconds: float | None
    """At the current pace; ``None`` if the epoch's length is not known."""
    last_seconds: float
    """Unix time of the latest step."""
    bins: list[StepBin]
    notebook_key: str = ""
    """The key of its :class:`NotebookTraining`."""
    rank: int | None = None
    """The process's rank among those that train together; ``None`` if it trains alone."""
    ranks_count: int | None = None
    arguments: list[str] | None = None
    """As in :class:`WatchedLoader`; recordings omit it."""


class CellMark(Struct, frozen=True, kw_only=True):
    """When a cell ran, for the charts."""

    number: int
    began_seconds: float
    ended_seconds: float


class NotebookTraining(Struct, frozen=True, kw_only=True):
    """A watched notebook."""

    key: str
    """The kernel's id, otherwise the process id."""
    pid: int | None
    notebook_path: str | None
    connected: bool
    loaders: list[LoaderSteps]
    """Loaders with steps during the last minutes, the training loop first."""
    cells: list[CellMark]


class TrainingNow(Struct, frozen=True, kw_only=True, tag="training"):
    """The state of all watched notebooks; sent on the live socket when it changes."""

    time_seconds: float
    window_seconds: float
    notebooks: list[NotebookTraining]


class Training(Struct, frozen=True, kw_only=True):
    """Answer of ``GET training``."""

    now: TrainingNow
    history: dict[str, Columns]
    """Notebook's key → ``samples_per_second``, ``step_seconds`` and the ratios over time.

    This covers everything that trained in this period, including loops that are no longer in ``now``.
    """
    paths: dict[str, str | None]
    """Notebook's key → its path, for each notebook in the history."""


class ExplainRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST training/explain``: the notebook whose next steps to profile."""

    key: str
    steps: int = 5
