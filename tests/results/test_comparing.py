"""Two environments: what changed, what got better or worse, and what can't be said."""

from __future__ import annotations

import random

import pytest
from measured import measured, suite

from jupyter_gpuperf.display.comparison_view import distinguishing_parameters
from jupyter_gpuperf.results.comparison import compare, compare_results


def rounds(*values, **options):
    return suite(*(measured(value, **options) for value in values), rounds=len(values))


def verdict(before, after):
    (change,) = compare(before, after).figures
    return change.verdict


def test_a_time_that_grew_is_worse_and_one_that_shrank_is_better():
    slow, fast = rounds(2.0, 2.01, 1.99), rounds(1.0, 1.01, 0.99)
    assert verdict(fast, slow) == "worse"
    assert verdict(slow, fast) == "better"


def test_a_rate_that_grew_is_better():
    options = {"figure": "copy_bytes_per_second"}
    assert verdict(rounds(1e9, 1.01e9, **options), rounds(2e9, 2.01e9, **options)) == "better"


def test_the_ratio_is_after_by_before_with_its_interval():
    (change,) = compare(rounds(1.0, 1.02, 0.98), rounds(1.5, 1.53, 1.47)).figures
    assert change.ratio.value == pytest.approx(1.5, rel=0.01)
    assert change.ratio.low < 1.5 < change.ratio.high


def test_runs_that_scatter_more_than_they_differ_say_nothing():
    assert verdict(rounds(1.0, 1.4, 0.7), rounds(1.2, 0.8, 1.5)) == "unknown"


def test_runs_that_agree_are_the_same():
    assert verdict(rounds(1.0, 1.01, 0.99), rounds(1.005, 1.0, 0.995)) == "same"


def test_of_one_round_nothing_is_claimed_however_narrow_its_interval():
    assert verdict(rounds(1.0, reach=0.001), rounds(2.0, reach=0.001)) == "unknown"


def test_what_was_derived_is_not_compared_twice():
    assert [each.figure for each in compare(rounds(1.0, 1.0), rounds(1.0, 1.0)).figures] == [
        "pass_seconds"
    ]


def test_equal_environments_are_hardly_ever_called_different():
    named = 0
    for seed in range(50):
        draw = random.Random(seed)

        def one_side(draw=draw):
            return suite(
                *(
                    measured(draw.lognormvariate(0, 0.03), parameters={"batch_size": size})
                    for size in range(10)
                    for _ in range(3)
                )
            )

        changes = compare(one_side(), one_side()).figures
        assert len(changes) == 10
        named += any(each.verdict in ("better", "worse") for each in changes)
    assert named <= 5  # 2 or 3 are to be expected


def test_what_differs_in_the_environment_is_named_and_what_changes_by_itself_is_not():
    before = rounds(1.0, 1.0, environment={"torch": "2.11", "temperature_celsius": 40.0})
    after = rounds(1.0, 1.0, environment={"torch": "2.13", "temperature_celsius": 50.0})
    (change,) = compare(before, after).environment
    assert (change.name, change.before, change.after) == ("torch", "2.11", "2.13")


def test_a_benchmark_of_one_side_alone_is_named():
    before = suite(measured(), measured(benchmark="blas"))
    found = compare(before, suite(measured()))
    assert found.only_before == ["blas batch_size=64"]
    assert found.only_after == []


def test_another_device_may_be_what_changed():
    assert verdict(
        rounds(1.0, 1.01), rounds(3.0, 3.03, environment={"device_name": "NVIDIA T4"})
    ) in ("worse", "unknown")


def test_what_disturbed_a_side_goes_with_its_figures():
    (change,) = compare(rounds(1.0, 1.0), rounds(1.0, 1.0, warnings=["A fan is missing."])).figures
    assert change.warnings == ["A fan is missing."]


def test_a_figure_of_zero_has_no_ratio_and_no_verdict():
    assert verdict(rounds(0.0, 0.0), rounds(1.0, 1.0)) == "unknown"


@pytest.mark.parametrize(
    ("after", "expected"), [(1.1, "worse"), (0.9, "better"), (1.01, "same"), (1.0, "same")]
)
def test_single_results_differ_only_when_their_intervals_part(after, expected):
    (change,) = compare_results(measured(1.0, reach=0.01), measured(after, reach=0.01))
    assert change.verdict == expected


def test_what_one_side_alone_has_measured_is_no_difference_of_the_environment():
    alone = measured(benchmark="blas", environment={"blas": "openblas"})
    comparison = compare(suite(measured(), alone), suite(measured()))
    assert comparison.environment == []
    assert comparison.only_before == ["blas batch_size=64"]


def test_a_parameter_of_zero_distinguishes_runs():
    """Seen in the history: a run with 0 workers beside one with 2, and the first said nothing of workers."""
    assert "workers 0" in distinguishing_parameters({"workers": 0, "rigorous": False, "path": ""})
    assert "path" not in distinguishing_parameters({"workers": 0, "path": ""})
