"""All-reduce between real processes, over gloo."""

from __future__ import annotations

from statistics import median

import msgspec
import psutil
import pytest

from jupyter_gpuperf.benchmarks import Context, allreduce, find
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.schemas import BenchmarkResult

SMALL = {"largest_mib": 4, "time_limit_seconds": 1.0}


def run(**parameters):
    quiet = Context(progress=lambda ratio, words: None, warn=lambda sentence: None)
    benchmark = find("allreduce")
    return benchmark.run(benchmark.check({**SMALL, **parameters}), quiet)


def ranks():
    return [
        each
        for each in psutil.Process().children(recursive=True)
        if any("rank.py" in part for part in each.cmdline())
    ]


@pytest.fixture(scope="module")
def result(_torch):
    """The one real run: three processes where there is no GPU."""
    warnings = []
    context = Context(progress=lambda ratio, words: None, warn=warnings.append)
    benchmark = find("allreduce")
    parameters = benchmark.check({**SMALL, "processes": 3})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.cuda.is_available", lambda: False)
        measured = benchmark.run(parameters, context)
    assert ranks() == []
    said = {"benchmark": "allreduce", "parameters": parameters, "warnings": warnings}
    return msgspec.convert({"limits": {}, **said, **measured}, BenchmarkResult)


def test_bandwidth_by_size_and_latency(result):
    assert set(result.figures) == {
        "latency_seconds",
        "bus_1_mib_bytes_per_second",
        "bus_4_mib_bytes_per_second",
    }
    assert result.environment["processes"] == 3
    assert result.environment["backend"] == "gloo"
    assert any("not measure the links" in warning for warning in result.warnings)


@pytest.mark.parametrize("mib", [1, 4])
def test_the_bus_carries_the_message_twice_but_for_the_own_part(result, mib):
    (seconds,) = (values for name, values in result.samples.items() if f"_{mib}_mib" in name)
    bandwidth = result.figures[f"bus_{mib}_mib_bytes_per_second"].value
    assert bandwidth == pytest.approx((mib << 20) / median(seconds) * 2 * (3 - 1) / 3)


def test_a_rank_that_dies_is_said_with_its_last_words_and_none_is_left(monkeypatch, tmp_path):
    broken = tmp_path / "rank.py"
    broken.write_text("import sys; sys.stdin.readline(); sys.exit('no network today')")
    monkeypatch.setattr(allreduce, "RANK_PROGRAM", broken)
    with pytest.raises(GpuPerfError) as error:
        run(backend="gloo")
    assert error.value.code == "rank_failed"
    assert "no network today" in error.value.message
    assert ranks() == []


def test_a_rank_that_hangs_is_ended(monkeypatch, tmp_path):
    hanging = tmp_path / "rank.py"
    hanging.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(allreduce, "RANK_PROGRAM", hanging)
    monkeypatch.setattr(allreduce, "START_SECONDS", 0.5)
    with pytest.raises(GpuPerfError) as error:
        run(backend="gloo")
    assert error.value.code == "rank_hangs"
    assert ranks() == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"backend": "nccl"}, "not_enough_gpus"),
        ({"backend": "gloo", "processes": 1}, "too_few_processes"),
        ({"smallest_mib": 8, "largest_mib": 4}, "sizes_wrong_way_round"),
        ({"backend": "gloo", "largest_mib": 65536, "processes": 64}, "not_enough_memory"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(refusal_of, no_gpu, parameters, code):
    error = refusal_of("allreduce", **{**SMALL, **parameters})
    assert error["code"] == code
    assert error["hint"]
