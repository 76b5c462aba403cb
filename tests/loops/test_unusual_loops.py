"""Loops in threads, nested, broken off, and shorter than the time between two tallies."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from jupyter_gpuperf.kernel_link.link import ServerLink
from jupyter_gpuperf.loops import TelemetryThread

torch = pytest.importorskip("torch")


@pytest.fixture
def counts(watching):
    """Return each loader's number of steps by its number of batches, without waiting for the thread."""
    watching.watch_everything()
    telemetry = TelemetryThread(watching, ServerLink(lambda: None))

    def counts():
        telemetry.tally()
        batches = {clock.info.id: clock.info.batches_per_epoch for clock in watching.clocks}
        found = dict.fromkeys(batches.values(), 0)
        for tally in telemetry.totals.values():
            found[batches[tally.loader]] += tally.count
        return found

    return counts


def test_the_steps_are_known_right_after_the_loop(counts, loader):
    list(loader(items=80))
    assert counts() == {20: 20}


def test_loops_in_two_threads_are_not_within_each_others_steps(counts, loader):
    def run(data, seconds):
        for _ in data:
            time.sleep(seconds)

    loops = ((loader(items=20), 0.02), (loader(items=200), 0.001))
    threads = [threading.Thread(target=run, args=each) for each in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts() == {5: 5, 50: 50}


def test_three_loaders_in_turn_are_no_loop_within_another(counts, loader):
    list(zip(*(loader(items=items) for items in (80, 84, 88)), strict=False))
    # After the first has ended, the others are not asked again: their last steps have no end.
    assert counts() == {20: 20, 21: 19, 22: 19}


def test_one_loader_within_itself_is_a_loop_within_another(counts, loader):
    data = loader(items=12)
    for _ in data:
        list(data)
    assert counts() == {3: 9}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, StopIteration])
def test_a_step_that_did_not_end_is_not_counted(counts, loader, error):
    with contextlib.suppress(error):
        for number, _ in enumerate(loader(items=80)):
            if number == 9:
                raise error
    assert counts() == {20: 9}


def test_the_pause_between_epochs_of_persistent_workers_is_no_step(counts, watching, loader):
    data = loader(items=80, num_workers=1, persistent_workers=True)
    for _ in range(2):
        for number, _batch in enumerate(data):
            if number == 9:
                break
        time.sleep(0.5)
    steps = [step for clock in watching.clocks for step in clock.steps]
    assert len(steps) == 18
    assert max(ended - given for _, given, ended, *_ in steps) < 0.5


def test_a_loader_made_where_another_was_keeps_the_others_steps(counts, loader):
    for items in range(40, 80, 4):
        list(loader(items=items))
    assert counts() == {items // 4: items // 4 for items in range(40, 80, 4)}


def test_a_fast_loop_loses_no_steps(counts):
    list(torch.utils.data.DataLoader(list(range(20_000)), batch_size=None))
    assert counts() == {20_000: 20_000}


def test_the_time_of_a_profiler_is_no_waiting_for_data(counts, watching, loader):
    def draw(iterator, original):
        time.sleep(0.05)
        return original(iterator)

    batches = iter(loader(items=80))
    next(batches)
    watching.patch.draw_batch = draw
    next(batches)
    watching.patch.draw_batch = None
    list(batches)
    assert counts() == {20: 19}
