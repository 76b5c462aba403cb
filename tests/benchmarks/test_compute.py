from __future__ import annotations

import statistics

import msgspec
import pytest

from jupyter_gpuperf.benchmarks import Context, find
from jupyter_gpuperf.benchmarks.compute import _needed_bytes, number_format
from jupyter_gpuperf.benchmarks.workloads import timing
from jupyter_gpuperf.benchmarks.workloads.device import warn_if_launch_bound
from jupyter_gpuperf.benchmarks.workloads.tinynet import CHANNELS, ForwardPass
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.chips import chip_of
from jupyter_gpuperf.measure.timer import Timing
from jupyter_gpuperf.schemas import BenchmarkResult

SMALL = {"batch_size": 2, "image_size": 32, "time_limit_seconds": 1.0}
NEEDED_BYTES = 2 * 4 * 2 * CHANNELS * 32 * 32


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def said(request, run_on_the_processor):
    """What a real run said; each precision is run once."""
    return run_on_the_processor("compute", **SMALL, precision=request.param)


@pytest.fixture
def result(said):
    assert said[-1]["type"] == "result", said[-1]
    return msgspec.convert(said[-1]["result"], BenchmarkResult)


def test_figures_agree_with_each_other_and_with_their_samples(result):
    seconds, rate = result.figures["pass_seconds"], result.figures["images_per_second"]
    assert rate.value * seconds.value == pytest.approx(SMALL["batch_size"])
    assert seconds.value == pytest.approx(statistics.median(result.samples["pass_seconds"]))


def test_intervals_are_in_order_and_above_nothing(result):
    # Without a GPU nothing is launched: that figure is missing, not zero.
    assert set(result.figures) == {"pass_seconds", "images_per_second"}
    assert set(result.samples) == {"pass_seconds"}
    for interval in result.figures.values():
        assert 0 < interval.low <= interval.value <= interval.high


def test_the_result_says_that_it_was_measured_on_the_processor(result):
    assert result.environment["device"] == "cpu"
    assert "PyTorch found no GPU; measured on the CPU." in result.warnings
    assert "device_name" not in result.environment


def test_the_result_names_every_parameter_and_its_unit(result):
    assert result.unit == "seconds"
    assert set(result.parameters) == {each.name for each in find("compute").parameters}
    assert result.parameters["image_size"] == 32


def test_progress_starts_with_the_warm_up_and_goes_up(said):
    progress = [each for each in said if each["type"] == "progress"]
    ratios = [each["ratio"] for each in progress]
    assert progress[0]["message"] == "Warming up"
    assert ratios[0] == 0.0
    assert ratios == sorted(ratios)
    assert progress[-1]["message"].endswith("ms per pass so far")


def test_a_pass_that_does_not_fit_into_memory_is_refused(machine, refusal_of, no_gpu):
    machine(memory_bytes=int(NEEDED_BYTES / 0.8) - 8)
    error = refusal_of("compute", **SMALL)
    assert error["code"] == "not_enough_memory"
    assert "batch_size" in error["hint"]


@pytest.mark.parametrize("memory_bytes", [int(NEEDED_BYTES / 0.8) + 8, None])
def test_a_pass_that_fits_or_of_which_nothing_is_known_is_taken(machine, memory_bytes):
    machine(memory_bytes=memory_bytes)
    resources.check_available_memory(_needed_bytes(find("compute").check(SMALL)), hint="")


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        (Timing(call_seconds=[1.0], launch_seconds=[0.1], doubt=None), []),
        (Timing(call_seconds=[1.0], launch_seconds=[0.9], doubt=None), ["Launch-bound"]),
    ],
    ids=["nothing", "launch-bound"],
)
def test_what_makes_the_figures_doubtful_is_warned_of(timing, words):
    warnings = []
    warn_if_launch_bound(
        timing, Context(progress=lambda ratio, message: None, warn=warnings.append)
    )
    assert [sentence.partition(":")[0] for sentence in warnings] == words


def test_an_interval_that_stayed_wide_is_warned_of(monkeypatch):
    doubtful = Timing(call_seconds=[1.0], launch_seconds=[], doubt="Not sure.")
    monkeypatch.setattr(timing, "time_call", lambda *_, **__: doubtful)
    warnings = []
    quiet = Context(progress=lambda ratio, message: None, warn=warnings.append)
    parameters = {"rigorous": False, "time_limit_seconds": 1.0}
    assert timing.Stopwatch(parameters, quiet).call(list, None, describe=str) is doubtful
    assert warnings == ["Not sure."]


# Dynamo alone: building machine code takes half a minute, and is done for the benchmark ``compile``.
DYNAMO_ALONE = """
import functools, torch
torch.compile = functools.partial(torch.compile, backend="eager")
"""


@pytest.fixture(scope="module")
def compared(run_on_the_processor):
    said = run_on_the_processor("compute", before=DYNAMO_ALONE, **SMALL, variants="all")
    assert said[-1]["type"] == "result", said[-1]
    return msgspec.convert(said[-1]["result"], BenchmarkResult)


def test_variants_are_measured_in_turn_and_held_against_the_pass_that_was_asked_for(compared):
    names = {"bf16", "bf16_channels_last", "compiled"}
    assert set(compared.figures) == {
        "pass_seconds",
        "images_per_second",
        "eager_pass_seconds",
        *(f"{name}_pass_seconds" for name in names),
        *(f"{name}_speedup" for name in names),
    }
    speedup = compared.figures["compiled_speedup"]
    ratios = [
        eager / compiled
        for eager, compiled in zip(
            compared.samples["eager_pass_seconds"],
            compared.samples["compiled_pass_seconds"],
            strict=True,
        )
    ]
    assert speedup.value == pytest.approx(statistics.median(ratios))


def test_the_work_of_a_pass_is_that_of_its_layers():
    work = ForwardPass(batch_size=128, image_size=224).work
    assert work.flop == pytest.approx(2 * 27 * 64 * 128 * 224**2)
    assert work.traffic_bytes == pytest.approx(6.65e9, rel=0.01)  # known from measuring
    half = ForwardPass(batch_size=128, image_size=224, precision="bf16").work
    assert 0.5 < half.traffic_bytes / work.traffic_bytes < 0.53  # half, and the images converted


@pytest.mark.parametrize(("tf32", "kind"), [(True, "tf32"), (False, "fp32")])
def test_a_known_chip_gives_a_floor_for_the_pass_and_a_roof_for_its_operations(tf32, kind):
    chip = chip_of(
        "NVIDIA H100 80GB HBM3",
        multiprocessors=132,
        memory_bytes=85_520_809_984,
        compute_capability=(9, 0),
    )
    wanted = ForwardPass(batch_size=128, image_size=224)
    assert number_format(wanted, chip, tf32=tf32) == kind
    limits = wanted.work.limits(chip, kind, "pass_seconds", prefix="model_")
    assert limits["pass_seconds"] == pytest.approx(1.98e-3, rel=0.01)
    assert limits["model_flops_per_second"] == chip.flops[kind]
    assert limits["memory_bytes_per_second"] == chip.bytes_per_second
