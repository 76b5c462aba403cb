"""Ranks that train together: who is late, why, and that nothing false is said of those who wait."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made import device, steps, window
from msgspec import structs

from jupyter_gpuperf.rules import RULES, judge
from jupyter_gpuperf.rules.straggler import LATE_RATIO

SPINNING = {"utilization_percent": 100.0, "tensor_active_percent": 18.0, "power_watts": 300.0}
"""A device half of whose time NCCL waits: busy by the driver, and little of it at work."""


def findings(*devices, told, **options):
    return judge(window(*devices, steps=told, **options), RULES)


def loud(*devices, told):
    found = findings(*devices, told=told)
    return {(each.code, each.device) for each in found if each.severity != "info"}


def gpu(index, **changes):
    return replace(device(f"GPU-{index}", **changes), index=index)


def rank(index, *, ranks_count=2, **changes):
    usual = {
        "pid": 100 + index,
        "device_uuid": f"GPU-{index}",
        "notebook_key": "k1",
        "rank": index,
        "ranks_count": ranks_count,
        "busy_ratio": 1.0,
        "idle_for_host_ratio": 0.0,
        "step_seconds": 0.2 + 0.001 * index,  # each counts its own
    }
    return steps(**usual | changes)


STARVED = {
    "wait_ratio": 0.55,
    "idle_for_data_ratio": 0.5,
    "idle_for_host_ratio": 0.03,
    "busy_ratio": 0.47,
}
HELD_UP_BY_ITS_HOST = {
    "idle_for_data_ratio": 0.01,
    "idle_for_host_ratio": 0.49,
    "busy_ratio": 0.5,
}
HALF = {"utilization_percent": 48.0, "sm_active_percent": 44.0, "tensor_active_percent": 20.0}


def waiting_gpu(index):
    return gpu(index, sm_active_percent=50.0, **SPINNING)


def test_ranks_that_are_alike_wait_for_nobody():
    assert loud(gpu(0), gpu(1), told=[rank(0), rank(1)]) == set()


def test_ranks_that_launch_slowly_alike_wait_for_nobody():
    slow = {"idle_for_host_ratio": 0.35, "busy_ratio": 0.65}
    pair = [gpu(index, utilization_percent=65.0, sm_active_percent=55.0) for index in (0, 1)]
    told = [rank(0, **slow), rank(1, **slow | {"idle_for_host_ratio": 0.4})]
    assert "communication-bound" not in {code for code, _ in loud(*pair, told=told)}


def test_a_rank_that_waits_for_its_data_holds_up_the_other():
    found = findings(waiting_gpu(0), gpu(1, **HALF), told=[rank(0), rank(1, **STARVED)])
    said = {each.code: each for each in found if each.severity != "info"}
    late = said["communication-bound"]
    assert (late.severity, late.confidence) == ("warning", "confirmed")
    assert (late.device, late.pid) == ("GPU-1", 101)
    assert "GPU 1 (process 101)" in late.summary
    assert "waits for data" in late.summary
    assert "delays GPU 0 by 50 %" in late.summary
    assert late.evidence["late_idle_for_data_ratio"] == 0.5
    assert late.evidence["waiting_idle_ratio"] == 0.0
    assert late.lost_ratio == pytest.approx(0.5)
    assert "DataLoader" in late.advice
    assert said["input-bound"].device == "GPU-1"
    assert set(said) == {"communication-bound", "input-bound"}
    assert {each.device for each in found} == {"GPU-1"}  # of who waits, nothing at all is said


def test_a_rank_whose_host_is_late_is_told_from_one_whose_data_is():
    found = findings(waiting_gpu(0), gpu(1, **HALF), told=[rank(0), rank(1, **HELD_UP_BY_ITS_HOST)])
    (late,) = [each for each in found if each.code == "communication-bound"]
    assert (late.device, late.confidence) == ("GPU-1", "confirmed")
    assert "waits for its host" in late.summary
    assert "input-bound" not in {each.code for each in found}
    assert {each.device for each in found} == {"GPU-1"}


def test_a_rank_that_computes_for_longer_is_suspected():
    told = [rank(0), rank(1)]
    (late,) = findings(waiting_gpu(0), gpu(1, sm_active_percent=95.0), told=told)
    assert (late.code, late.device) == ("communication-bound", "GPU-1")
    assert (late.severity, late.confidence) == ("warning", "suspected")
    assert "computes longer" in late.summary
    # Without GPM there is no telling who computes and who waits.
    blind = [gpu(index, sm_active_percent="not_supported") for index in (0, 1)]
    assert loud(*blind, told=told) == set()


def test_one_of_eight_is_named_and_the_others_counted():
    told = [rank(index, ranks_count=8) for index in range(8)]
    told[5] = rank(5, ranks_count=8, **STARVED)
    devices = [gpu(5, **HALF) if index == 5 else waiting_gpu(index) for index in range(8)]
    (late,) = [each for each in findings(*devices, told=told) if each.code == "communication-bound"]
    assert "GPU 5 (process 105)" in late.summary
    assert late.evidence["waiting_device_indexes"] == "0, 1, 2, 3, 4, 6, 7"


def test_where_most_are_starved_alike_no_one_of_them_is_to_blame():
    told = [rank(index, ranks_count=4, **STARVED) for index in range(3)] + [rank(3, ranks_count=4)]
    devices = [*(gpu(index, **HALF) for index in range(3)), waiting_gpu(3)]
    said = loud(*devices, told=told)
    assert {code for code, _ in said} == {"input-bound"}


APART = {"rank": None, "ranks_count": None}


def test_trainings_of_one_notebook_with_other_step_times_are_not_one():
    told = [rank(0, **APART), rank(1, step_seconds=0.35, **APART, **STARVED)]
    assert loud(gpu(0), gpu(1, **HALF), told=told) == {("input-bound", "GPU-1")}


def test_ranks_of_which_each_has_counted_other_long_steps_are_together_all_the_same():
    few = {"count": 5, "step_seconds": 2.0}
    told = [rank(0, **few | {"step_seconds": 2.4}), rank(1, **few, **STARVED)]
    assert ("communication-bound", "GPU-1") in loud(waiting_gpu(0), gpu(1, **HALF), told=told)
    strangers = [structs.replace(each, **APART) for each in told]
    assert ("communication-bound", "GPU-1") not in loud(
        waiting_gpu(0), gpu(1, **HALF), told=strangers
    )


def test_steps_that_are_alike_by_chance_in_two_notebooks_are_two_trainings():
    other = rank(1, notebook_key="k2", notebook="other.ipynb", **APART, **STARVED)
    assert loud(gpu(0), gpu(1, **HALF), told=[rank(0, **APART), other]) == {
        ("input-bound", "GPU-1")
    }
    same_name = rank(1, notebook_key="k2", **APART, **STARVED)  # as in a recording, without names
    assert loud(gpu(0), gpu(1, **HALF), told=[rank(0, **APART), same_name]) == {
        ("input-bound", "GPU-1")
    }


def test_of_processes_without_a_notebook_nothing_shows_that_they_belong_together():
    told = [
        rank(index, notebook_key="", notebook="", **APART, **(STARVED if index else {}))
        for index in (0, 1)
    ]
    assert loud(gpu(0), gpu(1, **HALF), told=told) == {("input-bound", "GPU-1")}


def test_ranks_of_two_groups_with_steps_alike_are_not_mixed():
    told = [rank(0), rank(0, pid=101, device_uuid="GPU-1", **STARVED)]  # two trainings' rank 0
    assert ("communication-bound", "GPU-1") not in loud(gpu(0), gpu(1, **HALF), told=told)


def test_an_evaluation_beside_a_training_is_nobodys_rank():
    told = [rank(0), rank(1, is_training=False, **STARVED)]
    assert ("communication-bound", "GPU-1") not in loud(gpu(0), gpu(1, **HALF), told=told)


def test_who_waits_on_its_host_is_not_said_to_launch_slowly():
    """Over gloo nothing runs on the device meanwhile: it looks as if its host were slow."""
    idle = rank(0, idle_for_host_ratio=0.5, busy_ratio=0.5)
    found = findings(gpu(0, **HALF), gpu(1, **HALF), told=[idle, rank(1, **STARVED)])
    assert {(each.code, each.device) for each in found if each.severity != "info"} == {
        ("communication-bound", "GPU-1"),
        ("input-bound", "GPU-1"),
    }
    assert "launch-bound" not in {each.code for each in found}


def test_who_is_idle_while_the_other_computes_is_not_who_is_late():
    """A loop that synchronises in each step has gaps of its own; the other computes twice as long."""
    told = [rank(0, idle_for_host_ratio=0.25, busy_ratio=0.75), rank(1)]
    devices = [
        gpu(0, utilization_percent=75.0, sm_active_percent=40.0),
        gpu(1, sm_active_percent=95.0),
    ]
    found = [each for each in findings(*devices, told=told) if each.code == "communication-bound"]
    assert [each.device for each in found] == ["GPU-1"]
    assert "computes longer" in found[0].summary


def test_by_the_hosts_clocks_alone_waiting_for_data_is_told_all_the_same():
    unknown = {"idle_for_data_ratio": None, "idle_for_host_ratio": None, "busy_ratio": None}
    told = [rank(0, **unknown), rank(1, **unknown | {"wait_ratio": 0.6})]
    said = loud(waiting_gpu(0), gpu(1, **HALF), told=told)
    assert said == {("communication-bound", "GPU-1"), ("input-bound", "GPU-1")}


def test_what_is_known_of_one_rank_alone_is_not_compared():
    half_known = rank(0, idle_for_host_ratio=None, busy_ratio=None)
    told = [half_known, rank(1, **HELD_UP_BY_ITS_HOST)]
    codes = {code for code, _ in loud(waiting_gpu(0), gpu(1, **HALF), told=told)}
    assert "communication-bound" not in codes


@pytest.mark.parametrize(("more", "said"), [(-0.02, False), (0.02, True)])
def test_a_little_late_is_nobodys_business(more, said):
    idle = {"idle_for_data_ratio": LATE_RATIO + more, "wait_ratio": 0.2}
    told = [rank(0), rank(1, **idle)]
    codes = {code for code, _ in loud(gpu(0), gpu(1), told=told)}
    assert ("communication-bound" in codes) is said
