"""A suite in a file, and which benchmarks it has."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from jupyter_gpuperf.benchmarks import Benchmark
from jupyter_gpuperf.errors import BadRequest, NotFound
from jupyter_gpuperf.schemas import SUITE_FORMAT, SUITE_VERSION, Suite, encode
from jupyter_gpuperf.suites.rounds import BUDGET_SECONDS, ROUNDS, Rounds, RunOne, parameters_for

__all__ = [
    "BUDGET_SECONDS",
    "ROUNDS",
    "SuiteRun",
    "chosen",
    "parameters_for",
    "read_suite",
    "write_suite",
]


class SuiteRun:
    """Runs benchmarks in turn, round after round, in one environment; see :class:`Rounds`.

    Parameters
    ----------
    run
        Runs one benchmark with parameters, or raises a ``GpuPerfError``.
    save
        Takes the suite as it is, after each result.
    """

    def __init__(
        self,
        benchmarks: Sequence[Benchmark],
        run: RunOne,
        *,
        save: Callable[[Suite], None] = lambda suite: None,
        **options: Any,  # those of Rounds
    ) -> None:
        self._rounds = Rounds(benchmarks, [run], save=lambda suites: save(suites[0]), **options)

    def run(self) -> Suite:
        """Run, and return what there is."""
        return self._rounds.run()[0]


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
