"""The benchmarks themselves, small, with the torch of this environment."""

from __future__ import annotations

import msgspec
import pytest

from jupyter_gpuperf.benchmarks import find
from jupyter_gpuperf.benchmarks.running import run_request
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.schemas import BenchmarkResult

SMALL = {
    "dataloader": {"items": 32, "batch_size": 8, "time_limit_seconds": 1.0},
    "compute": {"batch_size": 1, "image_size": 32, "time_limit_seconds": 1.0},
}


def run(benchmark, **parameters):
    said = []
    request = {"benchmark": benchmark, "parameters": {**SMALL[benchmark], **parameters}}
    run_request(request, said.append)
    return said


def result_of(benchmark, **parameters) -> BenchmarkResult:
    last = run(benchmark, **parameters)[-1]
    assert last["type"] == "result", last
    return msgspec.convert(last["result"], BenchmarkResult)


@pytest.mark.parametrize(
    ("benchmark", "parameters", "time"),
    [
        ("dataloader", {"workers": 0}, "batch_seconds"),
        ("dataloader", {"workers": 2, "prefetch_factor": 3}, "batch_seconds"),
        ("compute", {}, "pass_seconds"),
        ("compute", {"precision": "bf16"}, "pass_seconds"),
    ],
)
def test_a_result_holds_together(benchmark, parameters, time):
    result = result_of(benchmark, **parameters)
    for figure in result.figures.values():
        assert 0 <= figure.low <= figure.value <= figure.high
    batch_size = SMALL[benchmark]["batch_size"]
    rate = batch_size / result.figures[time].value
    assert result.figures["images_per_second"].value == pytest.approx(rate)
    assert len(result.samples[time]) >= 8
    assert result.environment["torch"]
    assert result.parameters["time_limit_seconds"] == 1.0


def test_progress_goes_up_and_never_out_of_bounds():
    ratios = [message["ratio"] for message in run("dataloader", workers=0)[:-1]]
    assert ratios == sorted(ratios)
    assert all(0 <= ratio <= 1 for ratio in ratios)


def test_starting_workers_is_told_apart_from_their_batches():
    with_workers = result_of("dataloader", workers=2)
    startup = with_workers.figures["startup_seconds"].value
    assert startup > with_workers.figures["batch_seconds"].value
    assert len(with_workers.samples["startup_seconds"]) == 4


def test_more_workers_than_processors_are_warned_of(monkeypatch):
    monkeypatch.setattr(resources, "usable_cpus", lambda: 1.0)
    assert any("2 workers" in warning for warning in result_of("dataloader", workers=2).warnings)


def test_pinning_without_a_device_is_said_to_do_nothing():
    import torch

    if torch.cuda.is_available():
        pytest.skip("this torch has a device to pin for")
    warnings = result_of("dataloader", workers=0, pin_memory=True).warnings
    assert any("pin_memory" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("benchmark", "scarce", "parameters", "code"),
    [
        ("dataloader", "available_memory_bytes", {"workers": 0}, "not_enough_memory"),
        ("dataloader", "shared_memory_free_bytes", {"workers": 1}, "shared_memory_too_small"),
        ("compute", "available_memory_bytes", {}, "not_enough_memory"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_hurts(
    monkeypatch, benchmark, scarce, parameters, code
):
    monkeypatch.setattr(resources, scarce, lambda: 1000)
    last = run(benchmark, **parameters)[-1]
    assert (last["type"], last["code"]) == ("error", code)
    assert last["hint"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("broken"), "benchmark_failed"),
        (MemoryError(), "out_of_memory"),
        (type("OutOfMemoryError", (RuntimeError,), {})(), "out_of_memory"),
    ],
)
def test_what_a_benchmark_raises_is_told(monkeypatch, error, code):
    def broken():
        raise error

    monkeypatch.setattr(resources, "usable_cpus", broken)
    last = run("dataloader", workers=0)[-1]
    assert (last["type"], last["code"]) == ("error", code)


def test_a_package_that_is_missing_is_named_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    last = run("compute")[-1]
    assert last["code"] == "package_missing"
    assert "pip install torch" in last["hint"]
    assert find("compute").requires == ("torch",)
