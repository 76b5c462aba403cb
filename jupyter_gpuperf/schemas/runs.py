"""A script's run under ``jupyter gpuperf run``, as it is saved to a file."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from jupyter_gpuperf.schemas.bounds import Bytes, Count, Quantity, Seconds
from jupyter_gpuperf.schemas.findings import Finding
from jupyter_gpuperf.schemas.jobs import Scalar
from jupyter_gpuperf.schemas.phases import HostLines, Phase, PhaseSeconds
from jupyter_gpuperf.schemas.precision import Interval
from jupyter_gpuperf.schemas.work import FlopsFormat

RUN_FORMAT: Final = "jupyter_gpuperf.run"
RUN_VERSION: Final = 1


class RunMemory(Struct, frozen=True, kw_only=True):
    """GPU memory of a loop's process; ``None`` without a GPU."""

    allocated_bytes: Bytes | None = None
    """Memory of tensors at the end of one of the last steps."""
    reserved_bytes: Bytes | None = None
    """What torch held of the GPU's memory then, used or not."""
    peak_allocated_bytes: Bytes | None = None
    """Torch's own peak, since the script last reset it."""


class RunLoop(Struct, frozen=True, kw_only=True):
    """A loop of a run. Times and ratios are means over its steps, without those of the warm-up."""

    name: str
    """The name of the loader or the optimizer, otherwise of the class of the dataset or the optimizer."""
    steps: Count
    """Number of steps, with those of the warm-up."""
    warmup_steps: Count
    """Number of slow steps at the begin, which are left out."""
    is_training: bool
    step_seconds: Interval | None
    """``None`` if the loop was too short for an interval."""
    samples_per_second: Quantity | None
    tokens_per_second: Quantity | None = None
    flops_format: FlopsFormat | None = None
    flops_utilization_ratio: Quantity | None = None
    """Model FLOPs over the device's dense peak in this format."""
    wait_ratio: float | None
    """Share of a step in which the host waits for the loader; ``None`` in loops without a loader."""
    idle_for_data_ratio: float | None
    """Share of a step in which the GPU waits for data; ``None`` if it is unknown."""
    phases: dict[Phase, PhaseSeconds] | None
    """Mean times of each phase of a step; ``None`` if none was measured."""
    host_lines: HostLines | None
    """Where the host spends the most time apart from the passes, in the last seconds."""
    memory: RunMemory
    batch_size: Count | None
    num_workers: Count | None
    """``None`` in loops without a loader."""
    device_uuid: str | None
    pid: int | None
    rank: Count | None


class RunDevice(Struct, frozen=True, kw_only=True):
    """A GPU that the run used. Means and sums are over the time in which the run used it; ``None`` is unknown."""

    uuid: str
    index: Count
    """The driver's number of the device, for display."""
    name: str
    seconds: Seconds
    busy_percent: float | None
    busy_metric: str | None
    peak_memory_used_bytes: Bytes | None
    """Peak of the memory in use by all processes."""
    mean_power_watts: float | None
    mean_clock_sm_mhz: float | None
    energy_joules: float | None
    max_temperature_celsius: float | None


class RunRecord(Struct, frozen=True, kw_only=True):
    """A script's run."""

    format: str = RUN_FORMAT
    format_version: int = RUN_VERSION
    command: list[str]
    began_seconds: Seconds
    """Unix time at which it began."""
    seconds: Seconds
    exit_status: int
    """As a shell reports it: 128 and the signal's number if a signal ended it."""
    loops: list[RunLoop]
    """The loops, training loops first."""
    devices: list[RunDevice]
    findings: list[Finding]
    """What held while the loops ran, the worst first."""
    is_judged: bool
    """Whether it used a GPU for long enough to look for causes: only then does the lack of findings mean anything."""
    environment: dict[str, Scalar | None]
    notes: list[str] = []
    """What could not be seen, and why."""
