"""What varies between blocks is named from measurements."""

from __future__ import annotations

import gc
import re
import time

import pytest
from cells import profiled

from jupyter_gpuperf.precision.options import ProfileOptions
from jupyter_gpuperf.precision.variation import Block, describe_variation, observed_block, spread


def test_the_spread_is_half_of_the_middle_four_fifths():
    assert spread([0.8, 1.2] * 20) == pytest.approx(0.2)
    assert spread([1.0] * 9 + [50.0]) == pytest.approx(0.0, abs=2.5)
    assert spread([1.0, None, 1.0]) is None
    assert spread([1.0, 2.0]) is None


def test_only_what_varies_is_named():
    blocks = [
        Block(each, host_seconds=each, cpu_seconds=1.0, clock_mhz=1700.0) for each in (0.8, 1.2) * 9
    ]
    (said,) = describe_variation(blocks)
    assert said == "What varies between blocks: step time by 20 %, host launch time by 20 %."


def test_collections_and_other_processes_are_compared_in_slower_and_faster_blocks():
    slow, fast = Block(1.2, gc_ratio=0.3, other_cpus=3.0), Block(0.8, gc_ratio=0.0, other_cpus=1.0)
    _, collecting, others = describe_variation([slow, fast] * 5)
    assert "30 % of the slower blocks and 0 %" in collecting
    assert "3.0 CPUs in the slower blocks, 1.0 in the faster" in others


def test_a_block_knows_its_share_of_garbage_collection():
    with observed_block(2, lambda: None) as block:
        for _ in range(5):
            gc.collect()
    assert block.gc_ratio > 0.5
    assert block.step_seconds > 0


def test_a_cell_whose_host_time_varies_by_a_known_amount_is_said_to():
    calls = [0]

    def pause():
        calls[0] += 1
        time.sleep(0.032 if calls[0] // 4 % 2 else 0.048)

    pause.__module__ = "torch._C"  # a library's function: its state is not restored
    options = ProfileOptions(modes=("fp32",), time_limit_seconds=2.5, numerics=False)
    found = profiled("pause()", options, pause=pause)
    (said,) = (each for each in found.warnings if "step time by" in each)
    assert 14 <= int(re.search(r"step time by (\d+) %", said)[1]) <= 30
