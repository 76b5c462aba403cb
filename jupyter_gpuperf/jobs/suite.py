"""A suite: what fits this machine, each benchmark in rounds, until the time given is used up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from jupyter_gpuperf.benchmarks import Benchmark
from jupyter_gpuperf.errors import BadRequest, GpuPerfError, NotFound
from jupyter_gpuperf.schemas import (
    SUITE_FORMAT,
    SUITE_VERSION,
    BenchmarkResult,
    ErrorInfo,
    Suite,
    SuiteFailure,
    encode,
)

ROUNDS: Final = 5
"""With three, one in ten comparisons of a real H100 with itself named a difference; with five, none in 28."""
BUDGET_SECONDS: Final = 1800.0
SHORTEST_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 30.0
"""Time of one run, where a benchmark can be told its time."""

RunOne = Callable[[str, dict[str, Any]], BenchmarkResult]


class SuiteRun:
    """Runs benchmarks in turn, round after round, and keeps what is there after each.

    Parameters
    ----------
    run
        Runs one benchmark with parameters, or raises a ``GpuPerfError``.
    save
        Takes the suite as it is, after each result: a kill loses the running benchmark alone.
    say
        Takes what comes next, and the ratio done.
    """

    def __init__(
        self,
        benchmarks: Sequence[Benchmark],
        run: RunOne,
        *,
        rounds: int = ROUNDS,
        budget_seconds: float = BUDGET_SECONDS,
        save: Callable[[Suite], None] = lambda suite: None,
        say: Callable[[str, float], None] = lambda words, ratio: None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._benchmarks, self._run_one = list(benchmarks), run
        self._rounds, self._budget_seconds = rounds, budget_seconds
        self._save, self._say, self._clock = save, say, clock
        self._suite = Suite(
            format=SUITE_FORMAT,
            format_version=SUITE_VERSION,
            created_seconds=wall_clock(),
            rounds=0,
            results=[],
            failures=[],
        )

    def run(self) -> Suite:
        """Run, and return what there is; a round is begun only when the last one would fit the time left."""
        began = self._clock()
        for done in range(self._rounds):
            round_began = self._clock()
            self._round(done)
            self._suite = msgspec.structs.replace(self._suite, rounds=done + 1)
            self._save(self._suite)
            now = self._clock()
            if now - began + (now - round_began) > self._budget_seconds:
                break
        return self._suite

    def _round(self, done: int) -> None:
        share_seconds = self._budget_seconds / (self._rounds * max(1, len(self._benchmarks)))
        for place, benchmark in enumerate(tuple(self._benchmarks)):
            ratio = (done + place / len(self._benchmarks)) / self._rounds
            self._say(f"{benchmark.name}, round {done + 1} of {self._rounds}", ratio)
            try:
                result = self._run_one(benchmark.name, parameters_for(benchmark, share_seconds))
            except GpuPerfError as error:
                self._drop(benchmark, error)
                continue
            self._suite = msgspec.structs.replace(
                self._suite, results=[*self._suite.results, result]
            )
            self._save(self._suite)

    def _drop(self, benchmark: Benchmark, error: GpuPerfError) -> None:
        # What failed once would fail again: the time goes to the others.
        if error.code == "cancelled":
            raise error
        self._benchmarks.remove(benchmark)
        failure = SuiteFailure(benchmark=benchmark.name, error=ErrorInfo(**error.to_dict()))
        self._suite = msgspec.structs.replace(
            self._suite, failures=[*self._suite.failures, failure]
        )


def parameters_for(benchmark: Benchmark, share_seconds: float) -> dict[str, Any]:
    """Return the parameters that a benchmark has in a suite: its defaults, within its share of the time."""
    known = {parameter.name: parameter for parameter in benchmark.parameters}
    limit = known.get("time_limit_seconds")
    if limit is None:
        return {}
    seconds = min(LONGEST_SECONDS, max(SHORTEST_SECONDS, share_seconds))
    return {"time_limit_seconds": round(max(limit.minimum or 0.0, seconds), 1)}


def chosen(benchmarks: Sequence[Benchmark], names: str) -> list[Benchmark]:
    """Return the benchmarks named, separated by commas; all for an empty string.

    Raises
    ------
    NotFound
        ``unknown_benchmark``.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {each.name: each for each in benchmarks}
    for name in wanted:
        if name not in known:
            raise NotFound(
                "unknown_benchmark",
                f"There is no benchmark {name!r}.",
                f"There are: {', '.join(known)}.",
            )
    return [known[name] for name in wanted] or list(benchmarks)


def write_suite(path: Path, suite: Suite) -> None:
    """Write a suite, whole or not at all.

    Raises
    ------
    BadRequest
        ``file_not_writable``.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(msgspec.json.format(encode(suite), indent=1))
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BadRequest(
            "file_not_writable", f"{path} can't be written: {error}.", "Name another file."
        ) from error


def read_suite(path: Path) -> Suite:
    """Read a suite.

    Raises
    ------
    NotFound
        ``file_not_found``.
    BadRequest
        ``not_a_suite``.
    """
    try:
        suite = msgspec.json.decode(path.read_bytes(), type=Suite)
    except OSError as error:
        raise NotFound(
            "file_not_found", f"{path} can't be read: {error}.", "Name a file that --save wrote."
        ) from error
    except msgspec.MsgspecError as error:
        raise BadRequest(
            "not_a_suite", f"{path} holds no suite: {error}.", "Name a file that --save wrote."
        ) from error
    if suite.format != SUITE_FORMAT or suite.format_version > SUITE_VERSION:
        raise BadRequest(
            "not_a_suite",
            f"{path} is of the format {suite.format} {suite.format_version}.",
            "Update jupyter_gpuperf here, or write the file again.",
        )
    return suite
