from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.sampling.tiers import TierSize
from jupyter_gpuperf.schemas import Frame

GPU = "GPU-0000"


def store(seconds: float = 60.0, shortest: float = 0.1, coarse=()) -> HistoryStore:
    return HistoryStore(
        coarse=coarse,
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


COARSE = (TierSize(5.0, 100.0), TierSize(20.0, 400.0))


def ticks(history, first, last, power=lambda time: float(time)):
    for time in range(first, last):
        history.append(frame(float(time), power(time)))


def test_the_older_the_coarser_and_all_in_one_answer():
    history = store(seconds=20.0, shortest=1.0, coarse=COARSE)
    ticks(history, 1000, 1400)
    columns = history.query(seconds=400, step_seconds=1).devices[GPU]
    times = columns.times_seconds
    assert times == sorted(set(times))
    assert [time for time in times if time >= 1380] == [float(time) for time in range(1380, 1400)]
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == sorted(gaps, reverse=True)
    assert {1.0, 5.0, 20.0} <= set(gaps)
    assert max(gaps) == 20.0
    assert times[0] == 1000.0


@given(st.lists(st.floats(min_value=0, max_value=1000, width=32), min_size=1, max_size=300))
def test_no_extreme_is_lost_by_condensing(powers):
    history = store(seconds=10.0, shortest=1.0, coarse=COARSE)
    for place, power in enumerate(powers):
        history.append(frame(1000.0 + place, power))
    series = history.query(seconds=400, step_seconds=1).devices[GPU].metrics["power_watts"]
    assert max(value for value in series.max if value is not None) == max(powers)
    assert min(value for value in series.min if value is not None) == min(powers)


def test_the_mean_of_a_coarse_step_is_that_of_its_ticks():
    history = store(seconds=10.0, shortest=1.0, coarse=COARSE)
    ticks(history, 1000, 1100)
    columns = history.query(seconds=100, step_seconds=20).devices[GPU]
    steps = dict(zip(columns.times_seconds, columns.metrics["power_watts"].mean, strict=True))
    assert steps[1000.0] == pytest.approx(1009.5)
    assert steps[1020.0] == pytest.approx(1029.5)


def test_the_newest_ticks_are_in_a_coarse_answer_too():
    history = store(seconds=10.0, shortest=1.0, coarse=COARSE)
    ticks(history, 1000, 1047)
    columns = history.query(seconds=100, step_seconds=5).devices[GPU]
    assert columns.times_seconds[-1] == 1045.0
    assert columns.metrics["power_watts"].max[-1] == 1046.0


def test_a_clock_that_is_set_back_leaves_times_in_order():
    history = store(seconds=60.0, shortest=1.0, coarse=COARSE)
    ticks(history, 1000, 1100)
    ticks(history, 1050, 1060)
    columns = history.query(seconds=100, step_seconds=1).devices[GPU]
    assert columns.times_seconds == sorted(set(columns.times_seconds))
    assert columns.times_seconds[-1] == 1059.0


def test_a_metric_that_a_device_lacks_is_missing_everywhere():
    history = store(seconds=10.0, shortest=1.0, coarse=COARSE)
    ticks(history, 1000, 1100, power=lambda time: "not_supported")
    series = history.query(seconds=100, step_seconds=5).devices[GPU].metrics["power_watts"]
    assert set(series.mean) == {None}


def test_a_full_day_is_bounded():
    history = store(seconds=10.0, shortest=1.0, coarse=COARSE)
    ticks(history, 1000, 3000)
    times = history.query(seconds=1e6, step_seconds=1).devices[GPU].times_seconds
    assert times[0] >= 3000 - 400 - 20
    assert len(times) <= 10 + 20 + 20 + 2
