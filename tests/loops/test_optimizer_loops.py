"""Loops that draw no batches from a loader: their optimizer bounds the steps."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
import threading
import time

import pytest

from jupyter_gpuperf.loops import LoopWatch
from jupyter_gpuperf.loops.optimizer_loops import MOST_MARKS, MOST_STEPS_PER_BATCH
from jupyter_gpuperf.loops.tallies import tally_of
from jupyter_gpuperf.schemas.training import merged

torch = pytest.importorskip("torch")


@pytest.fixture
def all_watched(watching) -> LoopWatch:
    watching.watch_everything()
    return watching


def optimizer_of(model, kind=torch.optim.SGD, **options):
    return kind(model.parameters(), lr=0.1, **options)


def train(model, *optimizers, times=1):
    for _ in range(times):
        model(torch.ones(2, 3)).sum().backward()
        for each in optimizers:
            each.step()
            each.zero_grad()


def tallies(watching):
    """Return what each loop with a step has added up."""
    found = {}
    for clock in watching.clocks:
        pieces = list(iter(lambda clock=clock: tally_of(clock, 0.0), None))
        if pieces:
            found[clock.info.name] = (clock.info.bounded_by, functools.reduce(merged, pieces))
    return found


def counts(watching):
    """Return (what bounds it, steps, interrupted steps) of each loop."""
    return {
        name: (bounded_by, each.count, each.interrupted_count)
        for name, (bounded_by, each) in tallies(watching).items()
    }


@pytest.fixture
def model():
    return torch.nn.Linear(3, 1)


def test_a_step_lasts_from_the_end_of_one_optimizer_step_to_the_end_of_the_next(all_watched, model):
    optimizer, began = optimizer_of(model), time.perf_counter()
    for _ in range(5):
        time.sleep(0.02)  # the loop's own preparation
        train(model, optimizer)
    whole_seconds = time.perf_counter() - began
    ((name, (bounded_by, tally)),) = tallies(all_watched).items()
    assert (name, bounded_by, tally.count, tally.training_count) == ("SGD", "optimizer", 4, 4)
    assert 4 * 0.02 <= tally.step_seconds < whole_seconds
    assert tally.step_seconds == pytest.approx(tally.ended_seconds - tally.began_seconds)
    assert (tally.wait_seconds, tally.samples_count, tally.epoch_batches) == (0.0, 0.0, 0)


def test_the_loop_has_the_name_of_the_optimizers_variable(model):
    optimizer = optimizer_of(model)
    watching = LoopWatch(name_of=lambda owner: "opt" if owner is optimizer else None)
    watching.watch_everything()
    with contextlib.ExitStack() as stack:
        stack.callback(watching.stop)
        train(model, optimizer, times=3)
        assert counts(watching) == {"opt": ("optimizer", 2, 0)}


@pytest.mark.parametrize("accumulated", [1, 3])
def test_a_loop_with_loader_and_optimizer_is_one_loop(all_watched, loader, model, accumulated):
    optimizer = optimizer_of(model)
    for _ in range(3):
        for number, _batch in enumerate(loader(items=24), 1):
            model(torch.ones(2, 3)).sum().backward()
            if number % accumulated == 0:
                optimizer.step()
        optimizer.step()  # what is left of the epoch
    assert counts(all_watched) == {"DataLoader(TensorDataset)": ("loader", 18, 0)}


def test_several_updates_on_one_batch_are_within_the_loaders_step(all_watched, loader, model):
    optimizers = optimizer_of(model), optimizer_of(model)
    for _batch in loader(items=16):
        train(model, *optimizers, times=MOST_STEPS_PER_BATCH)
    assert counts(all_watched) == {"DataLoader(TensorDataset)": ("loader", 4, 0)}


def test_a_loop_that_draws_a_batch_now_and_then_is_bounded_by_its_optimizer(
    all_watched, loader, model
):
    optimizer = optimizer_of(model)
    for _batch in loader(items=16):
        train(model, optimizer, times=100)
    steps = counts(all_watched)
    assert steps["DataLoader(TensorDataset)"] == ("loader", 0, 4)
    _, count, interrupted = steps["SGD"]
    assert count >= 4 * (100 - MOST_STEPS_PER_BATCH - 1)
    assert interrupted == 0


def test_a_batch_drawn_before_the_loop_does_not_hide_it(all_watched, loader, model):
    next(iter(loader()))  # to look at
    all_watched.pause()  # the cell ends
    train(model, optimizer_of(model), times=4)
    assert counts(all_watched) == {"SGD": ("optimizer", 3, 0)}


def test_an_evaluation_with_a_loader_within_a_step_interrupts_it(all_watched, loader, model):
    optimizer = optimizer_of(model)
    for number in range(10):
        train(model, optimizer)
        if number == 5:
            for _batch in loader(items=16):
                pass
    assert counts(all_watched)["SGD"] == ("optimizer", 8, 1)


def test_a_pause_between_cells_is_no_step(all_watched, model):
    optimizer = optimizer_of(model)
    for _ in range(3):
        train(model, optimizer, times=4)
        all_watched.pause()
    assert counts(all_watched) == {"SGD": ("optimizer", 9, 2)}


@pytest.mark.parametrize("critic_steps", [1, 5])
def test_two_optimizers_of_one_loop_bound_its_steps_together(all_watched, model, critic_steps):
    generator, critic = optimizer_of(model), optimizer_of(model, torch.optim.Adam)
    for _ in range(6):
        train(model, generator)
        train(model, critic, times=critic_steps)
    steps = counts(all_watched)
    expected = ("SGD", 5) if critic_steps == 1 else ("Adam", 6 * 5 - 1)
    name, (bounded_by, count, interrupted) = list(steps.items())[-1]
    assert (name, bounded_by, interrupted) == (expected[0], "optimizer", 0)
    assert count == pytest.approx(expected[1], abs=1)
    assert len(steps) == 1


def test_the_next_training_is_a_loop_of_its_own(all_watched, model):
    first, second = optimizer_of(model), optimizer_of(model, torch.optim.Adam)
    train(model, first, times=4)
    train(model, second, times=4)
    assert counts(all_watched) == {"SGD": ("optimizer", 3, 0), "Adam": ("optimizer", 3, 0)}


def test_optimizers_made_anew_in_each_round_are_one_loop(all_watched, model):
    outer = optimizer_of(model, torch.optim.Adam)
    for _ in range(30):
        inner = optimizer_of(model)
        train(model, inner, times=5)
        train(model, outer)
        del inner
    assert len(all_watched.clocks) <= 2
    assert sum(count for _, count, _ in counts(all_watched).values()) >= 30 * 3


def test_optimizers_that_step_once_each_are_forgotten(all_watched, model):
    kept = [optimizer_of(model) for _ in range(3 * MOST_MARKS)]
    train(model, *kept)
    assert counts(all_watched) == {}
    assert len(all_watched.optimizer_loops._of_thread.loop.marks) <= MOST_MARKS


def test_a_step_that_the_scaler_leaves_out_is_a_step(all_watched, model):
    optimizer, scaler = optimizer_of(model), torch.amp.GradScaler("cpu")
    before = model.weight.detach().clone()
    for _ in range(5):
        loss = model(torch.full((2, 3), torch.inf)).sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert torch.equal(model.weight, before)
    assert counts(all_watched) == {"SGD": ("optimizer", 4, 0)}


def test_a_step_that_the_scaler_passes_on_counts_once(all_watched, model):
    optimizer, scaler = optimizer_of(model), torch.amp.GradScaler("cpu")
    for _ in range(5):
        scaler.scale(model(torch.ones(2, 3)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert counts(all_watched) == {"SGD": ("optimizer", 4, 0)}


class Twice(torch.optim.SGD):
    """An optimizer whose step is that of its base class, and somewhat more; it may fail."""

    fails = False

    def step(self, closure=None):
        if self.fails:
            raise ZeroDivisionError
        return super().step(closure)


def test_a_step_that_calls_the_base_classs_is_one_step(all_watched, model):
    optimizer_of(model)  # torch puts its hooks into a class when that is first used
    optimizer = optimizer_of(model, Twice)
    train(model, optimizer, times=5)
    assert counts(all_watched) == {"Twice": ("optimizer", 4, 0)}


def test_a_step_that_fails_is_no_step_and_the_next_ones_are(all_watched, model):
    optimizer_of(model)
    optimizer = optimizer_of(model, Twice)
    for fails in (False, False, True, True, False, False):
        optimizer.fails = fails
        with contextlib.suppress(ZeroDivisionError):
            train(model, optimizer)
    assert counts(all_watched) == {"Twice": ("optimizer", 3, 0)}


def test_optimizers_that_step_within_backward_bound_nothing(all_watched, model):
    optimizers = {each: torch.optim.SGD([each], lr=0.1) for each in model.parameters()}
    for each in model.parameters():
        each.register_post_accumulate_grad_hook(lambda one: optimizers[one].step())
    before = model.weight.detach().clone()
    for _ in range(5):
        model(torch.ones(2, 3)).sum().backward()
    assert not torch.equal(model.weight, before)
    assert counts(all_watched) == {}


def test_a_step_with_a_closure_is_one_step(all_watched, model):
    optimizer = optimizer_of(model, torch.optim.LBFGS, max_iter=5)

    def closure():
        optimizer.zero_grad()
        loss = (model(torch.ones(2, 3)) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(4):
        optimizer.step(closure)
    assert counts(all_watched) == {"LBFGS": ("optimizer", 3, 0)}


def test_two_threads_that_train_have_a_loop_each(all_watched):
    def run(kind):
        model = torch.nn.Linear(3, 1)
        optimizer = optimizer_of(model, kind)
        for _ in range(50):
            train(model, optimizer)
            time.sleep(0.0005)

    threads = [
        threading.Thread(target=run, args=(kind,)) for kind in (torch.optim.SGD, torch.optim.Adam)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert counts(all_watched) == {"SGD": ("optimizer", 49, 0), "Adam": ("optimizer", 49, 0)}


def test_a_loop_that_ends_by_an_exception_can_begin_again(all_watched, model):
    optimizer = optimizer_of(model)
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            train(model, optimizer, times=4)
            raise KeyboardInterrupt
        all_watched.pause()
    assert counts(all_watched) == {"SGD": ("optimizer", 6, 1)}


def test_nothing_is_timed_while_timing_is_suspended(all_watched, model):
    optimizer = optimizer_of(model)
    with all_watched.timing_suspended():
        train(model, optimizer, times=4)
    assert counts(all_watched) == {}


def test_only_named_loaders_are_watched_until_everything_is(watching, loader, model):
    watching.watch(loader())
    train(model, optimizer_of(model), times=4)
    assert counts(watching) == {}


def test_stopping_leaves_torch_as_it_was(watching, model):
    from torch.optim.optimizer import _global_optimizer_post_hooks

    before, step = dict(_global_optimizer_post_hooks), torch.amp.GradScaler.step
    watching.watch_everything()
    watching.watch_everything()
    assert len(_global_optimizer_post_hooks) == len(before) + 1
    assert torch.amp.GradScaler.step is not step
    watching.stop()
    assert dict(_global_optimizer_post_hooks) == before
    assert torch.amp.GradScaler.step is step
    train(model, optimizer_of(model), times=4)
    assert counts(watching) == {}


def test_another_patch_of_the_scaler_stays(all_watched, monkeypatch, model):
    ours = torch.amp.GradScaler.step

    def theirs(*args, **kwargs):
        return ours(*args, **kwargs)

    monkeypatch.setattr(torch.amp.GradScaler, "step", theirs)
    all_watched.stop()
    assert torch.amp.GradScaler.step is theirs
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(model(torch.ones(2, 3)).sum()).backward()
    scaler.step(optimizer_of(model))
    assert counts(all_watched) == {}


def test_an_error_of_our_own_ends_the_watch_and_not_the_loop(all_watched, model, monkeypatch):
    optimizer = optimizer_of(model)
    train(model, optimizer, times=3)
    (clock,) = all_watched.clocks

    class Broken:
        due_seconds = 0.0

        def read(self, now):
            raise RuntimeError("broken")

    clock.memory_reader = Broken()
    train(model, optimizer, times=3)
    assert clock.error == "RuntimeError: broken"
    assert counts(all_watched) == {"SGD": ("optimizer", 2, 0)}


def test_a_compiled_optimizer_has_no_more_graph_breaks_than_without_the_watch(
    watching, model, recwarn
):
    from torch._dynamo.utils import counters

    def breaks(watched):
        torch._dynamo.reset()
        counters.clear()
        recwarn.clear()
        if watched:
            watching.watch_everything()
        optimizer = optimizer_of(model)
        step = torch.compile(lambda: optimizer.step(), backend="eager")
        for _ in range(4):
            model(torch.ones(2, 3)).sum().backward()
            step()
        warned = [str(each.message) for each in recwarn if each.category is not DeprecationWarning]
        return dict(counters["graph_break"]), counters["stats"]["unique_graphs"], warned

    assert breaks(watched=False) == breaks(watched=True)
    assert counts(watching) == {}  # such steps are not noticed


def test_torch_may_be_imported_after_the_watch_began():
    program = """
import sys
from jupyter_gpuperf.loops import LoopWatch
watching = LoopWatch()
watching.watch_everything()
assert "torch" not in sys.modules
import torch
model = torch.nn.Linear(3, 1)
optimizer, scaler = torch.optim.SGD(model.parameters()), torch.amp.GradScaler("cpu")
for factor in (1.0, torch.inf, torch.inf, 1.0):
    scaler.scale(model(factor * torch.ones(2, 3)).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
(clock,) = watching.clocks
print(clock.info.name, len(clock.steps))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (run.stdout, run.returncode) == ("SGD 3\n", 0), run.stderr
