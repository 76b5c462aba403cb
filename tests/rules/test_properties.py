"""Whatever a driver answers, the rules neither raise nor invent."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import BUSY, HOST, device, steps, window

from jupyter_gpuperf.rules import (
    RULES,
    Device,
    Process,
    ProcessListing,
    ReadingSeries,
    RuleInput,
    judge,
)
from jupyter_gpuperf.schemas.phases import PHASES, HostLine, OptimizerInfo, PhaseSeconds
from jupyter_gpuperf.schemas.training import MemoryGrowth

REASONS = ("not_supported", "no_permission", "device_lost", "not_answering", "not_yet")
EXTRA = (
    "clock_lost_thermal_software_ratio",
    "clock_lost_thermal_hardware_ratio",
    "nvlink_links_count",
    "nvlink_receive_bytes_per_second",
    "nvlink_transmit_bytes_per_second",
    "host_cpu_throttled_ratio",
    "host_cpu_used_cores",
)
METRICS = (*BUSY, *HOST, *EXTRA)
values = st.one_of(
    st.floats(min_value=0, max_value=1e12),
    st.sampled_from([0.0, 1.0, 50.0, 100.0, math.nan, math.inf, -1.0]),
    st.sampled_from(REASONS),
)


@st.composite
def all_series(draw, metrics=METRICS):
    times = sorted(draw(st.lists(st.floats(0, 100), max_size=25)))
    columns = {}
    for metric in draw(st.sets(st.sampled_from(metrics))):
        # Also constant columns, which thresholds are more likely to meet.
        one = draw(st.one_of(st.none(), values))
        size = {"min_size": len(times), "max_size": len(times)}
        columns[metric] = [one] * len(times) if one is not None else draw(st.lists(values, **size))
    return ReadingSeries(times_seconds=times, columns=columns)


processes = st.builds(
    Process,
    pid=st.integers(1, 3),
    notebook=st.none(),
    memory_used_bytes=values,
    sm_utilization_percent=values,
)
listings = st.builds(
    ProcessListing,
    time_seconds=st.floats(0, 100),
    processes=st.lists(processes, max_size=3).map(tuple),
)
growths = st.builds(
    MemoryGrowth,
    bytes_per_step=st.floats(0, 1e18),
    steps=st.integers(0, 2**63 - 1),
    outlasts_epoch=st.booleans(),
    holder=st.one_of(st.none(), st.text(max_size=5)),
    function=st.one_of(st.none(), st.text(max_size=5)),
    holds_graphs=st.booleans(),
)

shares = st.one_of(st.none(), st.floats(0, 1e10))
phases = st.dictionaries(
    st.sampled_from(PHASES),
    st.builds(PhaseSeconds, host_seconds=shares, gpu_seconds=shares, gpu_idle_seconds=shares),
)
lines = st.lists(
    st.builds(
        HostLine,
        function=st.sampled_from(["log", "<module>"]),
        file=st.just("train.py"),
        line=st.integers(0, 2**63 - 1),
        ratio=st.floats(0, 1),
        is_bounded=st.booleans(),
    ),
    max_size=3,
)
optimizers = st.builds(
    OptimizerInfo,
    class_name=st.sampled_from(["AdamW", "Lion"]),
    tensors_count=st.integers(0, 2**63 - 1),
    is_fused=st.one_of(st.none(), st.booleans()),
    is_foreach=st.booleans(),
)


@st.composite
def windows(draw):
    devices = tuple(
        Device(
            uuid=f"GPU-{index}",
            index=index,
            name="GPU",
            series=draw(all_series()),
            listings=tuple(draw(st.lists(listings, max_size=4))),
        )
        for index in range(draw(st.integers(0, 2)))
    )
    watched = draw(
        st.lists(
            st.builds(
                lambda wait, data, host, growth, sizes, inside: steps(
                    device_uuid=None,
                    wait_ratio=wait,
                    idle_for_data_ratio=data,
                    idle_for_host_ratio=host,
                    memory_growth=growth,
                    allocated_bytes=sizes,
                    reserved_bytes=sizes,
                    **inside,
                ),
                st.floats(0, 1),
                st.one_of(st.none(), st.floats(0, 1)),
                st.one_of(st.none(), st.floats(0, 1)),
                st.one_of(st.none(), growths),
                st.one_of(st.none(), st.floats(0, 1e18)),
                st.fixed_dictionaries(
                    {
                        "phases": st.one_of(st.none(), phases),
                        "host_lines": st.one_of(st.none(), lines),
                        "optimizer": st.one_of(st.none(), optimizers),
                        "bounded_by": st.sampled_from(["loader", "optimizer", "module"]),
                        "pin_memory": st.booleans(),
                    }
                ),
            ),
            max_size=1,
        )
    )
    return RuleInput(host=draw(all_series()), devices=devices, steps=tuple(watched))


@pytest.fixture
def no_failures(caplog):
    """A rule that raises is logged and left out; here it is a defect."""
    yield
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(windows(), st.booleans())
def test_no_window_makes_a_rule_raise(no_failures, caplog, window, live):
    for finding in judge(window, RULES, live=live):
        assert finding.summary
        assert finding.advice
        assert finding.refuted_by
        assert not [value for value in finding.evidence.values() if value is None]
        assert finding.lost_ratio is None or 0 <= finding.lost_ratio <= 1
    assert not [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(all_series(), st.sampled_from(REASONS))
def test_missing_readings_never_become_a_finding(series, reason):
    nothing = ReadingSeries(
        times_seconds=series.times_seconds,
        columns={name: [reason] * len(series.times_seconds) for name in METRICS},
    )
    device = Device(uuid="GPU", index=0, name="GPU", series=nothing)
    assert judge(RuleInput(host=nothing, devices=(device,)), RULES) == []


def test_memory_that_can_not_be_makes_no_rule_raise(no_failures):
    impossible = window(device(memory_used_bytes=-1.0))
    assert "memory-nearly-full" not in {each.code for each in judge(impossible, RULES)}
