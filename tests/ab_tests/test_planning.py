"""Blocks that fit into the time that is left; and the limit of the whole, on a clock that is not real."""

from __future__ import annotations

import itertools

import pytest

from jupyter_gpuperf.ab_tests.ab_test import headroom
from jupyter_gpuperf.loaders.block_planning import FEWEST_ROUNDS, GOOD_ROUNDS, Pace, plan

torch = pytest.importorskip("torch", reason="its loaders are torch's")

SLOW, QUICK = Pace(seconds=0.4, workers=2), Pace(seconds=0.07)


def planned(seconds, before=SLOW, after=QUICK, most_steps=20):
    return plan({"before": before, "after": after}, seconds, most_steps)


@pytest.mark.parametrize("seconds", [4.5, 6.0, 11.0, 40.0, 400.0])
@pytest.mark.parametrize("workers", [0, 1, 2, 16])
@pytest.mark.parametrize("lead_steps", [0, 5])
def test_rounds_of_the_chosen_blocks_fit_into_the_time(seconds, workers, lead_steps):
    after = Pace(seconds=0.07, workers=workers, lead_steps=lead_steps)
    chosen = planned(seconds, after=after)
    taken = 0.4 * chosen.steps["before"] + 0.07 * (lead_steps + chosen.steps["after"])
    assert chosen.round_seconds == pytest.approx(taken)
    assert chosen.fits
    assert FEWEST_ROUNDS <= chosen.rounds <= GOOD_ROUNDS
    assert chosen.rounds * taken <= seconds
    assert min(chosen.steps.values()) >= 2


def test_where_there_is_time_blocks_are_as_long_as_wished_and_whole_rounds_of_workers():
    chosen = planned(400.0, before=Pace(seconds=0.4, workers=8), after=Pace(seconds=0.1))
    assert chosen.steps == {"before": 16, "after": 20}
    assert planned(400.0, before=Pace(seconds=0.4, workers=64)).steps["before"] == 64


def test_what_one_loop_has_no_use_for_is_the_others():
    chosen = planned(30.0, after=Pace(seconds=0.001))
    assert chosen.steps["after"] == 20
    assert chosen.steps["before"] == 14  # 5.6 s of the 5.7 s of a round; a half would be 6 steps


def test_slow_steps_get_fewer_rounds_before_a_round_of_workers_is_cut():
    before = Pace(seconds=0.4, workers=8)
    assert planned(20.0, before=before).rounds == GOOD_ROUNDS
    chosen = planned(12.0, before=before)
    assert (chosen.rounds, chosen.steps["before"]) == (FEWEST_ROUNDS, 8)
    chosen = planned(9.0, before=before)
    assert (chosen.rounds, chosen.steps["before"]) == (GOOD_ROUNDS, 2)


def test_where_workers_give_their_batches_at_once_their_round_is_never_cut():
    before = Pace(seconds=0.4, workers=8, comes_in_bursts=True)
    assert planned(12.0, before=before).fits
    chosen = planned(9.0, before=before)
    assert not chosen.fits
    assert (chosen.rounds, chosen.steps["before"]) == (FEWEST_ROUNDS, 8)


@pytest.mark.parametrize("seconds", [-4.0, 0.0, 2.5])
def test_where_nothing_fits_the_least_is_planned_and_told(seconds):
    chosen = planned(seconds)
    assert not chosen.fits
    assert chosen.rounds == FEWEST_ROUNDS
    assert chosen.steps == {"before": 2, "after": 2}


class Clock:
    """What a step reaches is put back afterwards; time is not: a class keeps it."""

    def __init__(self):
        type(self).now = 0.0

    def __call__(self):
        return self.now

    def pass_until(self, moment):
        type(self).now = max(self.now, moment)

    def pass_seconds(self, seconds):
        type(self).now += seconds


class Pool:
    """A loader whose workers take their time on a clock; while others are measured, they stand still."""

    def __init__(self, clock, workers, batch_seconds, start_seconds, step_seconds):
        self.num_workers, self.prefetch_factor = workers, 2
        self._clock, self._batch_seconds = clock, batch_seconds
        self._start_seconds, self._step_seconds = start_seconds, step_seconds

    def __iter__(self):
        clock, held_seconds = self._clock, 0.0
        free = [clock.now + self._start_seconds] * self.num_workers
        ahead = self.num_workers * self.prefetch_factor
        taken = [clock.now] * ahead  # when the batch was taken after which this one may be loaded
        try:
            for place in itertools.count():
                worker = place % self.num_workers
                ready = max(free[worker], taken[place]) + self._batch_seconds
                free[worker] = ready
                clock.pass_until(ready + held_seconds)
                taken.append(clock.now - held_seconds)
                left = clock.now
                yield torch.ones(2, 4)
                held_seconds += max(0.0, clock.now - left - self._step_seconds)
        finally:
            clock.pass_seconds(self._batch_seconds)  # each worker ends when its batch is done


def waited_for(limit_seconds, workers, batch_seconds, start_seconds, step_seconds):
    clock, model = Clock(), torch.nn.Linear(4, 1)

    def step(batch):
        model(batch)
        clock.pass_seconds(step_seconds)

    loader = Pool(clock, workers, batch_seconds, start_seconds, step_seconds)
    found = headroom(torch, loader, step, steps=20, limit_seconds=limit_seconds, clock=clock)
    assert found.cost_seconds == clock.now  # what the user waited for, to the last worker's end
    return found


@pytest.mark.parametrize("limit_seconds", [10.0, 15.0, 30.0])
@pytest.mark.parametrize(
    ("workers", "batch_seconds", "start_seconds", "step_seconds"),
    [
        (2, 0.8, 0.1, 0.07),
        (2, 0.8, 3.0, 0.07),
        (16, 0.8, 2.0, 0.07),
        (16, 0.1, 2.0, 0.07),
        (8, 0.8, 0.5, 0.03),
        (1, 0.3, 0.1, 0.3),
        (4, 0.002, 0.1, 0.001),
    ],
)
def test_the_limit_is_for_all_that_is_waited_for(
    limit_seconds, workers, batch_seconds, start_seconds, step_seconds
):
    found = waited_for(limit_seconds, workers, batch_seconds, start_seconds, step_seconds)
    assert "too short" not in (found.doubt or "")
    assert found.cost_seconds <= 1.05 * limit_seconds
    assert len(found.samples["before"]) >= FEWEST_ROUNDS


def test_the_time_is_used_for_rounds_not_for_the_start():
    found = waited_for(15.0, 2, 0.8, 0.1, 0.07)
    steps = found.steps_per_block
    round_seconds = 0.4 * steps["before"] + 0.07 * steps["after"]
    assert len(found.samples["before"]) * round_seconds >= 0.6 * 15.0


@pytest.mark.parametrize("limit_seconds", [40.0, 45.0, 50.0, 55.0, 60.0])
def test_the_end_of_slow_workers_is_within_the_limit(limit_seconds):
    found = waited_for(limit_seconds, 4, 4.5, 0.1, 0.07)
    assert found.cost_seconds <= 1.02 * limit_seconds


def test_too_short_a_limit_is_told_and_the_one_it_names_is_enough():
    found = waited_for(4.0, 2, 0.8, 1.0, 0.07)
    assert len(found.samples["before"]) == FEWEST_ROUNDS
    assert "4 s is too short: only 3 rounds measured." in found.doubt
    named = float(found.doubt.split("limit_seconds=")[1].split()[0])
    found = waited_for(named, 2, 0.8, 1.0, 0.07)
    assert "too short" not in (found.doubt or "")
    assert found.cost_seconds <= 1.1 * named


def test_rather_late_than_wrong_where_batches_come_in_bursts():
    found = waited_for(8.0, 8, 2.0, 0.5, 0.03)
    assert "8 s is too short: only 3 rounds measured." in found.doubt
    assert found.before["value"] == pytest.approx(0.25, rel=0.05)  # 2 s for eight batches
