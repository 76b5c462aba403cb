"""Read and write suites as files, and select a suite's benchmarks."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_gpuperf.benchmarks import Benchmark, all_benchmarks, find
from jupyter_gpuperf.results.files import coded_write_errors, read_as, readable_json, require_format
from jupyter_gpuperf.schemas import SUITE_FORMAT, SUITE_VERSION, SuiteResults


def chosen_benchmarks(names: str) -> list[Benchmark]:
    """Return the benchmarks in a comma-separated list of names; for an empty string, all benchmarks.

    Raises
    ------
    NotFound
        ``unknown_benchmark``: there is no benchmark with one of the names.
    """
    return [find(name.strip()) for name in names.split(",") if name.strip()] or [*all_benchmarks()]


def write_suite(path: Path, suite: SuiteResults) -> None:
    """Write a suite to a file atomically.

    Raises
    ------
    BadRequest
        ``file_not_writable``: the file can't be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with coded_write_errors(path):
        try:
            draft.write_bytes(readable_json(suite))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def read_suite(path: Path) -> SuiteResults:
    """Read a suite from a file.

    Raises
    ------
    NotFound
        ``file_not_found``: the file can't be read.
    BadRequest
        ``not_a_suite``: the file does not contain a suite, or has a format that this version does not support.
    """
    suite = read_as(
        SuiteResults, path, "not_a_suite", message="{path} does not contain a suite: {error}."
    )
    require_format(suite, path, "not_a_suite", SUITE_FORMAT, SUITE_VERSION)
    return suite
