"""What fits on a CPU: throughput alone. Whatever the step did is undone, and no step can take longer than allowed."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import time

import numpy as np
import pytest
import torch
from fake_gpu import MIB, FakeGpu
from graphs import RICH, Picture, change, graph
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

import jupyter_gpuperf
from jupyter_gpuperf.batch_sizes.attempt import Attempt
from jupyter_gpuperf.batch_sizes.device_meter import CudaMeter
from jupyter_gpuperf.batch_sizes.fit import FitRequest, fit_batch_size
from jupyter_gpuperf.batch_sizes.timing import enough_of
from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.loaders.comparison import alike

ROWS = TensorDataset(torch.randn(300, 4), torch.arange(300) % 3)


class Training:
    """A loop that sleeps for a given time per step."""

    def __init__(self, seconds_of=lambda size: 0.0005, layers=()):
        self.model = torch.nn.Sequential(torch.nn.Linear(4, 8), *layers, torch.nn.Linear(8, 3))
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.seconds_of, self.losses = seconds_of, []

    def step(self, batch):
        rows, labels = batch
        time.sleep(self.seconds_of(len(rows)))
        loss = torch.nn.functional.cross_entropy(self.model(rows), labels)
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss)


def fit(training, loader=None, **fields):
    loader = loader or DataLoader(ROWS, batch_size=16)
    return jupyter_gpuperf.fit(training.step, loader, **fields)


def trial(found, size):
    return next(each for each in found.trials if each.batch_size == size)


def test_throughput_is_measured_and_memory_is_null(quick):
    found = fit(Training(lambda size: 0.02 * max(1, size / 64)), budget_seconds=20.0)
    assert found.recommended > 16
    data = found.to_dict()
    json.dumps(data)
    assert data["device"] == "cpu"
    assert data["limit_bytes"] is data["largest_batch_size"] is None
    assert data["law"] == []
    for each in data["trials"]:
        assert each["peak_bytes"] is each["reserved_bytes"] is each["predicted_bytes"] is None
        assert each["status"] == "run"
    small = trial(found, 16)
    assert small.roles == ["own"]
    rate = small.samples_per_second
    assert rate.low <= rate.value <= 16 / 0.02
    assert "Measured on the CPU" in repr(found)
    assert "peak memory" not in repr(found)
    assert "samples/s" in found._repr_html_()


def attempt(size, *rates):
    return Attempt(size=size, step_seconds=1.0, samples=[size / each for each in rates])


def test_the_smallest_that_can_not_be_told_apart_from_the_fastest_is_enough():
    slow = attempt(8, 50, 51, 49, 50, 52, 50)
    apart = attempt(16, 96.9, 97.0, 96.8, 96.9, 97.1, 96.9)
    alike = attempt(32, 99, 101, 100, 98, 102, 99)
    fastest = attempt(64, 100, 100, 101, 99, 101, 100)
    noisy = attempt(4, 20, 180, 150, 40, 100, 90)
    sizes = [slow, apart, alike, fastest]
    assert enough_of(sizes, fastest) is alike
    assert enough_of([slow, apart, fastest], fastest) is fastest
    # It may be as fast, but its median is more than 3 % lower.
    assert enough_of([noisy, fastest], fastest) is fastest


def test_no_batch_is_larger_than_the_dataset(quick):
    found = fit(Training(lambda size: 0.02))
    assert (found.data.limited_by, found.trials[-1].batch_size) == ("items", 300)


def test_state_is_as_before_to_the_bit(quick):
    training = Training(layers=(torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5)))
    generator = torch.Generator().manual_seed(5)
    loader = DataLoader(ROWS, batch_size=16, shuffle=True, generator=generator)
    numbers = np.arange(3.0)

    def step(batch):
        training.step(batch)
        numbers[0] += 1
        random.random()

    def looks():
        state = [each.clone() for each in training.model.state_dict().values()]
        states = [torch.get_rng_state(), generator.get_state()]
        return [*state, *states], random.getstate(), numbers.tolist()

    before = looks()
    jupyter_gpuperf.fit(step, loader)
    after = looks()
    assert all(map(torch.equal, after[0], before[0]))
    assert after[1:] == before[1:]
    assert training.losses == []
    assert training.optimizer.state == {}
    assert all(each.grad is None for each in training.model.parameters())


def test_a_step_whose_call_runs_nothing_is_refused():
    def generator(batch):
        yield batch

    async def coroutine(batch):
        return batch

    for step in (generator, coroutine):
        with pytest.raises(GpuPerfError, match="a call of it runs nothing"):
            jupyter_gpuperf.fit(step, [torch.zeros(2)])


def test_a_circle_in_its_first_round_goes_on_afterwards():
    """Its list of past items is its own: to fill it again ended the process."""
    rates = itertools.cycle([0.1, 0.2, 0.3])
    next(rates)
    training = Training(lambda size: 0.01)

    def step(batch):
        next(rates)
        training.step(batch)

    jupyter_gpuperf.fit(step, DataLoader(ROWS, batch_size=16), budget_seconds=3.0)
    assert {next(rates) for _ in range(3)} == {0.1, 0.2, 0.3}


def test_a_step_that_hangs_ends_in_time():
    training = Training(lambda size: 0.01 if size < 32 else 3600.0)
    began = time.monotonic()
    found = fit(training, budget_seconds=8.0)
    assert time.monotonic() - began < 30
    assert found.data.limited_by == "time"
    assert [each.batch_size for each in found.trials] == [4, 8, 16]
    assert any(each.samples_per_second is not None for each in found.trials)
    assert training.losses == []


def test_a_step_that_hangs_at_once_says_so():
    with pytest.raises(GpuPerfError) as raised:
        fit(Training(lambda size: 3600.0), budget_seconds=2.0)
    assert raised.value.code == "no_time"


def test_a_size_with_which_the_step_fails_is_left_out(quick):
    training = Training(layers=(torch.nn.BatchNorm1d(8),))
    data = TensorDataset(*(each[:301] for each in (torch.randn(301, 4), torch.arange(301) % 3)))
    found = fit(training, DataLoader(data, batch_size=4))
    assert trial(found, 1).status == "failed"
    assert "more than 1 value per channel" in trial(found, 1).error
    assert trial(found, 2).status == "run"
    assert "BatchNorm's statistics depend on the batch size." in found.data.notes


def test_a_size_that_can_not_be_made_ends_the_sizes(quick):
    batches = [torch.randn(8, 4), torch.randn(8, 5)]
    training = Training()
    training.step = lambda rows: training.model(rows[:, :4]).sum().backward()
    found = fit(training, batches)
    assert trial(found, 8).status == "run"
    assert trial(found, 16).status == "failed"
    assert "batches differ in shape" in trial(found, 16).error


def test_a_step_that_fails_with_the_loader_s_own_size_is_an_error():
    training = Training()
    training.model = torch.nn.Linear(5, 3)
    with pytest.raises(GpuPerfError, match="With a batch of 16, the step raised RuntimeError"):
        fit(training)
    assert training.losses == []


def test_the_code_creates_the_user_s_loader_with_the_recommended_size(quick):
    training, loader = Training(), DataLoader(ROWS, batch_size=2)
    found = fit_batch_size(
        torch,
        training.step,
        loader,
        FitRequest(),
        Context(progress=lambda ratio, words: None, warn=lambda words: None),
        called=("step", "loader"),
        names={"loader": loader, "DataLoader": DataLoader},
    )
    scope = {"loader": loader, "DataLoader": DataLoader}
    exec(found.code, scope)
    assert scope["loader"].batch_size == found.recommended_batch_size != 2
    assert alike(scope["loader"].dataset, ROWS)


def test_last_batches_are_told(quick):
    found = fit(Training(lambda size: 1e-4 * size), DataLoader(ROWS, batch_size=16))
    size = found.recommended
    if rest := 300 % size:
        assert f"The last batch of an epoch has {rest} samples." in found.data.notes
    dropped = fit(Training(lambda size: 1e-4 * size), DataLoader(ROWS, 16, drop_last=True))
    if rest := 300 % dropped.recommended:
        assert f"drop_last leaves out {rest} samples per epoch." in dropped.data.notes


@pytest.mark.filterwarnings("error")
def test_torch_s_warnings_about_the_loader_s_settings_are_not_shown(quick):
    fit(Training(), DataLoader(ROWS, batch_size=64, pin_memory=True))


@pytest.mark.parametrize(
    ("step", "code"),
    [(lambda batch: None, "no_state_found"), ("train", "usage")],
)
def test_what_is_no_training_step_is_refused(step, code):
    with pytest.raises(GpuPerfError) as raised:
        jupyter_gpuperf.fit(step, DataLoader(ROWS))
    assert raised.value.code == code


@pytest.mark.parametrize("fields", [{"budget_seconds": 0.1}, {"margin_ratio": 1.0}])
def test_values_out_of_range_are_refused(fields):
    with pytest.raises(GpuPerfError) as raised:
        fit(Training(), **fields)
    assert raised.value.code == "parameter_out_of_range"


def test_objects_that_the_step_does_not_name_can_be_given(quick):
    training, hidden = Training(), [0]
    change_hidden = hidden.append.__self__.append

    def step(batch):
        training.step(batch)
        change_hidden(1)

    jupyter_gpuperf.fit(step, DataLoader(ROWS, batch_size=64), state=[hidden])
    assert hidden == [0]


def test_the_plot_has_a_point_for_each_timed_size(quick):
    pytest.importorskip("matplotlib")
    found = fit(Training(), DataLoader(ROWS, batch_size=64))
    (axes,) = found.plot().axes
    assert len(axes.containers) == len(found.trials)


PLACES = st.integers(0, 30)


@settings(max_examples=15)
@given(
    changes=st.lists(st.tuples(st.integers(0, 3), PLACES, PLACES), min_size=1, max_size=12),
    fails_at=st.integers(1, 60),
    error=st.sampled_from([torch.OutOfMemoryError, RuntimeError, KeyboardInterrupt]),
    room=st.integers(20, 400),
)
def test_whatever_a_step_changes_and_however_it_fails_everything_is_as_before(
    changes, fails_at, error, room
):
    gpu = FakeGpu(total=room * MIB)
    made = graph(RICH)
    names = {f"name{place}": each for place, each in enumerate(made)}
    model = torch.nn.Linear(4, 3)
    calls = []

    def step(batch):
        memory = [gpu.empty(MIB) for _ in batch[0]]
        change(made, names, changes)
        model(batch[0]).sum().backward()
        model.kept = memory
        calls.append(len(memory))
        if sum(calls) > 100 * fails_at:
            raise error("stopped")

    before = Picture(made, names)
    request = FitRequest(budget_seconds=30.0)
    context = Context(progress=lambda ratio, words: None, warn=lambda words: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jupyter_gpuperf.batch_sizes.timing.TARGET_RATIO", 1e9)
        patch.setattr("jupyter_gpuperf.batch_sizes.timing.MOST_STEPS", 1)
        with contextlib.suppress(GpuPerfError, KeyboardInterrupt, error):
            fit_batch_size(
                torch,
                step,
                DataLoader(ROWS, batch_size=16),
                request,
                context,
                meter_of=lambda _torch, models: CudaMeter(gpu, gpu.device),
            )
    assert Picture(made, names).difference(before) == []
    assert calls == []
    assert model.weight.grad is None
    assert not hasattr(model, "kept")
    assert gpu.counters.allocated == 0
