"""Tokens a second, and model FLOPs over a device's peak, from what a kernel reports."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.display.watch_report import WatchReport
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.step_window import steps_of
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import Frame
from jupyter_gpuperf.schemas.phases import FollowedSteps, merged_phases
from jupyter_gpuperf.schemas.training import StepTally, WatchedLoop, merged
from jupyter_gpuperf.schemas.work import WorkSum

STEP_SECONDS = 0.05
PEAK = 989.4e12


def followed(**work):
    sums = {name: WorkSum(amount=amount, steps=steps) for name, (amount, steps) in work.items()}
    return FollowedSteps(count=4, step_seconds=0.2, has_forward=True, phases={}, work=sums)


def tally(**changes):
    fields = {
        "loader": 1,
        "began_seconds": 100.0,
        "ended_seconds": 101.0,
        "count": 20,
        "training_count": 20,
        "interrupted_count": 0,
        "samples_count": 0.0,
        "step_seconds": 20 * STEP_SECONDS,
        "wait_seconds": 0.0,
        "event_step_seconds": 0.0,
        "event_idle_seconds": 0.0,
        "epoch_batches": 20,
        "bins": {},
        "followed": followed(tokens=(4 * 8192.0, 4), samples=(4 * 8.0, 4), flops=(4 * 2e13, 4)),
    } | changes
    return StepTally(**fields)


def loop(**changes):
    fields = {
        "id": 1,
        "name": "loader",
        "device_uuid": "GPU-1",
        "flops_format": "bf16",
        "peak_flops_per_second": PEAK,
        "peak_clock_mhz": 1830.0,
    }
    return WatchedLoop(**fields | changes)


def shown(info, *tallies, clock=lambda *_: 1400.0):
    return steps_of(info, tallies, pid=1, notebook="", busy=lambda *_: None, clock_mhz=clock)


def test_rates_are_the_mean_of_a_step_times_all_steps_a_second():
    steps = shown(loop(), tally())
    assert steps.tokens_per_second == pytest.approx(8192 / STEP_SECONDS)
    assert steps.samples_per_second == pytest.approx(8 / STEP_SECONDS)
    assert steps.flops_per_step == pytest.approx(2e13)
    assert steps.flops_utilization_ratio == pytest.approx(2e13 / STEP_SECONDS / PEAK)
    at_clock = steps.flops_utilization_ratio * 1830 / 1400
    assert steps.flops_utilization_at_clock_ratio == pytest.approx(at_clock)


def test_the_loaders_own_count_of_samples_stays():
    assert shown(loop(), tally(samples_count=640.0)).samples_per_second == pytest.approx(640)


@pytest.mark.parametrize(
    ("info", "figures"),
    [
        (loop(peak_flops_per_second=None), (2e13, None, None)),
        (loop(flops_format=None, flops_unknown="compiled"), (None, None, None)),
    ],
)
def test_what_is_unknown_is_no_zero(info, figures):
    steps = shown(info, tally())
    found = (
        steps.flops_per_step,
        steps.flops_utilization_ratio,
        steps.flops_utilization_at_clock_ratio,
    )
    assert found == figures
    nothing = shown(info, tally(followed=followed()))
    assert (nothing.tokens_per_second, nothing.samples_per_second) == (None, None)


def test_without_readings_of_the_clock_only_the_data_sheets_peak_counts():
    steps = shown(loop(), tally(), clock=lambda *_: None)
    assert steps.flops_utilization_ratio is not None
    assert steps.flops_utilization_at_clock_ratio is None


def test_merged_tallies_keep_the_mean_of_the_steps_that_know_it():
    unknown = tally(followed=followed())
    both = merged(merged(unknown, tally()), tally(followed=followed(tokens=(2 * 4096.0, 2))))
    work = both.followed.work
    assert work["tokens"].mean() == pytest.approx((4 * 8192 + 2 * 4096) / 6)
    assert work["flops"] == WorkSum(amount=8e13, steps=4)
    assert merged_phases(followed(), followed()).work == {}


def test_the_mean_clock_of_a_span_is_that_of_the_readings():
    history = HistoryStore(
        seconds=600,
        shortest_interval_seconds=0.1,
        device_metrics=["clock_sm_mhz"],
        host_metrics=[],
    )
    for second, clock in enumerate((1000.0, 1400.0, 1600.0, 1980.0)):
        devices = {"GPU-1": {"clock_sm_mhz": clock}}
        history.append(
            Frame(time_seconds=1000.0 + second, devices=devices, host={}, host_cores_percent=[])
        )
    usage = DeviceUsage(history, now=lambda: 1004.0)
    assert usage.clock_mhz("GPU-1", 1000.5, 1002.5) == pytest.approx(1500, rel=0.01)
    assert usage.clock_mhz("GPU-2", 1000.5, 1002.5) is None


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (loop(), "40.4 % of bf16 peak"),
        (loop(peak_flops_per_second=None), "400 TFLOP/s"),
        (loop(flops_format=None, flops_unknown="several_models"), "not counted: several models"),
    ],
)
def test_the_report_shows_tokens_and_operations(info, text):
    report = str(WatchReport("Heading", [shown(info, tally())], [], []))
    assert text in report.replace("\xa0", " ")
    assert "163\u202f840" in report
