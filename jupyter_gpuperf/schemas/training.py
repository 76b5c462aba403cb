"""Training loops: what a kernel tells of its DataLoaders and cells, and what a page is shown of them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from jupyter_gpuperf.schemas.readings import Columns

# What a kernel sends.


class WatchedLoader(Struct, frozen=True, kw_only=True):
    """A DataLoader with its settings; ``None`` where it does not tell, or it is not torch's."""

    id: int
    """Its number in this kernel."""
    name: str
    """The notebook's variable, else its data set's class."""
    device_uuid: str | None = None
    """Where the notebook computes; ``None`` before it used CUDA."""
    batch_size: int | None = None
    batches_per_epoch: int | None = None
    num_workers: int = 0
    prefetch_factor: int | None = None
    pin_memory: bool = False
    persistent_workers: bool = False
    arguments: list[str] | None = None
    """As code in its notebook, what makes it again but for the settings above; empty where nothing makes an equal one;
    ``None`` where it has no name, or nobody looked."""
    worker_threads: int | None = None
    """Threads that computed in one of its workers during the last seconds."""
    rank: int | None = None
    """This process's number among those that train together; ``None`` where it is alone."""
    ranks_count: int | None = None


class StepTally(Struct, frozen=True, kw_only=True):
    """Some whole steps of one loader: from asking for one batch to asking for the next."""

    loader: int
    began_seconds: float
    """Unix time."""
    ended_seconds: float
    count: int
    training_count: int
    """Those with gradients on."""
    nested_count: int
    """Steps beside ``count`` that held other loops, as an evaluation, or the pause between two cells."""
    samples_count: float
    """Samples of ``count`` steps."""
    step_seconds: float
    """Sum of ``count`` steps."""
    wait_seconds: float
    """Sum of the host's waits in ``next()``, a part of ``step_seconds``."""
    event_step_seconds: float
    """Sum of those steps whose CUDA events are read; 0 without a GPU."""
    event_idle_seconds: float
    """The GPU's idle time in them that waiting for data caused."""
    epoch_batches: int
    """Batches of the running epoch so far."""
    bins: dict[str, int]
    """Step times: number of a bin (see :func:`bin_seconds`) → steps in it."""


class Steps(Struct, frozen=True, kw_only=True, tag="steps"):
    """What a kernel tells, a few times a second while loops run."""

    kernel_id: str | None
    notebook_path: str | None
    loaders: list[WatchedLoader]
    tallies: list[StepTally]


class CellRan(Struct, frozen=True, kw_only=True, tag="cell"):
    """A cell of a watching notebook has ended; answered with a :class:`Footprint`."""

    kernel_id: str | None
    notebook_path: str | None
    number: int
    began_seconds: float
    ended_seconds: float
    device_uuids: list[str]
    """Where the notebook holds memory."""


class Footprint(Struct, frozen=True, kw_only=True, tag="footprint"):
    """What the devices did while a cell ran; ``None`` where there is no reading of that time."""

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
    """Return where a bin of step times begins: four to an octave, from a microsecond on."""
    return float(SHORTEST_STEP_SECONDS * 2 ** (number / BINS_PER_OCTAVE))


# What a page and a script are shown.

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
    """The host's wait in ``next()``. Overstates starvation where the GPU has work queued."""
    idle_for_data_ratio: float | None
    """The GPU's idle time that waiting for data caused, by CUDA events; ``None`` without."""
    busy_ratio: float | None
    """The device's busy share by the driver; ``None`` where it is not known."""
    busy_metric: BusyMetric | None
    idle_for_host_ratio: float | None
    """What is left: launches, synchronisation, copies, Python."""
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
    """At the present pace; ``None`` where the epoch's length is not known."""
    last_seconds: float
    """Unix time of the newest step."""
    bins: list[StepBin]
    notebook_key: str = ""
    """That of :class:`NotebookTraining`."""
    rank: int | None = None
    """The process's number among those that train together; ``None`` where it is alone."""
    ranks_count: int | None = None
    arguments: list[str] | None = None
    """Those of :class:`WatchedLoader`; recordings leave it out."""


class CellMark(Struct, frozen=True, kw_only=True):
    """When a cell ran, for the charts."""

    number: int
    began_seconds: float
    ended_seconds: float


class NotebookTraining(Struct, frozen=True, kw_only=True):
    """A watching notebook."""

    key: str
    """The kernel's id, else the process's number."""
    pid: int | None
    notebook_path: str | None
    connected: bool
    loaders: list[LoaderSteps]
    """Those that stepped during the last minutes, the training loop first."""
    cells: list[CellMark]


class TrainingNow(Struct, frozen=True, kw_only=True, tag="training"):
    """What all watching notebooks do; on the live socket when it changes."""

    time_seconds: float
    window_seconds: float
    notebooks: list[NotebookTraining]


class Training(Struct, frozen=True, kw_only=True):
    """Answer of ``GET training``."""

    now: TrainingNow
    history: dict[str, Columns]
    """Notebook's key → ``samples_per_second``, ``step_seconds`` and the ratios over time.

    Of all that trained in these seconds, also of those that are not shown as of now any more.
    """
    paths: dict[str, str | None]
    """Notebook's key → where it lies, of each in the history."""


class ExplainRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST training/explain``: which notebook's next steps to profile."""

    key: str
    steps: int = 5
