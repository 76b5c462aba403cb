"""Which module's calls bound a loop, from looks given by hand."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.loops.module_lead import LEAST_LOOKS, LEFT_SECONDS, MORE_RATIO, ModuleLead

MODEL, OTHER = 1, 2
LOOK_SECONDS = 0.08


class Thread:
    """A thread that is looked at regularly."""

    def __init__(self):
        self.lead, self.now = ModuleLead(), 0.0

    def seen(self, *modules, times=1, **known):
        """Look so many times at a thread that is in these modules' calls, one after the other; return who leads then."""
        for _ in range(times):
            for module in modules:
                self.now += LOOK_SECONDS
                self.lead.look(module, self.now, **known)
        return self.lead.leader


@pytest.fixture
def thread():
    return Thread()


def test_a_module_leads_after_some_looks(thread):
    assert thread.seen(MODEL, times=LEAST_LOOKS - 1) is None
    assert thread.seen(MODEL) == MODEL


def test_looks_outside_of_a_call_neither_help_nor_hinder(thread):
    assert thread.seen(None, None, None, MODEL, times=LEAST_LOOKS) == MODEL


def test_a_module_that_is_seen_rarely_does_not_lead(thread):
    assert thread.seen(MODEL, *[None] * 100, times=10 * LEAST_LOOKS) is None


@pytest.mark.parametrize("turn", [(MODEL, OTHER), (MODEL, MODEL, OTHER), (MODEL, OTHER, OTHER)])
def test_of_two_that_take_about_as_long_one_leads_all_the_time(thread, turn):
    first = thread.seen(*turn, times=LEAST_LOOKS)
    assert {thread.seen(*turn) for _ in range(200)} == {first}


def test_the_one_with_most_of_the_time_leads_at_last(thread):
    assert thread.seen(OTHER, times=LEAST_LOOKS) == OTHER
    assert thread.seen(MODEL, times=int(MORE_RATIO * LEAST_LOOKS)) == MODEL


def test_a_leader_that_is_called_stays_although_it_is_not_seen(thread):
    thread.seen(MODEL, times=LEAST_LOOKS)
    for _ in range(int(3 * LEFT_SECONDS / LOOK_SECONDS)):
        assert thread.seen(None, called_seconds=thread.now) == MODEL


def test_a_leader_that_is_no_longer_called_is_forgotten(thread):
    thread.seen(MODEL, times=LEAST_LOOKS)
    looks = int(LEFT_SECONDS / LOOK_SECONDS)
    assert thread.seen(None, times=looks - 1) == MODEL
    assert thread.seen(None, times=3) is None


def test_a_leader_with_long_steps_stays_for_some_of_them(thread):
    thread.seen(MODEL, times=LEAST_LOOKS)
    assert thread.seen(None, times=int(3 * LEFT_SECONDS / LOOK_SECONDS), step_seconds=10.0) == MODEL


def test_a_call_that_takes_long_is_not_forgotten(thread):
    assert thread.seen(MODEL, times=int(10 * LEFT_SECONDS / LOOK_SECONDS)) == MODEL


def test_another_model_leads_soon_when_the_first_is_no_longer_called(thread):
    thread.seen(MODEL, times=200)
    looks = 0
    while thread.seen(OTHER) != OTHER:
        looks += 1
    assert looks * LOOK_SECONDS <= LEFT_SECONDS + LEAST_LOOKS * LOOK_SECONDS


def test_after_the_end_looks_before_do_not_count(thread):
    thread.seen(MODEL, times=2 * LEAST_LOOKS)
    thread.lead.end(thread.now)
    assert thread.seen(MODEL, times=LEAST_LOOKS - 1) is None
    assert thread.seen(MODEL) == MODEL
