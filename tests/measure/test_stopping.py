from __future__ import annotations

from jupyter_gpuperf.measure.statistics import mean_interval
from jupyter_gpuperf.measure.stopping import (
    FEWEST_BLOCKS,
    INTERIM_RESAMPLES,
    MOST_BLOCKS,
    StopRule,
)


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
    assert stop.doubt().startswith("Not converged after ")


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


def of_answers(answers, **options) -> StopRule:
    """Return a rule whose intervals are given."""
    settings = {"target_ratio": 0.03, "limit_seconds": 1e9, "clock": Clock(), **options}
    return StopRule(interval_of=lambda blocks, resamples: next(answers), **settings)


def test_what_was_sure_once_is_not_sure_for_ever():
    narrow = {"value": 1.0, "low": 0.99, "high": 1.01}
    wide = {"value": 1.0, "low": 0.5, "high": 1.5}
    stop = of_answers(iter([narrow, wide]))
    for _ in range(FEWEST_BLOCKS):
        stop.add(1.0)
    assert stop.converged
    stop.add(9.0)
    assert not stop.converged
    assert "after 9 samples: interval ±50.0 %, target ±3 %" in stop.doubt()


def test_too_few_blocks_for_an_interval_are_doubted_without_a_number():
    stop = rule(limit_seconds=0.005)
    stop.add(1.0)
    assert stop.done
    assert stop.doubt() == "Too few samples for an interval of ±3 %. Raise the time limit."


def test_the_time_limit_counts_from_the_first_block():
    clock = Clock()
    stop = of_answers(iter([]), limit_seconds=10.0, clock=clock)
    clock.seconds = 1000.0
    stop.add(1.0)
    assert not stop.time_is_up


def test_looking_gets_rarer_with_many_blocks_and_is_cheaper_than_the_answer():
    looks = []

    def interval_of(blocks, resamples):
        looks.append((len(blocks), resamples))
        return {"value": 1.0, "low": 0.5, "high": 1.5}

    stop = StopRule(target_ratio=0.03, limit_seconds=1e9, interval_of=interval_of, clock=Clock())
    while not stop.done:
        stop.add(1.0)
    assert [count for count, _ in looks] == [*range(FEWEST_BLOCKS, 32), *range(32, 301, 8)]
    assert {resamples for _, resamples in looks} == {INTERIM_RESAMPLES}
