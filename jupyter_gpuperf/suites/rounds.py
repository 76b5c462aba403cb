"""Run benchmarks in rounds, in one environment or alternating between two."""

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
    SuiteFailure,
    SuiteResults,
)

if TYPE_CHECKING:
    from jupyter_gpuperf.benchmarks import Benchmark

ROUNDS: Final = 5
"""Default number of rounds. With 3 rounds, 1 of 10 comparisons of an H100 with itself reported a difference; with 5
rounds, 0 of 28."""
BUDGET_SECONDS: Final = 1800.0
SHORTEST_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 30.0
"""Bounds of the time limit of one run, for benchmarks with such a parameter."""
MEASURING_RATIO: Final = 0.8
"""Share of the budget for measuring. Starting the processes takes the rest, so that the last round still fits."""

REFUSALS: Final = ("cancelled", "unknown_device", "device_is_a_recording", "device_is_elsewhere")
"""Codes of errors that end the whole suite: they would occur with each benchmark."""

RunOne = Callable[[str, dict[str, Any]], BenchmarkResult]


class Rounds:
    """Runs benchmarks alternately on each side, and saves the results after each run.

    With two sides A and B, each benchmark runs in the order A B B A A B B A …, so that any drift, such as a rising
    temperature, affects both sides equally.

    Parameters
    ----------
    sides
        One function per side. It runs the named benchmark with the given parameters, or raises a ``GpuPerfError``.
    rounds
        Number of rounds.
    budget_seconds
        Time limit of all rounds.
    save
        Called with the current suites, one per side, after each result, so that a kill loses only the running
        benchmark.
    report_progress
        Called before each run with a text about it, and with the completed share, from 0 to 1.
    """

    def __init__(
        self,
        benchmarks: Sequence[Benchmark],
        sides: Sequence[RunOne],
        *,
        rounds: int = ROUNDS,
        budget_seconds: float = BUDGET_SECONDS,
        save: Callable[[Sequence[SuiteResults]], None] = lambda suites: None,
        report_progress: Callable[[str, float], None] = lambda step, ratio: None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._benchmarks, self._sides = list(benchmarks), list(sides)
        self._rounds, self._budget_seconds = rounds, budget_seconds
        self._save, self._say, self._clock = save, report_progress, clock
        self._suites = [empty_suite(wall_clock())] * len(self._sides)

    def run(self) -> list[SuiteResults]:
        """Run the rounds and return the suites, one per side.

        Another round starts only if a round as long as the last one fits into the remaining time.
        """
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
            if error.code in REFUSALS:
                raise
            # A benchmark that failed once would probably fail again, so give its time to the others.
            self._benchmarks.remove(benchmark)
            failure = SuiteFailure(benchmark=benchmark.name, error=ErrorInfo(**error.to_dict()))
            self._replace(side, failures=[*self._suites[side].failures, failure])
            return False
        self._replace(side, results=[*self._suites[side].results, result])
        return True

    def _replace(self, side: int, **changes: Any) -> None:
        self._suites[side] = msgspec.structs.replace(self._suites[side], **changes)
        self._save(self._suites)


def empty_suite(created_seconds: float) -> SuiteResults:
    """Return the results of a suite that has not run yet."""
    return SuiteResults(
        format=SUITE_FORMAT,
        format_version=SUITE_VERSION,
        created_seconds=created_seconds,
        rounds=0,
        results=[],
        failures=[],
    )


def parameters_for(benchmark: Benchmark, share_seconds: float) -> dict[str, Any]:
    """Return the parameters of a benchmark in a suite that differ from the defaults: a time limit, if it has one.

    ``share_seconds`` is the benchmark's share of the remaining time.
    """
    seconds = min(LONGEST_SECONDS, max(SHORTEST_SECONDS, share_seconds))
    return {
        each.name: round(max(each.minimum or 0.0, seconds), 1)
        for each in benchmark.parameters
        if each.name == "time_limit_seconds"
    }
