"""Classify the idle time of a device, as far as the driver's readings allow.

There are three signs, each with a physical reason:

- **Idle gaps.** Launching one kernel after another leaves gaps of microseconds. A reading in which no kernel ran
  means a gap as long as the sampling interval: the device waited for a slow operation.
- **Fill**, the share of multiprocessors that a kernel uses. A program limited by launches keeps the device busy for
  5 % of the time or more, since a launch takes about as long as a small kernel. Kernels that fill the chip run much
  longer than a launch: a device that is seldom busy with such kernels is not waiting for launches.
- **The host.** Launching keeps one core at 100 %; loading keeps cores, disks or the network busy. When all of
  them are idle, the device may simply have nothing to do: a person reads a result, or a remote store is slow.
"""

from __future__ import annotations

from enum import Enum
from statistics import median

from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.workload import Workload

IDLE_READINGS_RATIO = Threshold(
    0.3,
    reason="Share of readings without any work. Launch gaps are thousands of times shorter than a reading.",
    margin="A JPEG loader with one worker 0.70 at 10 Hz; launch-bound loops 0.05 and less.",
)
IDLE_GAPS_COUNT = 3
"""Number of idle gaps that make a pattern: one is a pause, and two may be chance."""
SELDOM_BUSY_RATIO = Threshold(
    0.25,
    reason="Below this, kernels that fill the chip (15 µs or more) can't be waiting for launches (about 5 µs).",
    margin="One JPEG worker 0.03; a host-bound loop of such kernels 0.46.",
)
FILLED_RATIO = Threshold(
    0.35,
    reason="SMs active / busy. Kernels of real networks fill half of the chip or more, those of a small MLP hardly any.",
    margin="Image and language networks 0.6 to 1.0; a small MLP 0.01; copies 0.1.",
)
TINY_RATIO = Threshold(
    0.2,
    reason="Kernels that fill less than a fifth of the chip take as long as their launch.",
    margin="A small MLP 0.01; the smallest real network 0.6.",
)
TRAFFIC_RATIO = Threshold(
    0.15,
    reason="Without GPM: share of busy time with memory access. Real networks access memory all the time.",
    margin="Networks 0.20 to 0.74; copies from the host 0.07; a small MLP 0.00.",
)
NO_TRAFFIC_RATIO = Threshold(
    0.03,
    reason="Without GPM: kernels too small to show up in the memory controller.",
    margin="A small MLP 0.00; copies from the host 0.07.",
)
STALL_SECONDS = Threshold(
    0.7,
    reason="Too long for a step of a training loop that otherwise keeps the device busy.",
    margin="Checkpoints of 1.6 GB stall 2 to 2.5 s; a loader's batches come within 0.4 s.",
)
RUN_SECONDS = Threshold(
    0.5,
    reason="Several steps between two stalls. Shorter runs are single batches.",
    margin="Between checkpoints 1.5 to 2 s; a batch of a starved loader 0.02 to 0.3 s.",
)
RUN_BUSY_RATIO = Threshold(
    0.3,
    reason="Between stalls the device works at its usual speed; a starved one never does.",
    margin="Between checkpoints 0.70; bursts of a starved loader 0.09.",
)
IDLE_HOST_CORES = Threshold(
    0.5,
    reason="A program that launches, decodes or copies keeps one core busy.",
    margin="All our working loops 0.9 and more; an idle host 0.05.",
)
IDLE_HOST_BYTES_PER_SECOND = Threshold(
    20e6,
    reason="Disk or network traffic too low for training: logs, pages, heartbeats.",
    margin="An idle host below 1 MB/s; a disk that feeds training was not measured.",
)


class IdlePattern(Enum):
    """Pattern of a device's idle time."""

    IDLE_GAPS = "idle again and again, for longer than any launch takes"
    STALLS = "full speed, with stalls of seconds again and again"
    LAUNCHES = "tiny kernels one after another"
    SHORT_GAPS = "idle gaps too short to be seen"
    PAUSE = "idle once or twice, for whatever reason"
    UNKNOWN = "not visible in the readings"


def idle_pattern_of(work: Workload) -> IdlePattern:
    """Return the pattern of a device's idle time."""
    if is_stalling(work):
        return IdlePattern.STALLS
    if work.idle_readings_ratio >= IDLE_READINGS_RATIO:
        is_regular = len(work.idle_gaps_seconds) >= IDLE_GAPS_COUNT
        return IdlePattern.IDLE_GAPS if is_regular else IdlePattern.PAUSE
    is_filled = is_tiny = False
    if work.fill_ratio is not None:
        is_filled, is_tiny = work.fill_ratio >= FILLED_RATIO, work.fill_ratio < TINY_RATIO
    elif work.traffic_ratio is not None:
        is_filled = work.traffic_ratio >= TRAFFIC_RATIO
        is_tiny = work.traffic_ratio < NO_TRAFFIC_RATIO
    if is_tiny:
        return IdlePattern.LAUNCHES
    if is_filled and work.busy_ratio < SELDOM_BUSY_RATIO:
        return IdlePattern.IDLE_GAPS
    return (
        IdlePattern.SHORT_GAPS if is_filled or work.fill_ratio is not None else IdlePattern.UNKNOWN
    )


def is_stalling(work: Workload) -> bool:
    """Return whether work at full speed alternates with stalls of a second or more."""
    return (
        len(stalls_of(work)) >= 2
        and usual_run_seconds(work) >= max(RUN_SECONDS, 0.9 * work.interval_seconds)
        and work.run_busy_ratio >= RUN_BUSY_RATIO
    )


def stalls_of(work: Workload) -> list[float]:
    """Return the lengths of the idle gaps that are long enough to be stalls, in seconds."""
    least = max(STALL_SECONDS, 0.9 * work.interval_seconds)
    return [length for length in work.idle_gaps_seconds if length >= least]


def usual_run_seconds(work: Workload) -> float:
    """Return the median of the longer half of the busy runs, in seconds; 0 if there are no runs."""
    runs = sorted(work.busy_runs_seconds)
    return median(runs[len(runs) // 2 :]) if runs else 0.0


def is_host_idle(work: Workload) -> bool:
    """Return whether CPU, disk and network were nearly idle; ``False`` if CPU use is unknown."""
    traffic = (work.disk_read_bytes_per_second, work.network_bytes_per_second)
    is_quiet = all((each or 0.0) < IDLE_HOST_BYTES_PER_SECOND for each in traffic)
    return is_quiet and work.host_cores is not None and work.host_cores < IDLE_HOST_CORES
