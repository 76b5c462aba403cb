from __future__ import annotations

from jupyter_gpuperf.measure.statistics import mean_interval
from jupyter_gpuperf.measure.stopping import FEWEST_BLOCKS, MOST_BLOCKS, StopRule


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 0.01
        return self.seconds


def rule(limit_seconds: float = 1e9) -> StopRule:
    return StopRule(
        target_ratio=0.03, limit_seconds=limit_seconds, interval_of=mean_interval, clock=Clock()
    )


def test_steady_blocks_stop_it_soon_and_without_doubt():
    stop = rule()
    while not stop.done:
        stop.add(1.0)
    assert len(stop.blocks) == FEWEST_BLOCKS
    assert stop.doubt() is None


def test_wild_blocks_go_on_to_the_end_and_it_says_so():
    stop = rule()
    while not stop.done:
        stop.add(1.0 if len(stop.blocks) % 2 else 100.0)
    assert len(stop.blocks) == MOST_BLOCKS
    assert "did not converge" in stop.doubt()


def test_the_time_limit_stops_it():
    stop = rule(limit_seconds=0.5)
    while not stop.done:
        stop.add(1.0 if len(stop.blocks) % 2 else 100.0)
    assert len(stop.blocks) < MOST_BLOCKS
    assert stop.time_is_up
    assert stop.progress_ratio == 1.0
    assert stop.doubt()


def test_before_the_first_block_there_is_no_progress():
    assert rule().progress_ratio == 0.0
    assert not rule().done
