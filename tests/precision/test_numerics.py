"""What a deviation means is said only against fp32 run-to-run noise."""

from __future__ import annotations

import math

import pytest
import torch

from jupyter_gpuperf.precision import advice
from jupyter_gpuperf.precision.census import Census, counting_operators, why_float32
from jupyter_gpuperf.precision.numerics import NoiseFloors, compare, first_divergence, noise_floors
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.precision.trace import Operator, Trace, tracing_operators

REFERENCE = [1.0, 0.8, 0.6, 0.5]


def off_by(delta):
    return Trace(losses=[loss + delta for loss in REFERENCE])


@pytest.mark.parametrize(
    ("delta", "verdict"), [(0.0, "within"), (0.05, "within"), (0.2, "close"), (2.0, "far")]
)
def test_a_loss_is_judged_against_the_noise_of_other_seeds(delta, verdict):
    floors = noise_floors(Trace(losses=REFERENCE), Trace(losses=REFERENCE), [off_by(0.1)])
    found = compare(off_by(delta), Trace(losses=REFERENCE), floors)
    assert found["verdict"] == verdict
    assert "seed noise" in found["sentence"]


def test_where_nothing_is_random_the_scale_is_what_a_step_changes():
    reference = Trace(losses=REFERENCE)
    found = compare(off_by(0.01), reference, noise_floors(reference, reference, [reference]))
    assert found["verdict"] == "within"
    assert "one step's change" in found["sentence"]


@pytest.mark.parametrize(("is_random", "seed_delta"), [(False, 1e-4), (True, 1.5e-5)])
def test_sums_in_any_order_are_no_seed_noise(is_random, seed_delta):
    """On a GPU two runs alike differ in the last digits; held against that, every format would be far off."""
    reference = Trace(losses=REFERENCE, is_random=is_random)
    floors = noise_floors(reference, off_by(1e-5), [off_by(seed_delta)])
    found = compare(off_by(0.01), reference, floors)
    assert found["verdict"] == "within"
    assert "one step's change" in found["sentence"]


def test_noise_that_is_more_than_a_step_changes_is_the_scale():
    reference = Trace(losses=REFERENCE, is_random=False)
    floors = noise_floors(reference, off_by(0.5), [off_by(0.5)])
    assert floors.floor == (pytest.approx(0.5), "fp32 run-to-run noise")


def test_without_any_scale_no_verdict_is_given():
    found = compare(Trace(losses=[1.1]), Trace(losses=[1.0]), NoiseFloors())
    assert found["verdict"] == "unknown"
    assert "no noise to compare it with" in found["sentence"]


def test_a_loss_that_is_not_finite_is_broken():
    found = compare(Trace(losses=[1.0, math.nan]), Trace(losses=[1.0, 0.9]), NoiseFloors(seed=0.1))
    assert found["verdict"] == "broken"


def test_gradients_that_vanish_or_overflow_are_counted_per_parameter():
    theirs = {"w": torch.tensor([1e-9, 1.0, 7e4, 0.0]), "b": torch.ones(2)}
    mine = {"w": torch.tensor([0.0, 1.0, math.inf, 0.0]), "b": torch.ones(2)}
    found = compare(
        Trace(losses=[1.0], gradients=mine),
        Trace(losses=[1.0], gradients=theirs),
        NoiseFloors(seed=1.0),
    )["gradients"]
    worst = found["worst"][0]
    assert worst["parameter"] == "w"
    assert worst["underflow_ratio"] == pytest.approx(1 / 3)
    assert worst["over_fp16_ratio"] == 0.25
    assert worst["not_finite"] == 1


def test_the_first_operator_that_is_off_by_more_than_rounding_is_named():
    theirs = [Operator("mm", "float32", (2,), 1.0), Operator("exp", "float32", (2,), 10.0)]
    near = [Operator("mm", "bfloat16", (2,), 1.01), Operator("exp", "float32", (2,), 10.1)]
    assert first_divergence(near, theirs) is None
    broken = [near[0], Operator("exp", "float32", (2,), math.inf)]
    assert first_divergence(broken, theirs)["operator"] == "exp"
    assert first_divergence(broken, theirs)["not_finite"]


def test_operators_are_traced_in_order_without_views_and_casts():
    with tracing_operators(torch) as seen, torch.autocast("cpu", dtype=torch.bfloat16):
        (torch.ones(2, 3) @ torch.ones(3, 4).t().t()).exp().view(-1)
    assert [each.name for each in seen if each.name in ("mm", "exp")] == ["mm", "exp"]
    assert not {"view", "t", "_to_copy"} & {each.name for each in seen}


def test_the_census_counts_operations_by_the_format_they_ran_in():
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Linear(16, 4))
    inputs = torch.randn(2, 8)
    with counting_operators(torch) as census:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            first = model[0](inputs)
        loss = model[1](first.float()).sum()
        loss.backward()
    # Twice a product forward and, but for the first layer's input, twice that backward.
    assert census.flop == 2 * 2 * 8 * 16 * 2 + 2 * 2 * 16 * 4 * 3
    assert census.flop_shares()["bfloat16"] == pytest.approx(1024 / (1024 + 768))
    assert census.casts >= 2
    assert ("addmm", "float32") in census.operators


def test_why_an_operator_stayed_in_float32_is_said():
    assert why_float32("native_layer_norm", 0) == "kept for accuracy"
    assert why_float32("_foreach_add", 0) == "the optimizer's own arithmetic"
    assert why_float32("expand_as", 0) == "takes the format of its inputs"
    assert why_float32("addmm", 100.0) == "its inputs are outside of autocast"
    assert Census().flop_shares() == {}


def outcome(mode, seconds, verdict="within", low=None):
    interval = {"value": seconds, "low": seconds, "high": seconds}
    gain = {"value": 1 / seconds, "low": low or 1 / seconds, "high": 1 / seconds}
    numerics = {"verdict": verdict, "sentence": "loss within seed noise"}
    return ModeOutcome(
        mode, step_seconds=interval, speedup=gain, speedup_over_now=gain, numerics=numerics
    )


@pytest.mark.parametrize(
    ("modes", "recommended"),
    [
        ([outcome("bf16", 0.5), outcome("fp16", 0.4)], "fp16"),
        ([outcome("bf16", 0.5), outcome("fp16", 0.4, "far")], "bf16"),
        ([outcome("bf16", 0.5, "broken")], "fp32"),
        ([outcome("bf16", 0.9, low=0.95)], "fp32"),
        ([outcome("bf16", 1.5)], "fp32"),
    ],
)
def test_a_mode_is_recommended_when_it_surely_gains_and_its_numbers_stand(modes, recommended):
    profile = Profile(
        modes=[outcome("fp32", 1.0, "reference"), *modes], now=None, same_as_now="fp32"
    )
    advice.recommend_mode(profile)
    assert profile.recommended == recommended
    begin = "Keep the cell" if recommended == "fp32" else f"Use {recommended}"
    assert profile.sentence.startswith(begin)


@pytest.mark.parametrize(
    ("highest", "verdict", "recommended"),
    [(0.49, "within", "fp16"), (0.52, "within", "bf16"), (0.52, "close", "fp16")],
    ids=["clearly faster", "intervals overlap", "its numbers are better"],
)
def test_fp16_is_recommended_before_bf16_only_where_it_is_clearly_faster(
    highest, verdict, recommended
):
    """Seen on an H100: 36.9 [33.1, 46.1] ms against 37.4 [35.2, 46.1] ms."""
    fp16 = outcome("fp16", 0.45, "within")
    fp16.step_seconds = {"value": 0.45, "low": 0.4, "high": highest}
    modes = [outcome("fp32", 1.0, "reference"), outcome("bf16", 0.5, verdict), fp16]
    profile = Profile(modes=modes, now=None, same_as_now="fp32")
    advice.recommend_mode(profile)
    advice.explain_limits(profile, {})
    assert profile.recommended == recommended
    assert profile.sentence.startswith(f"Use {recommended}")
    said = any("needs a gradient scaler" in each for each in profile.why_not_more)
    assert said is (recommended == "bf16")


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (
            (1.12, 0.98, 1.27),
            "bf16: 1.12× as fast as now, 95 % interval 0.98 to 1.27: no clear gain.",
        ),
        ((1.021, 1.01, 1.031), "1.021× as fast as now, 95 % interval 1.010 to 1.031: too small"),
        ((0.5, 0.4, 0.6), "bf16: 0.50× as fast as now, 95 % interval 0.40 to 0.60: slower."),
    ],
)
def test_advice_against_a_change_gives_the_interval_and_says_if_it_holds_1(gain, said):
    bf16 = outcome("bf16", 1 / gain[0])
    bf16.speedup_over_now = dict(zip(("value", "low", "high"), gain, strict=True))
    modes = [outcome("fp32", 1.0, "reference"), bf16]
    profile = Profile(modes=modes, now=None, same_as_now="fp32")
    advice.recommend_mode(profile)
    assert said in profile.sentence


def test_numbers_that_were_not_compared_are_not_said_to_differ():
    bf16 = outcome("bf16", 0.5, "unknown")
    bf16.numerics["sentence"] = "not compared: the time limit is used up"
    modes = [outcome("fp32", 1.0, "reference"), bf16]
    profile = Profile(modes=modes, now=None, same_as_now="fp32")
    advice.recommend_mode(profile)
    assert "differ" not in profile.sentence
    assert "numbers were not compared (not compared:" not in profile.sentence
