"""Two H100s, recorded: who is late, why, who waits, and what each does of its own."""

from __future__ import annotations

import pytest
from perturbing import NAMES
from recorded_pairs import BUSY_DIFFERENTLY, CONTENDED, PHASES, PIDS, RANKS, recorded

from jupyter_gpuperf.findings.build_rule_input import input_of_recording
from jupyter_gpuperf.rules import RULES, judge


def found_in(path, *span):
    """Return what is found, by code and the device's number."""
    window = input_of_recording(recorded(path, *span), NAMES)
    numbers = {device.uuid: device.index for device in window.devices}
    assert sorted(numbers.values()) == [0, 1]
    return {(each.code, numbers[each.device]): each for each in judge(window, RULES)}


def loud(found):
    return {key for key, each in found.items() if each.severity != "info"}


LATE = ("communication-bound", 1)


@pytest.mark.parametrize("phase", ["balanced", "balanced again"])
def test_of_two_ranks_that_are_alike_nothing_is_said(phase):
    assert loud(found_in(RANKS, *PHASES[phase])) == set()


@pytest.mark.parametrize(
    ("phase", "beside", "cause", "confidence"),
    [
        ("late by its loader", {("input-bound", 1)}, "waits for data", "confirmed"),
        ("late by its host", {("launch-bound", 1)}, "waits for its host", "confirmed"),
        ("late by its GPU", {("power-capped", 1)}, "computes longer", "suspected"),
    ],
)
def test_the_rank_that_is_late_is_named_with_the_cause_and_of_who_waits_nothing_is_said(
    phase, beside, cause, confidence
):
    found = found_in(RANKS, *PHASES[phase])
    assert loud(found) == {LATE} | beside
    late = found[LATE]
    assert late.summary.startswith(f"GPU 1 (process {PIDS[1]}) {cause} and delays GPU 0 by ")
    assert (late.pid, late.confidence) == (PIDS[1], confidence)
    assert late.evidence["waiting_device_indexes"] == "0"
    assert late.lost_ratio > 0.4
    assert {device for _, device in found} == {1}


def test_a_loader_that_is_late_is_measured_on_its_own_device():
    found = found_in(RANKS, *PHASES["late by its loader"])
    assert found["input-bound", 1].confidence == "confirmed"
    assert found[LATE].evidence["late_idle_for_data_ratio"] == pytest.approx(0.56, abs=0.02)
    # NCCL's kernel waits on the other: busy all the time, and half of the chip at rest.
    assert found[LATE].evidence["waiting_idle_ratio"] < 0.05
    assert found[LATE].evidence["waiting_filled_ratio"] < 0.6


def test_two_trainings_on_one_device_are_said_of_that_device_alone():
    found = found_in(CONTENDED)
    assert loud(found) == {("gpu-contention", 0)}
    assert {device for _, device in found} == {0}


def test_each_of_two_devices_is_judged_by_its_own_work():
    assert loud(found_in(BUSY_DIFFERENTLY)) == {("power-capped", 0), ("input-bound", 1)}
