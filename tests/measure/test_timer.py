from __future__ import annotations

import time

import pytest
import torch

from jupyter_gpuperf.measure import timer
from jupyter_gpuperf.measure.timer import Timing, time_call


def test_on_a_processor_it_is_the_wall_clock_and_says_no_launch_time():
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        time.sleep(0.01)

    told = []
    timing = time_call(
        call,
        device=torch.device("cpu"),
        target_ratio=0.5,
        limit_seconds=5,
        progress=lambda ratio, seconds: told.append((ratio, seconds)),
    )
    assert calls > len(timing.call_seconds)  # warm-up is not counted
    assert all(0.01 <= seconds < 0.5 for seconds in timing.call_seconds)
    assert timing.launch_seconds == []
    assert not timing.launch_bound
    assert timing.doubt is None
    assert len(told) == len(timing.call_seconds)


def test_work_that_never_settles_ends_at_its_limits_and_is_doubted(monkeypatch):
    monkeypatch.setattr(timer, "WARM_UP_SECONDS", 0.05)
    monkeypatch.setattr(timer, "LONGEST_WARM_UP_SECONDS", 0.2)
    durations = iter([0.001, 0.02] * 1000)
    timing = time_call(
        lambda: time.sleep(next(durations)),
        device=torch.device("cpu"),
        target_ratio=0.0001,
        limit_seconds=0.2,
        progress=lambda ratio, seconds: None,
    )
    assert timing.doubt.startswith("Not converged after ")
    assert timing.call_seconds


@pytest.mark.parametrize(
    ("call_seconds", "launch_seconds", "bound"),
    [
        ([0.001] * 8, [0.0001] * 20, False),
        ([0.0001] * 8, [0.0001] * 20, True),
        ([0.001] * 8, [], False),
    ],
    ids=["the device is slower", "the host is as slow", "on a processor"],
)
def test_it_is_launch_bound_when_the_host_is_nearly_as_slow(call_seconds, launch_seconds, bound):
    timing = Timing(call_seconds=call_seconds, launch_seconds=launch_seconds, doubt=None)
    assert timing.launch_bound is bound
