"""What fits on a GPU: the law of the memory, out of memory on the way, and that nothing of it stays."""

from __future__ import annotations

import gc

import pytest
import torch
from fake_gpu import MIB, FakeGpu, Training

from jupyter_gpuperf.batch_sizes.attempt import Attempt
from jupyter_gpuperf.batch_sizes.device_meter import CudaMeter
from jupyter_gpuperf.batch_sizes.fit import FitRequest, fit_batch_size
from jupyter_gpuperf.batch_sizes.timing import dispensable
from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.display.batch_fit_view import BatchFitView
from jupyter_gpuperf.errors import GpuPerfError

pytestmark = pytest.mark.usefixtures("quick")


def fit(training, step=None, *, budget_seconds=60.0, **fields):
    gpu = training.gpu
    context = Context(progress=lambda ratio, words: None, warn=lambda words: None)
    return fit_batch_size(
        torch,
        step or training.step,
        training.loader,
        FitRequest(budget_seconds=budget_seconds, **fields),
        context,
        called=("step", "loader"),
        names={"loader": training.loader},
        meter_of=lambda _torch, models: CudaMeter(gpu, gpu.device),
    )


def trial(found, size):
    return next(each for each in found.trials if each.batch_size == size)


def test_the_largest_batch_that_fits_leaves_the_margin_free_and_was_run():
    training = Training(FakeGpu(total=1000 * MIB))
    found = fit(training, margin_ratio=0.1)
    largest = trial(found, found.largest_batch_size)
    # 40 MiB of weights, gradients and state; 900 MiB may be used.
    assert largest.batch_size == 832
    assert largest.status == "run"
    assert largest.reserved_bytes <= 900 * MIB
    assert largest.predicted_bytes == pytest.approx(largest.peak_bytes, rel=0.03)
    assert found.limited_by == "memory"
    above = next(each for each in found.trials if each.status == "predicted")
    assert above.batch_size == 896
    assert above.reserved_bytes > 900 * MIB
    assert above.samples_per_second is None
    shown = repr(BatchFitView(found)).replace("\xa0", " ")
    assert (
        "The largest that fits is 832, and it runs: torch reserves 872 MiB of 1 000 MiB".replace(
            " 000", "\u202f000"
        )
        in shown
    )
    assert "predicted, not run: does not fit with the margin" in shown


def test_the_law_has_a_line_for_each_phase():
    found = fit(Training(FakeGpu(), sample=MIB, weights=10 * MIB))
    lines = {each.phase: each for each in found.law}
    assert lines["step"].bytes_per_sample == pytest.approx(MIB)
    assert lines["step"].fixed_bytes == pytest.approx(40 * MIB)
    assert lines["step"].largest_deviation_ratio < 0.001
    assert lines["step"].batch_sizes[0] == 4  # also where the optimizer's peak is higher
    assert lines["optimizer"].bytes_per_sample == pytest.approx(0, abs=1)
    assert lines["optimizer"].fixed_bytes == pytest.approx(80 * MIB)
    small = trial(found, 8)
    assert small.peak_bytes == pytest.approx(80 * MIB)  # the optimizer's


def test_what_the_allocator_wastes_counts():
    found = fit(Training(FakeGpu(total=1000 * MIB, waste=1.25)))
    largest = trial(found, found.largest_batch_size)
    assert largest.reserved_bytes == pytest.approx(1.25 * largest.peak_bytes)
    assert largest.reserved_bytes <= 950 * MIB
    assert largest.batch_size == 704


def keeping(training):
    """Return a step whose traceback and whose own variables keep what it allocated."""
    kept = []

    def step(batch):
        memory = training.gpu.empty(training.sample * len(batch[0]))
        kept.append(training.gpu.empty(MIB))
        try:
            training.step(batch)
        except torch.OutOfMemoryError as error:
            kept.append(error)
            raise RuntimeError("out of memory in training") from error
        del memory

    return step


@pytest.mark.parametrize("own_size", [1, 16, 512, 4096])
@pytest.mark.parametrize("step_of", [lambda training: training.step, keeping])
def test_memory_and_peak_counter_are_as_before(own_size, step_of):
    gpu = FakeGpu(total=1000 * MIB)
    users = gpu.empty(100 * MIB)
    spike = gpu.empty(433 * MIB + 512)
    training = Training(gpu)
    data = torch.utils.data.TensorDataset(torch.zeros(8192, 1))
    training.loader = torch.utils.data.DataLoader(data, batch_size=own_size)
    del spike
    before, peak = gpu.counters.allocated, gpu.counters.peak_allocated
    found = fit(training, step_of(training))
    gc.collect()
    assert gpu.counters.allocated == before
    assert gpu.counters.reserved == before  # the cache is returned
    assert gpu.counters.peak_allocated == peak
    assert gpu.counters.most_ever > peak
    assert training.optimizer.state == {}
    assert training.gradients == training.sizes == []
    assert training.model.weight.grad is None
    assert found.limited_by == "memory"
    assert found.warnings == [] or step_of is keeping
    del users


def test_a_peak_that_other_programs_do_not_leave_room_for_is_told():
    gpu = FakeGpu()
    training = Training(gpu)
    spike = gpu.empty(900 * MIB)
    del spike
    gpu.empty_cache()
    gpu.counters.total = 300 * MIB
    found = fit(training)
    assert any("max_memory_allocated() is lower than before" in each for each in found.warnings)
    assert gpu.counters.allocated == 10 * MIB


def test_a_step_that_catches_out_of_memory_itself_does_not_run():
    training = Training(FakeGpu(total=290 * MIB))

    def careful(batch):
        try:
            training.step(batch)
        except torch.OutOfMemoryError:
            training.gradients.clear()

    training.loader = torch.utils.data.DataLoader(training.loader.dataset, batch_size=1024)
    found = fit(training, careful)
    assert trial(found, 256).status == "out_of_memory"
    assert trial(found, 256).samples_per_second is None
    assert found.largest_batch_size == 224


def test_when_nothing_fits_that_is_said():
    training = Training(FakeGpu(total=20 * MIB))
    with pytest.raises(GpuPerfError) as raised:
        fit(training)
    assert raised.value.code == "nothing_fits"
    gc.collect()
    assert training.gpu.counters.allocated == 10 * MIB


def test_an_interrupt_leaves_nothing_in_memory():
    training = Training(FakeGpu())

    def interrupted(batch):
        memory = training.gpu.empty(len(batch[0]) * MIB)
        training.step(batch)
        if len(batch[0]) > 16:
            raise KeyboardInterrupt
        del memory

    with pytest.raises(KeyboardInterrupt) as raised:
        fit(training, interrupted)
    assert training.gpu.counters.allocated == 10 * MIB  # while the traceback still exists
    assert raised.traceback
    assert training.optimizer.state == {}


def test_an_optimizer_that_works_in_each_fourth_step_is_waited_for():
    found = fit(Training(FakeGpu(), every=4))
    lines = {each.phase: each for each in found.law}
    assert lines["optimizer"].fixed_bytes == pytest.approx(80 * MIB)
    assert any("gradients are accumulated" in each for each in found.notes)


def test_a_step_that_keeps_memory_is_warned_of():
    training, kept = Training(FakeGpu(total=10_000 * MIB)), []

    def growing(batch):
        training.step(batch)
        kept.append(training.gpu.empty(2 * MIB))

    found = fit(training, growing)
    assert any("Each step keeps 2.0 MiB more" in each for each in found.warnings)
    assert kept == []


def test_what_libraries_keep_between_calls_is_freed():
    training = Training(FakeGpu())

    def multiplying(batch):
        training.gpu.multiply()
        training.step(batch)

    found = fit(training, multiplying)
    assert {each.phase: each for each in found.law}["step"].fixed_bytes == pytest.approx(48 * MIB)
    assert training.gpu.counters.allocated == 10 * MIB


def test_models_on_several_gpus_are_told():
    gpu = FakeGpu()
    meter = CudaMeter(gpu, torch.device("cuda", 1), ["cuda:1", "cuda:0"])
    assert meter.notes == [
        "The models are on several GPUs; memory is measured on cuda:1, not on cuda:0."
    ]


def test_when_time_is_short_the_sizes_that_decide_are_timed():
    def sizes(*seconds):
        return [
            Attempt(size=2**number, step_seconds=each) for number, each in enumerate(seconds, 3)
        ]

    def left_out(attempts, own_size):
        left, order = sorted(attempts, key=lambda each: each.size / each.step_seconds), []
        while len(left) > 1:
            order.append(dispensable(left, own_size).size)
            left = [each for each in left if each.size != order[-1]]
        return order

    # From 32 on, twice the batch takes twice the time: the largest would say nothing new.
    assert left_out(sizes(1, 1.1, 1.2, 2.4, 4.8), own_size=8) == [128, 64, 16, 32]
    # Each larger batch is faster: the small ones are slow.
    assert left_out(sizes(1, 1, 1, 1, 1), own_size=8) == [16, 32, 64, 128]
