"""The benchmarks matmul, bandwidth and launch on a processor: small, but the real thing."""

from __future__ import annotations

import msgspec
import pytest

from jupyter_gpuperf.benchmarks import Context, find
from jupyter_gpuperf.schemas import BenchmarkResult

SMALL = {
    "matmul": {"precision": "fp32", "time_limit_seconds": 2.0},
    "bandwidth": {"size_mib": 64, "time_limit_seconds": 2.0},
    "launch": {"time_limit_seconds": 1.0},
}


@pytest.fixture(scope="module", params=SMALL)
def said(request, run_on_the_processor):
    """What a real run said; each benchmark is run once."""
    return run_on_the_processor(request.param, **SMALL[request.param])


@pytest.fixture
def result(said):
    assert said[-1]["type"] == "result", said[-1]
    return msgspec.convert(said[-1]["result"], BenchmarkResult)


def test_each_figure_has_its_interval_and_samples(result):
    expected = {
        "matmul": {"fp32_flops_per_second"},
        "bandwidth": {"copy_bytes_per_second", "triad_bytes_per_second"},
        "launch": {"launch_seconds"},
    }
    assert set(result.figures) == expected[result.benchmark]
    for interval in result.figures.values():
        assert 0 < interval.low <= interval.value <= interval.high
    assert all(len(values) >= 8 for values in result.samples.values())


def test_a_processor_is_not_taken_for_a_gpu(result):
    assert result.environment["device"] == "cpu"
    assert result.limits == {}
    assert any("PyTorch found no GPU" in warning for warning in result.warnings)


def test_progress_goes_from_nothing_to_nearly_all(said):
    ratios = [each["ratio"] for each in said if each["type"] == "progress"]
    assert ratios
    assert all(0 <= ratio <= 1 for ratio in ratios)
    assert ratios[-1] > ratios[0]


def test_the_winning_shape_is_named(result):
    if result.benchmark == "matmul":
        sizes = [int(size) for size in result.environment["fp32_shape"].split("×")]
        assert len(sizes) == 3
        assert all(size % 256 == 0 for size in sizes)


def test_a_format_that_the_device_lacks_is_refused_with_what_to_do(refusal_of, no_gpu):
    error = refusal_of("matmul", precision="fp8", time_limit_seconds=2.0)
    assert error["code"] == "format_not_supported"
    assert "another precision" in error["hint"]


def test_buffers_that_do_not_fit_are_refused_before_they_are_made(machine, refusal_of):
    machine(memory_bytes=1 << 30)
    assert refusal_of("bandwidth", size_mib=1024)["code"] == "not_enough_memory"


def test_buffers_that_the_gpu_has_no_room_for_are_halved_and_that_is_said(monkeypatch):
    import torch

    from jupyter_gpuperf.benchmarks import bandwidth

    sizes, said = [], []

    def on_device(_torch, _device, size_bytes):
        sizes.append(size_bytes >> 20)
        if size_bytes > 100 << 20:
            raise torch.cuda.OutOfMemoryError("no room")
        return {}

    monkeypatch.setattr(bandwidth, "_on_device", on_device)
    monkeypatch.setattr(bandwidth, "_over_the_link", lambda *_: {})
    quiet = Context(progress=lambda ratio, message: None, warn=said.append)
    bandwidth._calls(torch, torch.device("cuda"), 512 << 20, quiet)
    assert sizes == [512, 256, 128, 64]
    assert said[-1].endswith("measured with 64 MiB.")


def test_switches_of_torch_are_put_back(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = torch.get_float32_matmul_precision()
    quiet = Context(progress=lambda ratio, message: None, warn=lambda sentence: None)
    matmul = find("matmul")
    matmul.run(matmul.check(SMALL["matmul"]), quiet)
    assert torch.get_float32_matmul_precision() == before
