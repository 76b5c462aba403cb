from __future__ import annotations

import statistics

import msgspec
import pytest

from jupyter_gpuperf.benchmarks import Context, find
from jupyter_gpuperf.benchmarks.dataloader import (
    IMAGE_BYTES,
    _check_memory,
    _warn_of_settings,
)
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.timing import START_COUNT
from jupyter_gpuperf.schemas import BenchmarkResult

SMALL = {"items": 64, "batch_size": 8, "prefetch_factor": 2, "time_limit_seconds": 1.0}
WORKERS = pytest.mark.parametrize("said", [0, 2], indirect=True, ids=["no workers", "2 workers"])


@pytest.fixture(scope="module")
def said(request, run_on_the_processor):
    """What two real runs said, each run once: without workers, and with two."""
    return run_on_the_processor("dataloader", **SMALL, workers=request.param, pin_memory=True)


@pytest.fixture
def result(said):
    assert said[-1]["type"] == "result", said[-1]
    return msgspec.convert(said[-1]["result"], BenchmarkResult)


def parameters_of(**changes):
    return find("dataloader").check(changes)


def warnings_of(has_cuda=False, **changes):
    warnings = []
    context = Context(progress=lambda ratio, message: None, warn=warnings.append)
    _warn_of_settings(parameters_of(**changes), context, has_cuda)
    return warnings


@WORKERS
def test_figures_agree_with_each_other_and_with_their_samples(result):
    batch, rate = result.figures["batch_seconds"], result.figures["images_per_second"]
    assert rate.value * batch.value == pytest.approx(SMALL["batch_size"])
    assert batch.value == pytest.approx(statistics.fmean(result.samples["batch_seconds"]))
    startup = statistics.fmean(result.samples["startup_seconds"])
    assert result.figures["startup_seconds"].value == pytest.approx(startup)
    assert len(result.samples["startup_seconds"]) == START_COUNT


@WORKERS
def test_intervals_are_in_order_and_times_are_above_nothing(result):
    assert set(result.figures) == {"batch_seconds", "images_per_second", "startup_seconds"}
    for interval in result.figures.values():
        assert interval.low <= interval.value <= interval.high
        assert interval.value > 0
    assert all(second > 0 for samples in result.samples.values() for second in samples)


@WORKERS
def test_the_result_says_what_was_run_and_where(said, result):
    assert result.benchmark == "dataloader"
    assert result.unit == "seconds"
    assert result.parameters["items"] == 64
    assert result.environment["batch_bytes"] == 8 * IMAGE_BYTES
    assert result.environment["torch"]
    assert result.environment["cuda"] is None or isinstance(result.environment["cuda"], str)


@WORKERS
def test_progress_goes_up_from_nothing_and_shows_the_time_so_far(said):
    progress = [each for each in said if each["type"] == "progress"]
    ratios = [each["ratio"] for each in progress]
    assert ratios[0] == 0.0
    assert ratios == sorted(ratios)
    assert ratios[-1] <= 1.0
    assert progress[-1]["message"].endswith("ms per batch so far")


@WORKERS
def test_pinned_memory_without_cuda_is_warned_of_and_not_tried(result):
    assert "pin_memory has no effect: PyTorch found no GPU." in result.warnings


@pytest.mark.parametrize("said", [2], indirect=True)
def test_starting_the_workers_takes_longer_than_a_batch(result):
    assert result.figures["startup_seconds"].value > result.figures["batch_seconds"].value


def test_starting_the_workers_is_timed_without_ending_them(monkeypatch):
    from jupyter_gpuperf.loaders import timing as loader_timing

    clock = iter([10.0, 11.0])
    order = []
    monkeypatch.setattr(
        loader_timing.time, "perf_counter", lambda: order.append("clock") or next(clock)
    )

    class BatchBlocks:
        def __next__(self):
            order.append("batch")

        def __del__(self):
            order.append("workers ended")

    class Loader:
        def __iter__(self):
            return BatchBlocks()

    assert loader_timing._start_seconds(Loader(), lambda ratio, message: None, 0) == 1.0
    assert order == ["clock", "batch", "clock", "workers ended"]


def test_too_many_items_are_refused_with_how_many_there_is_room_for(machine, refusal_of):
    machine(memory_bytes=100 * IMAGE_BYTES)
    error = refusal_of("dataloader", items=61, workers=0)
    assert error["code"] == "not_enough_memory"
    assert "61 images need" in error["message"]
    assert error["hint"] == "Choose at most 60 items."


def test_as_many_items_as_there_is_room_for_are_taken(machine):
    machine(memory_bytes=100 * IMAGE_BYTES)
    _check_memory(parameters_of(items=60, workers=0), IMAGE_BYTES)


def test_batches_that_do_not_fit_into_shared_memory_are_refused(machine, refusal_of):
    # 2 workers keep 2 batches each, and 2 are on their way: 6 batches of 8 images.
    machine(shared_bytes=48 * IMAGE_BYTES - 1)
    error = refusal_of("dataloader", items=8, batch_size=8, workers=2, prefetch_factor=2)
    assert error["code"] == "shared_memory_too_small"
    assert "--shm-size" in error["hint"]


@pytest.mark.parametrize(
    ("workers", "shared_bytes"),
    [(2, 48 * IMAGE_BYTES), (0, 1), (2, None)],
    ids=["just enough", "no workers need none", "unknown"],
)
def test_shared_memory_is_only_refused_where_it_is_known_to_be_too_small(
    machine, workers, shared_bytes
):
    machine(shared_bytes=shared_bytes)
    parameters = parameters_of(items=8, batch_size=8, workers=workers, prefetch_factor=2)
    _check_memory(parameters, 8 * IMAGE_BYTES)


def test_docker_s_64_mib_of_shared_memory_are_too_small_for_the_defaults(machine):
    machine(shared_bytes=64 * 2**20)
    parameters = parameters_of()
    with pytest.raises(BadRequest, match="/dev/shm"):
        _check_memory(parameters, parameters["batch_size"] * IMAGE_BYTES)


def test_more_workers_than_processors_are_warned_of(machine):
    machine(cpus=1.5)
    assert warnings_of(workers=1) == []
    assert warnings_of(workers=4) == ["4 workers compete for 1.5 CPUs."]


def test_pinned_memory_is_warned_of_only_without_cuda(machine):
    machine()
    assert warnings_of(pin_memory=True, has_cuda=True) == []
    assert len(warnings_of(pin_memory=True, has_cuda=False)) == 1
