"""The benchmarks train, amp, compile and cudnn on a processor: small, but the real thing."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from jupyter_gpuperf.benchmarks.workloads.networks import RESNET_50, resnet, transformer
from jupyter_gpuperf.benchmarks.workloads.training import (
    SIZES,
    Size,
    TrainingStep,
    flop_of,
)
from jupyter_gpuperf.measure.memory import largest_that_fits
from jupyter_gpuperf.schemas import BenchmarkResult
from jupyter_gpuperf.state.switches import float32_as

SMALL = {
    "train": {"precision": "fp32", "time_limit_seconds": 1.0},
    "amp": {"network": "transformer", "time_limit_seconds": 1.0},
}
FIGURES = {
    "train": {"step_seconds", "images_per_second", "model_flops_per_second"},
    "amp": {
        "transformer_fp32_step_seconds",
        "transformer_bf16_step_seconds",
        "transformer_bf16_speedup",
    },
}


@pytest.fixture(scope="module", params=SMALL)
def result(request, run_on_the_processor):
    said = run_on_the_processor(request.param, **SMALL[request.param])
    assert said[-1]["type"] == "result", said[-1]
    return msgspec.convert(said[-1]["result"], BenchmarkResult)


def test_each_figure_has_its_interval(result):
    assert set(result.figures) == FIGURES[result.benchmark]
    for interval in result.figures.values():
        assert 0 < interval.low <= interval.value <= interval.high


def test_a_processor_is_not_taken_for_a_gpu(result):
    assert result.environment["device"] == "cpu"
    assert result.limits == {}
    assert any("on the CPU" in warning for warning in result.warnings)


def test_the_arithmetic_is_that_of_the_step(result):
    if result.benchmark == "train":
        flop = result.figures["model_flops_per_second"].value * result.figures["step_seconds"].value
        assert flop / 1e12 == pytest.approx(result.environment["step_tflop"], abs=0.001)


# The smallest network that is one: what is compiled, the machine code, is what takes its time.
TINY = """
from jupyter_gpuperf.benchmarks.workloads import training
training.SIZES["transformer", "cpu"] = training.Size(batch=2, side=8, width=64, layers=0)
"""


@pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="there is no C++ compiler here"
)
def test_compiling_is_timed_apart_from_the_steps(run_on_the_processor, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    said = run_on_the_processor(
        "compile", before=TINY, network="transformer", precision="fp32", time_limit_seconds=1.0
    )
    result = msgspec.convert(said[-1]["result"], BenchmarkResult)
    figures = result.figures
    assert {"eager_step_seconds", "compiled_step_seconds", "compiled_speedup"} <= set(figures)
    assert figures["compile_cold_seconds"].value > figures["compile_warm_seconds"].value
    assert figures["compile_warm_seconds"].value > figures["compiled_step_seconds"].value
    assert result.environment["graphs"] >= 1
    assert result.environment["graph_breaks"] == 0
    assert list(tmp_path.glob("gpuperf-compile-*")) == []  # its cache is gone


def test_without_a_compiler_it_is_said_what_is_missing(refusal_of, no_gpu, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    error = refusal_of("compile", time_limit_seconds=1.0)
    assert error["code"] == "compiler_missing"
    assert "g++" in error["hint"]


@pytest.mark.parametrize("benchmark", ["train", "compile"])
def test_a_precision_that_the_device_lacks_is_refused(refusal_of, no_gpu, benchmark):
    error = refusal_of(benchmark, precision="tf32", time_limit_seconds=1.0)
    assert error["code"] == "format_not_supported"
    assert "fp32" in error["hint"]


def test_cudnn_needs_a_gpu_and_says_so(refusal_of, no_gpu):
    error = refusal_of("cudnn", time_limit_seconds=1.0)
    assert error["code"] == "no_gpu"
    assert error["hint"]


@pytest.fixture
def torch(_torch):
    import torch

    return torch


def test_resnet_50_has_the_size_that_the_literature_gives(torch):
    parameters = sum(
        each.numel() for each in resnet(torch, RESNET_50, bottleneck=True).parameters()
    )
    assert parameters == 25_557_032


def test_a_step_of_resnet_50_is_counted_as_the_literature_does(torch):
    step = TrainingStep(
        torch, torch.device("cpu"), network="resnet50", size=Size(batch=1, side=224)
    )
    # 4.09 G multiply-adds forward, two operations each, and twice as much backward, but for the
    # first layer, whose input needs no gradient.
    assert flop_of(torch, step) == pytest.approx(3 * 2 * 4.09e9, rel=0.02)


def test_attention_sees_only_what_came_before(torch):
    network = transformer(torch, width=64, heads=1, layers=1).eval()
    tokens = torch.randn(1, 4, 64)
    changed = tokens.clone()
    changed[0, 3] += 1.0
    before, after = network(tokens), network(changed)
    assert torch.allclose(before[0, :3], after[0, :3])
    assert not torch.allclose(before[0, 3], after[0, 3])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_trains(torch, precision):
    step = TrainingStep(
        torch,
        torch.device("cpu"),
        network="transformer",
        size=SIZES["transformer", "cpu"],
        precision=precision,
    )
    first = step.forward().item()
    for _ in range(20):
        step()
    assert step.forward().item() < first


def test_float32_means_ieee_and_switches_are_put_back(torch):
    before = torch.backends.cudnn.allow_tf32
    with float32_as(torch, "fp32"):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    with float32_as(torch, "tf32"):
        assert torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


def test_a_batch_that_does_not_fit_is_halved_and_said(torch):
    warnings = []

    def attempt(size):
        if size.batch > 20:
            raise torch.cuda.OutOfMemoryError("no room")

    assert largest_that_fits(torch, attempt, Size(batch=128, side=1), warnings.append).batch == 16
    assert warnings[-1].endswith("batch size 16.")


def test_not_even_one_that_does_not_fit_is_an_error(torch):
    def attempt(_size):
        raise torch.cuda.OutOfMemoryError("no room")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        largest_that_fits(torch, attempt, Size(batch=4, side=1), lambda sentence: None)
