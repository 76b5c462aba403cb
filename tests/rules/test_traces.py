"""Every recorded workload comes out right: as recorded, and as other samplers and devices would show it."""

from __future__ import annotations

from functools import lru_cache

import pytest
from perturbing import (
    PERTURBATIONS,
    after_another,
    beside,
    between,
    judged,
    of_each,
    steady_part,
    trace,
    truths,
    without,
)

from jupyter_gpuperf.rules import RULES, ReadingSeries, RuleInput, judge

TRUTHS = {name: truth for name, truth in truths().items() if name != "_note"}
WORKING = sorted(set(TRUTHS) - {"idle", "oom_gpt_bf16"})
LOOKED_AT = (
    "utilization_percent",
    "memory_controller_percent",
    "sm_active_percent",
    "tensor_active_percent",
    "fp32_active_percent",
    "dram_bandwidth_percent",
    "memory_used_bytes",
    "memory_total_bytes",
    "power_watts",
    "clock_sm_mhz",
    "clock_event_flags",
    "pcie_receive_bytes_per_second",
    "pcie_transmit_bytes_per_second",
    "pcie_link_generation",
    "host_cpu_percent",
    "host_cpu_limit_cores",
    "host_disk_write_bytes_per_second",
)
STALLING = "checkpoint_stalls"


@lru_cache
def recorded(name: str) -> RuleInput:
    return trace(name)


def codes_of(window: RuleInput, *, live: bool = False) -> dict[str, str]:
    return {each.code: each.severity for each in judge(window, RULES, live=live)}


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
def test_every_workload_comes_out_right(perturbation):
    change, unseen = PERTURBATIONS[perturbation]
    for name, truth in TRUTHS.items():
        missing, false = judged(judge(change(recorded(name)), RULES), truth)
        assert false == [], name
        if name not in unseen:
            assert missing == [], name


@pytest.mark.parametrize("name", WORKING)
def test_a_window_that_begins_in_the_middle_of_the_work_comes_out_right(name):
    start, end = steady_part(recorded(name).devices[0])
    for seconds in (8.0, 6.5):
        for window in (
            between(recorded(name), start, start + seconds),
            between(recorded(name), end - seconds, end),
        ):
            missing, false = judged(judge(window, RULES, live=True), TRUTHS[name])
            assert false == [], name
            if name != STALLING:  # in so short a time it stalls once, which is no pattern
                assert missing == [], name


@pytest.mark.parametrize("name", WORKING)
def test_what_came_before_and_after_changes_nothing(name):
    rest = recorded("idle")
    for window in (
        after_another(rest, recorded(name), rest),
        after_another(recorded(name), recorded(name)),
        after_another(recorded("healthy_resnet50_bf16"), recorded(name)),
    ):
        missing, false = judged(judge(window, RULES), TRUTHS[name])
        assert (missing, false) == ([], []), name


def test_live_a_job_that_has_ended_is_no_trouble_any_more():
    over = after_another(recorded("power_capped_matmul"), recorded("idle"), recorded("idle"))
    assert "power-capped" in codes_of(over)
    assert codes_of(over, live=True) == {}


def test_each_of_several_devices_gets_its_own_findings():
    names = ("launch_bound_small_mlp", "healthy_resnet50_bf16", "h2d_bound_pageable")
    found = judge(beside(*map(recorded, names)), RULES)
    loud = {(each.device, each.code) for each in found if each.severity != "info"}
    assert loud == {("GPU-0", "launch-bound"), ("GPU-2", "transfer-bound")}


def test_what_is_missing_is_never_a_finding():
    for name in TRUTHS:
        window = recorded(name)
        before = codes_of(window)
        for metric in LOOKED_AT:
            after = codes_of(without(window, metric))
            louder = {code for code in after if after[code] != "info"} - set(before)
            assert louder == set(), (name, metric)


def test_five_bad_minutes_show_in_a_long_job():
    """The mean of the whole would hide them."""

    def many(name: str, count: int) -> list[RuleInput]:
        start, end = steady_part(recorded(name).devices[0])
        part = between(recorded(name), start, end)
        return [_from_zero(part, start)] * count

    day = after_another(*many("healthy_resnet50_bf16", 40), *many("launch_bound_small_mlp", 16))
    found = codes_of(day)
    assert found.get("launch-bound") == "warning"


def _from_zero(window: RuleInput, start: float) -> RuleInput:
    return of_each(
        window,
        lambda series: ReadingSeries(
            times_seconds=[each - start for each in series.times_seconds], columns=series.columns
        ),
    )
