"""One result as a file: as ``%%speedup --save`` writes it, and the panel downloads any result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from jupyter_gpuperf.errors import require_new_file
from jupyter_gpuperf.results.files import coded_write_errors, read_as, readable_json, write_new
from jupyter_gpuperf.results.run_file import read_run
from jupyter_gpuperf.schemas import BenchmarkResult, SuiteResults
from jupyter_gpuperf.schemas.runs import RUN_FORMAT


class _Header(msgspec.Struct):
    format: str = ""
    benchmark: str = ""


def reader_of(path: Path) -> Callable[[Path], SuiteResults] | None:
    """Return the function that reads a file of a single run; ``None`` if it says that it is something else."""
    try:
        header = msgspec.json.decode(path.read_bytes(), type=_Header)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # reading it as a suite says what is wrong
    if header.format == RUN_FORMAT:
        return read_run
    return read_result if header.benchmark else None


def write_result(path: Path, result: BenchmarkResult) -> None:
    """Write a result to a new file.

    Raises
    ------
    BadRequest
        ``file_exists``: the file exists already. ``file_not_writable``: the file can't be written.
    """
    require_new_file(path)
    with coded_write_errors(path):
        write_new(path, readable_json(result))


def read_result(path: Path) -> SuiteResults:
    """Read a result from a file, as the only one of one round.

    Raises
    ------
    NotFound
        ``file_not_found``: the file can't be read.
    BadRequest
        ``not_a_result``: the file does not contain a result.
    """
    result = read_as(
        BenchmarkResult, path, "not_a_result", message="{path} does not contain a result: {error}."
    )
    return SuiteResults(
        format="",
        format_version=1,
        created_seconds=path.stat().st_mtime,
        rounds=1,
        results=[result],
        failures=[],
    )
