"""Two environments by turns: what drifts counts for both alike, and what fails once takes no more time."""

from __future__ import annotations

from measured import measured

from jupyter_gpuperf.benchmarks import find
from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.suites.rounds import Rounds

TWO = (find("compute"), find("launch"))


def in_turn(rounds, *, missing=(), benchmarks=TWO):
    """Run two sides; return their suites, the order of the runs, and the ratios told."""
    order, ratios = [], []

    def side(name):
        def run_one(benchmark, _parameters):
            order.append((benchmark, name))
            if (benchmark, name) in missing:
                raise Unavailable("package_missing", "It is not there.", "Install it.")
            return measured(benchmark=benchmark)

        return run_one

    suites = Rounds(
        benchmarks,
        [side("A"), side("B")],
        rounds=rounds,
        report_progress=lambda _words, ratio: ratios.append(ratio),
        clock=lambda: 0.0,
    ).run()
    return suites, order, ratios


def test_each_benchmark_runs_a_b_b_a():
    suites, order, ratios = in_turn(4)
    for benchmark in ("compute", "launch"):
        assert "".join(side for name, side in order if name == benchmark) == "ABBAABBA"
    assert [len(each.results) for each in suites] == [8, 8]
    assert [each.rounds for each in suites] == [4, 4]
    assert ratios == sorted(ratios)
    assert (ratios[0], ratios[-1]) == (0.0, 15 / 16)


def test_what_one_side_lacks_is_left_out_in_both_and_noted_there():
    suites, order, _ = in_turn(3, missing={("compute", "B")})
    assert order.count(("compute", "A")) == 1
    assert order.count(("compute", "B")) == 1
    assert [[each.benchmark for each in suite.failures] for suite in suites] == [[], ["compute"]]
    assert "".join(side for name, side in order if name == "launch") == "ABBAAB"
