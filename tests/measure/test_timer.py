from __future__ import annotations

import time

import torch

from jupyter_gpuperf.measure.timer import time_call


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
