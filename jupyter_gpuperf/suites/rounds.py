"""Run benchmarks round after round, in one environment or in two in alternation."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import (
    SUITE_FORMAT,
    SUITE_VERSION,
    BenchmarkResult,
    ErrorInfo,
    Suite,
    SuiteFailure,
)

if TYPE_CHECKING:
    from jupyter_gpuperf.benchmarks import Benchmark

ROUNDS: Final = 5
"""With 3 rounds, 1 in 10 comparisons of a real H100 with itself reported a difference; with 5 rounds, 0 in 28."""
BUDGET_SECONDS: Final = 1800.0
SHORTEST_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 30.0
"""Time of one run, for benchmarks with a time limit parameter."""
MEASURING_RATIO: Final = 0.8
"""Share of the budget for measuring; process start-up needs the rest, or the last round would not fit."""

RunOne = Callable[[str, dict[str, Any]], BenchmarkResult]


class Rounds:
    """Runs benchmarks on each side in turn, and saves the results after each run.

    With two sides, A and B, each benchmark runs A B B A A B B A …, so that any drift, such as rising
    temperature, affects both sides equally.

    Parameters
    ----------
    sides
        Each runs one benchmark with the given parameters, or raises a ``GpuPerfError``.
    save
        Receives the current suites, one per side, after each result: a kill loses only the running benchmark.
    say
        Receives the next step and the completed ratio.
    """

    def __init__(
        self,
        benchmarks: Sequence[Benchmark],
        sides: Sequence[RunOne],
        *,
        rounds: int = ROUNDS,
        budget_seconds: float = BUDGET_SECONDS,
        save: Callable[[Sequence[Suite]], None] = lambda suites: None,
        report_progress: Callable[[str, float], None] = lambda step, ratio: None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._benchmarks, self._sides = list(benchmarks), list(sides)
        self._rounds, self._budget_seconds = rounds, budget_seconds
        self._save, self._say, self._clock = save, report_progress, clock
        self._suites = [empty_suite(wall_clock())] * len(self._sides)

    def run(self) -> list[Suite]:
        """Run and return the suites; a round starts only if one as long as the last fits the remaining time."""
        began = self._clock()
        for done in range(self._rounds):
            round_began = self._clock()
            self._round(done)
            self._suites = [msgspec.structs.replace(each, rounds=done + 1) for each in self._suites]
            self._save(self._suites)
            now = self._clock()
            if now - began + (now - round_began) > self._budget_seconds:
                break
        return self._suites

    def _round(self, done: int) -> None:
        runs = len(self._sides) * max(1, len(self._benchmarks))
        share_seconds = MEASURING_RATIO * self._budget_seconds / (self._rounds * runs)
        order = range(len(self._sides))[:: -1 if done % 2 else 1]
        for index, benchmark in enumerate(tuple(self._benchmarks)):
            for turn, side in enumerate(order):
                ratio = (done + (index * len(order) + turn) / runs) / self._rounds
                message = "{name}, round {number} of {rounds}"
                facts = {"number": done + 1, "rounds": self._rounds}
                self._say(Message(message, name=benchmark.name, **facts), ratio)
                if not self._one(benchmark, side, share_seconds):
                    break

    def _one(self, benchmark: Benchmark, side: int, share_seconds: float) -> bool:
        try:
            result = self._sides[side](benchmark.name, parameters_for(benchmark, share_seconds))
        except GpuPerfError as error:
            if error.code == "cancelled":
                raise
            # A benchmark that failed once would fail again; leave its time to the others.
            self._benchmarks.remove(benchmark)
            failure = SuiteFailure(benchmark=benchmark.name, error=ErrorInfo(**error.to_dict()))
            self._replace(side, failures=[*self._suites[side].failures, failure])
            return False
        self._replace(side, results=[*self._suites[side].results, result])
        return True

    def _replace(self, side: int, **changes: Any) -> None:
        self._suites[side] = msgspec.structs.replace(self._suites[side], **changes)
        self._save(self._suites)


def empty_suite(created_seconds: float) -> Suite:
    """Return a suite without measurements."""
    return Suite(
        format=SUITE_FORMAT,
        format_version=SUITE_VERSION,
        created_seconds=created_seconds,
        rounds=0,
        results=[],
        failures=[],
    )


def parameters_for(benchmark: Benchmark, share_seconds: float) -> dict[str, Any]:
    """Return a benchmark's parameters in a suite: the defaults, with a time limit within its share."""
    seconds = min(LONGEST_SECONDS, max(SHORTEST_SECONDS, share_seconds))
    return {
        each.name: round(max(each.minimum or 0.0, seconds), 1)
        for each in benchmark.parameters
        if each.name == "time_limit_seconds"
    }
