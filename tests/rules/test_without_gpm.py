"""Devices before Hopper have no GPM: nothing false is found, and nothing missed that their readings show."""

from __future__ import annotations

import pytest
from driver_windows import AVERAGED, INSTANT, seen
from made import steps
from perturbing import judged
from without_gpm import MODES, SEVERAL, before_hopper, once_a_second, recordings, variants

from jupyter_gpuperf.rules import RULES, Finding, RuleInput, judge, undecided_on
from jupyter_gpuperf.schemas.step_bins import StepBin

FROM_GPM = {
    "filled_ratio",
    "tensor_active_percent",
    "fp32_active_percent",
    "dram_bandwidth_percent",
    "nvlink_used_ratio",
    "host_to_device_bytes_per_second",
    "device_to_host_bytes_per_second",
    "pcie_used_ratio",
    "copying_ratio",
}
"""Evidence that only GPM can give."""
PHASES = [0.0, 0.13, 0.37, 0.61, 0.89]


def found(window: RuleInput) -> dict[str, Finding]:
    return {each.code: each for each in judge(window, RULES)}


def of_phases(work_seconds: float, rest_seconds: float, **options) -> list[dict[str, Finding]]:
    return [
        found(seen(work_seconds, rest_seconds, begin_seconds=each, seed=place, **options))
        for place, each in enumerate(PHASES)
    ]


# --- the recordings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [each for each in MODES if each != "with GPM"])
def test_every_recording_comes_out_right(mode):
    change, unseen = MODES[mode]
    for name, (window, truth) in recordings().items():
        missing, false = judged(judge(change(window), RULES), truth)
        assert false == [], name
        if name not in unseen:
            assert missing == [], name


@pytest.mark.parametrize("variant", [each for each in SEVERAL if "off" not in each])
def test_whenever_a_sampler_looks_it_raises_no_false_alarm(variant):
    for name, window in variants(SEVERAL[variant], 3):
        _, false = judged(judge(window, RULES), recordings()[name][1])
        assert false == [], name


@pytest.mark.parametrize("change", [before_hopper, once_a_second])
def test_no_figure_comes_from_counters_that_the_device_does_not_have(change):
    for name, (window, _) in recordings().items():
        for finding in judge(change(window), RULES):
            figures = {key: finding.evidence[key] for key in FROM_GPM & set(finding.evidence)}
            assert set(figures.values()) <= {"unknown"}, (name, finding.code)


def test_the_causes_that_can_not_be_decided_are_named_with_what_is_missing():
    window, _ = recordings()["healthy_gpt_bf16"]
    (undecided,) = undecided_on(before_hopper(window).devices, RULES)
    assert undecided.codes == ["transfer-bound", "tensor-cores-idle", "memory-bandwidth-bound"]
    assert "tensor_active_percent" in undecided.metrics
    assert "Tensor cores" in undecided.summary
    assert list(undecided_on(window.devices, RULES)) == []


# --- a loop that works and rests, in windows of the driver ---------------------------------------------


@pytest.mark.parametrize("compute_capability", [AVERAGED, INSTANT])
@pytest.mark.parametrize(("work", "rest"), [(0.1, 0.3), (0.15, 0.6), (0.3, 0.4)])
def test_batches_that_come_late_many_times_a_second_are_no_stalls_of_seconds(
    work, rest, compute_capability
):
    """Once a second, a slow store looks like work that stops for seconds."""
    for codes in of_phases(work, rest, compute_capability=compute_capability):
        assert "input-bound" in codes
        if compute_capability == AVERAGED:
            assert codes["input-bound"].severity == "warning"
            assert "periodic-stall" not in codes
        else:  # nothing tells: both are said, as notes
            assert {each.severity for each in codes.values()} == {"info"}
            figures = [each.evidence for each in codes.values()]
            assert not any({"stall_seconds", "bursts_per_second"} & set(each) for each in figures)


@pytest.mark.parametrize("period", [0.95, 1.0, 1.05])
def test_a_loop_in_step_with_the_sampler_raises_no_false_alarm(period):
    for share in (0.3, 0.5, 0.7):
        for codes in of_phases(share * period, (1 - share) * period, uneven=0.0):
            loud = {code for code, each in codes.items() if each.severity != "info"}
            assert loud <= {"input-bound"}


@pytest.mark.parametrize(("work", "rest"), [(1.0, 1.5), (3.0, 2.0), (10.0, 2.5)])
def test_stalls_of_seconds_are_found_where_the_power_shows_them(work, rest):
    for codes in of_phases(work, rest):
        assert codes["periodic-stall"].severity == "warning"
        assert codes["periodic-stall"].evidence["stall_seconds"] == pytest.approx(rest, abs=1.1)
    for codes in of_phases(work, rest, compute_capability=INSTANT):
        assert codes["periodic-stall"].severity == "info"


def test_what_is_written_to_disk_tells_a_checkpoint_without_the_power():
    for codes in of_phases(
        3.0, 2.0, compute_capability=INSTANT, host_disk_write_bytes_per_second=4e8
    ):
        assert codes["periodic-stall"].severity == "warning"
        assert "input-bound" not in codes or codes["input-bound"].severity == "info"


def test_busy_workers_tell_a_slow_loader_without_the_power():
    for codes in of_phases(0.15, 0.6, compute_capability=INSTANT, host_cpu_percent=25.0):
        assert codes["input-bound"].severity == "warning"


# --- with the step clock -------------------------------------------------------------------------------

UNSEEN = seen(0.01, 60.0)
"""Memory is held, and no reading meets a batch."""
STARVED = {"wait_ratio": 0.9, "idle_for_data_ratio": 0.9, "idle_for_host_ratio": 0.05}


def watched(window: RuleInput, *steps_of: tuple[float, int], **figures) -> dict[str, Finding]:
    """Return the findings of a loop whose steps took these times, so many each."""
    bins = [StepBin(low_seconds=s, high_seconds=1.2 * s, count=count) for s, count in steps_of]
    count = sum(count for _, count in steps_of)
    mean = sum(seconds * count for seconds, count in steps_of) / count
    loop = steps(count=count, step_seconds=mean, bins=bins, **figures)
    return found(RuleInput(host=window.host, devices=window.devices, steps=(loop,)))


def test_a_loop_whose_batches_no_reading_meets_is_judged_by_its_step_clock():
    assert found(UNSEEN) == {}
    codes = watched(UNSEEN, (0.6, 20), **STARVED)
    assert (codes["input-bound"].severity, codes["input-bound"].confidence) == (
        "critical",
        "confirmed",
    )


def test_the_wait_for_the_first_batch_is_not_the_loops_pace():
    assert "input-bound" not in watched(UNSEEN, (8.0, 1), (0.1, 9), **STARVED)


def test_the_step_clock_tells_stalls_from_late_batches():
    late = seen(0.15, 0.6, compute_capability=INSTANT)
    assert "periodic-stall" not in watched(late, (0.6, 16), **STARVED)
    stalling = seen(3.0, 2.0, compute_capability=INSTANT)
    codes = watched(stalling, (0.1, 90), (2.0, 3), wait_ratio=0.01, idle_for_data_ratio=0.0)
    assert codes["periodic-stall"].severity == "warning"


def test_a_busy_share_from_a_few_windows_makes_no_launch_bound_loop():
    """Half of each step is spent on data, half on work; by chance, fewer readings fall into the work."""
    figures = {"wait_ratio": 0.5, "idle_for_data_ratio": 0.5, "idle_for_host_ratio": 0.2}
    for begin in PHASES:
        codes = watched(seen(0.37, 0.37, begin_seconds=begin), (0.7, 16), **figures)
        assert "launch-bound" not in codes or codes["launch-bound"].severity == "info"


def test_waiting_for_the_host_stays_open_between_launches_and_copies():
    window, _ = recordings()["h2d_bound_pageable"]
    figures = {"wait_ratio": 0.01, "idle_for_data_ratio": 0.0, "idle_for_host_ratio": 0.85}
    once = once_a_second(window)
    uuid = once.devices[0].uuid
    codes = watched(once, (0.1, 100), device_uuid=uuid, **figures)
    assert codes["launch-bound"].confidence == "suspected"
    assert "copies" in codes["launch-bound"].summary
    assert codes["transfer-bound"].severity == "info"
    pinned = watched(once, (0.1, 100), device_uuid=uuid, pin_memory=True, **figures)
    assert pinned["launch-bound"].confidence == "confirmed"
    assert "transfer-bound" not in pinned
