from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import Frame

GPU = "GPU-0000"


def store(seconds: float = 60.0, shortest: float = 0.1) -> HistoryStore:
    return HistoryStore(
        seconds=seconds,
        shortest_interval_seconds=shortest,
        device_metrics=["power_watts", "temperature_celsius"],
        host_metrics=["host_cpu_percent"],
    )


def frame(time_seconds: float, power, cpu=1.0) -> Frame:
    return Frame(
        time_seconds=time_seconds,
        devices={GPU: {"power_watts": power, "temperature_celsius": 40.0}},
        host={"host_cpu_percent": cpu},
        host_cores_percent=[],
    )


def test_a_step_holds_the_least_the_mean_and_the_most():
    history = store()
    for time, power in [(10.0, 100.0), (10.4, 200.0), (10.8, 600.0), (11.2, 50.0)]:
        history.append(frame(time, power))
    columns = history.query(seconds=60, step_seconds=1).devices[GPU]
    assert columns.times_seconds == [10.0, 11.0]
    series = columns.metrics["power_watts"]
    assert (series.min, series.mean, series.max) == ([100, 50], [300, 50], [600, 50])


def test_a_missing_reading_is_no_zero():
    history = store()
    history.append(frame(10.0, "not_supported"))
    history.append(frame(11.0, 300.0))
    history.append(frame(11.5, "device_lost"))
    series = history.query(seconds=60, step_seconds=1).devices[GPU].metrics["power_watts"]
    assert series.mean == [None, 300.0]
    assert series.min == [None, 300.0]


def test_where_no_tick_fell_there_is_no_step():
    history = store()
    history.append(frame(10.0, 1.0))
    history.append(frame(15.0, 1.0))
    assert history.query(seconds=60, step_seconds=1).devices[GPU].times_seconds == [10.0, 15.0]


def test_only_the_seconds_asked_for_and_only_the_metrics_asked_for():
    history = store()
    for time in range(100, 130):
        history.append(frame(float(time), 1.0))
    answer = history.query(seconds=5, step_seconds=1, metrics=["power_watts"])
    assert answer.devices[GPU].times_seconds[0] == 124.0
    assert list(answer.devices[GPU].metrics) == ["power_watts"]
    assert answer.host.metrics == {}


def test_an_unknown_metric_is_refused():
    with pytest.raises(BadRequest) as refusal:
        store().query(seconds=5, step_seconds=1, metrics=["power"])
    assert refusal.value.code == "unknown_metric"


def test_too_many_steps_are_refused():
    with pytest.raises(BadRequest) as refusal:
        store(seconds=3600).query(seconds=3600, step_seconds=0.1)
    assert refusal.value.code == "too_many_steps"


@given(st.integers(min_value=0, max_value=60))
def test_memory_is_bounded_and_the_newest_ticks_survive(count):
    history = store(seconds=2.0, shortest=0.1)  # room for 20 ticks
    for index in range(count):
        history.append(frame(100 + index * 0.1, float(index)))
    answer = history.query(seconds=1e6, step_seconds=0.1)
    if count == 0:
        assert answer.devices == {}
        return
    series = answer.devices[GPU].metrics["power_watts"]
    assert len(series.max) <= 20
    assert series.max[-1] == count - 1
