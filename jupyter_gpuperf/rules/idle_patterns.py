"""Classify the idle time of a device, as far as the driver's readings allow.

There are four signs, each with a physical reason:

- **Idle gaps.** Launching one kernel after another leaves gaps of microseconds. A reading in which no kernel ran
  means a gap as long as the sampling interval: the device waited for a slow operation.
- **Fill**, the share of multiprocessors that a kernel uses. A program limited by launches keeps the device busy for
  5 % of the time or more, since a launch takes about as long as a small kernel. Kernels that fill the chip run much
  longer than a launch: a device that is seldom busy with such kernels is not waiting for launches.
- **Power.** Without GPM, a reading covers a sixth of a second or a little more. At one reading a second, bursts of work
  many times a second look like work that stops for seconds. On most chips, the power is an average over a second: it
  falls in a stall, and stays level if each second contains the same work.
- **The host.** Launching keeps one core at 100 %; loading keeps cores, disks or the network busy. When all of
  them are idle, the device may simply have nothing to do: a person reads a result, or a remote store is slow.
"""

from __future__ import annotations

from enum import Enum
from statistics import median

from jupyter_gpuperf.rules.phases import Phase
from jupyter_gpuperf.rules.threshold import Threshold
from jupyter_gpuperf.rules.workload import Workload

IDLE_READINGS_RATIO = Threshold(
    0.3,
    reason="Share of readings without any work. Launch gaps are thousands of times shorter than a reading.",
    margin="A JPEG loader with one worker 0.70 at 10 Hz; launch-bound loops 0.05 and less.",
)
IDLE_WINDOWS_RATIO = Threshold(
    0.1,
    reason="The same for readings that leave out time: the shorter a gap, the fewer of them fall into it as a whole.",
    margin="A slow remote store 0.59 once a second; launch-bound loops 0.",
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
STALL_POWER_RATIO = Threshold(
    0.5,
    reason="With readings that leave out time: power in a stall, divided by that of full speed. Batches more often than "
    "once a second differ by less, as the power is an average over a second.",
    margin="Once a second: checkpoints 0.2 to 0.3, a stop of 1.5 s 0.2; a slow remote store 0.9.",
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
    GLIMPSES = "seen at work now and then, by readings that leave out most of the time"
    UNKNOWN = "not visible in the readings"


def idle_pattern_of(work: Workload) -> IdlePattern:
    """Return the pattern of a device's idle time."""
    if is_stalling(work):
        return IdlePattern.STALLS
    if (waiting := _long_gaps_of(work)) is not None:
        return waiting
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


def _long_gaps_of(work: Workload) -> IdlePattern | None:
    gaps_count = sum(each.is_idle for each in work.phases)
    is_regular = gaps_count >= IDLE_GAPS_COUNT
    least = IDLE_WINDOWS_RATIO if work.is_sampled and is_regular else IDLE_READINGS_RATIO
    if work.idle_readings_ratio < least:
        return None
    if is_regular:
        return IdlePattern.IDLE_GAPS
    # Two glimpses in a row are as likely as one.
    is_rare = work.is_sampled and usual_run_seconds(work) <= 2.5 * work.interval_seconds
    return IdlePattern.GLIMPSES if is_rare else IdlePattern.PAUSE


def is_stalling(work: Workload) -> bool:
    """Return whether work at full speed alternates with stalls of a second or more."""
    return _times_gaps(work) and _alternates(work)


def are_gaps_short(work: Workload) -> bool:
    """Return whether the readings show that the idle gaps are shorter than a stall, if there are no stalls."""
    if not work.is_sampled:
        return True
    gaps = [each for each in work.phases if each.is_idle]
    is_seen = work.is_power_averaged and not any(_lowers_power(gap, work) for gap in gaps)
    return is_seen or not gaps


def may_be_stalling(work: Workload) -> bool:
    """Return whether work and stalls seem to alternate, but the readings leave out too much of the time to tell."""
    return not _times_gaps(work) and _alternates(work)


def stalls_of(work: Workload) -> list[float]:
    """Return the lengths of the idle gaps that are stalls, in seconds: long gaps, each between two long busy runs."""
    least = max(STALL_SECONDS, 0.9 * work.interval_seconds)
    return [
        gap.seconds
        for before, gap, after in zip(
            (None, *work.phases), work.phases, (*work.phases[1:], None), strict=False
        )
        if gap.is_idle
        and gap.seconds >= least
        and all(_is_long(run, work) for run in (before, after) if run)
        and _lowers_power(gap, work)
    ]


def usual_run_seconds(work: Workload) -> float:
    """Return the median of the longer half of the busy runs, in seconds; 0 if there are no runs."""
    runs = sorted(work.busy_runs_seconds)
    return median(runs[len(runs) // 2 :]) if runs else 0.0


def _times_gaps(work: Workload) -> bool:
    return work.is_power_averaged or not work.is_sampled


def _alternates(work: Workload) -> bool:
    return len(stalls_of(work)) >= 2 and work.run_busy_ratio >= RUN_BUSY_RATIO


def _is_long(run: Phase, work: Workload) -> bool:
    return run.is_cut or run.seconds >= max(RUN_SECONDS, 0.9 * work.interval_seconds)


def _lowers_power(gap: Phase, work: Workload) -> bool:
    """Return whether the power shows that the device was idle all the time between the readings of a gap."""
    if not (work.is_sampled and work.is_power_averaged):
        return True
    runs = [run.power_watts for run in work.phases if not run.is_idle and run.power_watts]
    if gap.power_watts is None or not runs:
        return False
    return gap.power_watts <= STALL_POWER_RATIO * median(runs)


def is_host_idle(work: Workload) -> bool:
    """Return whether CPU, disk and network were nearly idle; ``False`` if CPU use is unknown."""
    traffic = (work.disk_read_bytes_per_second, work.network_bytes_per_second)
    is_quiet = all((each or 0.0) < IDLE_HOST_BYTES_PER_SECOND for each in traffic)
    return is_quiet and work.host_cores is not None and work.host_cores < IDLE_HOST_CORES
