"""The clock in real loops of a real torch, without a GPU."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from types import SimpleNamespace

import pytest

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loops.idle_timer import IdleTimer
from jupyter_gpuperf.loops.loop_watch import LoopWatch
from jupyter_gpuperf.loops.tallies import bin_of, tally_of

torch = pytest.importorskip("torch")
ITERATOR = torch.utils.data.dataloader._BaseDataLoaderIter
PLAIN_NEXT = ITERATOR.__next__


def tallies(watching):
    return {clock.info.name: tally for clock in watching.clocks if (tally := tally_of(clock, 0.0))}


def only_tally(watching):
    (tally,) = tallies(watching).values()
    return tally


def test_every_loader_is_timed_and_the_last_batch_ends_with_the_epoch(watching, loader):
    watching.watch_everything()
    batches = list(loader(items=12, batch_size=4))
    assert [len(batch[0]) for batch in batches] == [4, 4, 4]
    tally = only_tally(watching)
    assert tally.count == 3
    assert tally.samples_count == 12
    assert 0 < tally.wait_seconds <= tally.step_seconds
    assert tally.epoch_batches == 3
    assert sum(tally.bins.values()) == 3
    assert tally.event_step_seconds == 0.0  # there is no GPU: nothing is made up


def test_the_settings_of_the_loader_are_told(watching, loader):
    watching.name_of = lambda sampler: "train_loader"
    watching.watch_everything()
    list(loader(items=12, batch_size=4, num_workers=1, prefetch_factor=3))
    (clock,) = watching.clocks
    info = clock.info
    assert (info.name, info.batch_size, info.batches_per_epoch) == ("train_loader", 4, 3)
    assert (info.num_workers, info.prefetch_factor, info.pin_memory) == (1, 3, False)
    assert len(clock.worker_pids) == 1


def test_epochs_of_one_loader_belong_together(watching, loader):
    watching.watch_everything()
    again = loader()
    for _ in range(3):
        list(again)
    assert only_tally(watching).count == 9


def test_a_loader_made_anew_in_each_epoch_is_the_same_one_to_its_user(watching, loader):
    watching.watch_everything()
    for _ in range(3):
        list(loader())
        gc.collect()
    assert len(watching.clocks) == 1


def test_undone_torch_is_as_it_was(watching, loader):
    watching.watch_everything()
    assert ITERATOR.__next__ is not PLAIN_NEXT
    watching.stop()
    assert ITERATOR.__next__ is PLAIN_NEXT
    list(loader())
    assert tallies(watching) == {}


def test_where_another_patch_lies_over_ours_both_work_and_ours_goes_quiet(watching, loader):
    watching.watch_everything()
    ours = ITERATOR.__next__
    ITERATOR.__next__ = theirs = lambda self: ours(self)
    try:
        watching.stop()
        assert ITERATOR.__next__ is theirs
        assert len(list(loader())) == 3
        assert tallies(watching) == {}
    finally:
        ITERATOR.__next__ = PLAIN_NEXT


def test_one_watched_loader_leaves_the_others_alone(watching, loader):
    watched, other = loader(items=8), loader(items=40)
    assert watching.watch(watched) is watched
    assert watching.watch(watched) is watched  # twice is once
    list(watched)
    list(other)
    tally = only_tally(watching)
    assert tally.count == 2


def test_an_evaluation_inside_a_training_step_is_not_part_of_it(watching, loader):
    watching.name_of = lambda sampler: {4: "train", 2: "evaluate"}[sampler.batch_size]
    watching.watch_everything()
    held_out = loader(items=8, batch_size=2)
    for number, _batch in enumerate(loader(items=16, batch_size=4)):
        if number == 2:
            with torch.no_grad():
                list(held_out)
    found = tallies(watching)
    assert found["train"].count == 3
    assert found["train"].interrupted_count == 1
    assert found["train"].training_count == 3
    assert found["evaluate"].count == 4
    assert found["evaluate"].training_count == 0


def test_a_loop_that_draws_from_two_loaders_counts_for_both(watching, loader):
    watching.watch_everything()
    list(zip(loader(items=8), loader(items=8, batch_size=2), strict=False))
    assert all(tally.interrupted_count == 0 for tally in tallies(watching).values())


class DrawsAhead(torch.utils.data.DataLoader):
    """Asks for the next batch before it gives this one, as Accelerate's and Lightning's loaders do."""

    def __iter__(self):
        batches = super().__iter__()
        batch = next(batches)
        for following in batches:
            yield batch
            batch = following
        yield batch


def test_a_loader_that_draws_ahead_is_timed_alike(watching):
    watching.watch_everything()
    data = torch.utils.data.TensorDataset(torch.arange(12.0))
    assert len(list(DrawsAhead(data, batch_size=4))) == 3
    tally = only_tally(watching)
    assert (tally.count, tally.samples_count) == (3, 12)


def test_the_pause_between_two_cells_is_no_step(watching, loader):
    watching.watch_everything()
    batches = iter(loader(items=16))
    next(batches)
    next(batches)
    watching.pause()
    next(batches)
    tally = only_tally(watching)
    assert (tally.count, tally.interrupted_count) == (1, 1)


class Failing(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 5:
            raise KeyError("no such image")
        return float(index)


def test_what_the_loader_raises_reaches_the_loop_unchanged(watching):
    watching.watch_everything()
    batches = iter(torch.utils.data.DataLoader(Failing(), batch_size=2))
    next(batches)
    next(batches)
    with pytest.raises(KeyError, match="no such image"):
        next(batches)
    next(batches)
    with pytest.raises(StopIteration):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)
    assert only_tally(watching).count == 3


def test_no_batch_is_kept_alive(watching, loader):
    watching.watch_everything()
    seen = []
    for (batch,) in loader(items=16):
        seen.append(weakref.ref(batch))
        del batch
    gc.collect()
    assert [each() for each in seen] == [None] * 4


def test_an_iterable_data_set_has_no_length(watching):
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(6))

    watching.watch_everything()
    list(torch.utils.data.DataLoader(Stream(), batch_size=2))
    (clock,) = watching.clocks
    assert clock.info.batches_per_epoch is None
    assert only_tally(watching).count == 3


def test_a_loader_without_batching_is_counted_by_what_it_gives(watching):
    data = torch.utils.data.TensorDataset(torch.zeros(6, 5))
    watching.watch_everything()
    list(torch.utils.data.DataLoader(data, batch_size=None))
    assert only_tally(watching).samples_count == 6 * 5


class TestLoadersThatAreNotTorchs:
    def test_a_list_of_batches_is_timed_and_stays_what_it_is(self, watching):
        batches = [[1, 2], [3, 4], [5, 6]]
        watched = watching.watch(batches)
        assert list(watched) == batches
        assert len(watched) == 3
        assert watched.index([3, 4]) == 1
        assert watching.watch(watched) is watched
        tally = only_tally(watching)
        assert (tally.count, tally.samples_count) == (3, 6)

    def test_a_generator_stays_an_iterator(self, watching):
        watched = watching.watch(number for number in range(3))
        assert next(watched) == 0
        assert list(watched) == [1, 2]
        assert only_tally(watching).count == 3

    def test_what_can_not_be_iterated_is_refused(self, watching):
        with pytest.raises(BadRequest) as error:
            watching.watch(5)
        assert error.value.code == "not_a_loader"


def test_a_clock_that_fails_goes_quiet_and_the_loop_goes_on(watching, loader):
    watching.watch_everything()
    batches = iter(loader(items=16))
    next(batches)
    (clock,) = watching.clocks
    clock.given.count = None  # what may never happen
    assert len(list(batches)) == 3
    clock.given.count = 0
    assert "NoneType" in clock.error


def test_workers_do_not_time_their_own_loaders(forking, loader):
    forking.watch_everything()
    inner = loader(items=8)

    class Nested(torch.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            list(inner)
            return float(len(forking.clocks))

    list(inner)
    options = {"num_workers": 1, "multiprocessing_context": "fork"}
    seen = list(torch.utils.data.DataLoader(Nested(), batch_size=4, **options))
    assert seen[0].tolist() == [0.0] * 4
    assert len(forking.clocks) == 2  # here it went on


def test_a_forked_child_gives_none_of_its_parents_events_back(forking, loader):
    """torch ends a forked process that gives a CUDA event back, and a DataLoader has lost its worker."""
    parent = os.getpid()

    class Event:
        def record(self, stream):
            pass

        def query(self):
            return False

        def __del__(self):
            if os.getpid() != parent:
                os._exit(9)

    cuda = SimpleNamespace(
        Event=lambda enable_timing: Event(), current_stream=lambda index: "a stream"
    )
    forking.watch_everything()
    gc.disable()  # what is forgotten here is garbage that the child finds
    try:
        for forgotten in (True, False):
            batches = loader()
            list(batches)
            (clock,) = forking.clocks
            clock.idle_timer = IdleTimer(SimpleNamespace(cuda=cuda, _C=None), 0)
            list(batches)
            if forgotten:
                forking.forget()
        del clock, batches
        child = os.fork()
        if child == 0:
            gc.collect()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        gc.enable()


LATER = """
import sys
from jupyter_gpuperf.loops import LoopWatch
watching = LoopWatch()
watching.watch_everything()
assert "torch" not in sys.modules, "ours imported torch"
import torch
from torch.utils.data import DataLoader
import torch.utils.data.dataloader as module
list(DataLoader(list(range(8)), batch_size=2))
print(len(watching.clocks[0].steps), module.__spec__.loader is module.__loader__)
watching.stop()
print([type(each).__module__ for each in sys.meta_path if "gpuperf" in type(each).__module__])
"""


def test_a_torch_that_is_imported_later_is_watched_from_its_first_batch():
    done = subprocess.run(
        [sys.executable, "-c", LATER], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.splitlines() == ["4 True", "[]"], done.stderr


def test_step_times_fall_into_bins_of_a_quarter_octave():
    assert bin_of(0.0) == 0
    assert bin_of(1e-6 * 2**5) == 20
    assert bin_of(1e-6 * 2**5.24) == 20
    assert bin_of(1e-6 * 2**5.26) == 21


def test_what_makes_a_loader_again_is_told_with_it(loader):
    asked = []
    watching = LoopWatch(
        name_of=lambda sampler: "mine", arguments_of=lambda name: asked.append(name) or ["mine"]
    )
    watching.watch_everything()
    try:
        again = loader()
        for _ in range(2):
            list(again)
        assert [each.info.arguments for each in watching.clocks] == [["mine"]]
        assert asked == ["mine"]  # once, not in each epoch
    finally:
        watching.stop()
