"""What keeps cuDNN's switch on in one lane and off in the other; the measurement itself needs a GPU."""

from __future__ import annotations

import threading

import pytest

from jupyter_gpuperf.benchmarks.cudnn import search_thread


@pytest.fixture
def torch(_torch):
    import torch

    before = torch.backends.cudnn.benchmark
    yield torch
    torch.backends.cudnn.benchmark = before


@pytest.mark.parametrize("wanted", [True, False])
def test_the_switch_is_set_in_the_lane_and_put_back_after(torch, wanted):
    torch.backends.cudnn.benchmark = not wanted
    with search_thread(torch, wanted) as run:
        assert run(lambda: torch.backends.cudnn.benchmark) is wanted
        assert torch.backends.cudnn.benchmark is not wanted


def test_lanes_share_no_thread_since_plans_are_kept_by_thread(torch):
    with search_thread(torch, False) as first, search_thread(torch, True) as second:
        threads = [run(threading.get_ident) for run in (first, second, first)]
    assert threads[0] == threads[2]
    assert len({threading.get_ident(), *threads}) == 3


def test_the_backward_pass_stays_in_the_lane_too(torch):
    with search_thread(torch, True) as run:
        assert run(torch._C._is_multithreading_enabled) is False
    assert torch._C._is_multithreading_enabled() is True


def test_what_fails_in_a_lane_is_told_and_the_switch_is_put_back(torch):
    torch.backends.cudnn.benchmark = False

    def fail():
        raise ZeroDivisionError("by nought")

    with search_thread(torch, True) as run, pytest.raises(ZeroDivisionError):
        run(fail)
    assert torch.backends.cudnn.benchmark is False
