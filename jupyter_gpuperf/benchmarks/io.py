"""Benchmark of the disk that holds a dataset: sequential reads, small random reads and many small files.

A file that was read once is in the page cache, so reading it again does not measure the disk. Cold and warm reads are
therefore measured separately. Before a cold read, ``posix_fadvise`` drops the file's pages, which needs no root;
``mincore`` reports how many remain. If they remain, as on a RAM disk, cold reads are skipped.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.page_cache import (
    drop_from_cache,
    filesystem_of,
    resident_ratio,
)
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.errors import BadRequest, NotFound, Unavailable
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import inverse, median_interval
from jupyter_gpuperf.messages import Message

MIB: Final = 1 << 20
PIECE_BYTES: Final = 1 << 20
RANDOM_BYTES: Final = 1 << 14
RANDOM_READS: Final = 64
SMALL_FILES: Final = 64
SMALL_BYTES: Final = 110_000
"""The typical size of a photograph in a dataset."""
COLD_RATIO: Final = 0.05
"""A read is cold if at most this share of the pages is in memory."""
KEPT_FREE_RATIO: Final = 0.1
"""Share of the free disk space that the temporary files must not use."""
MOST_FILES: Final = 4096


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure cold and warm reads; see the module docstring."""
    size = MIB * parameters["size_mib"]
    with _files(parameters["folder"], size, context) as (large, small, folder):
        read_bytes, files = sum(path.stat().st_size for path in large), len(small)
        # Name of the figure → (amount read per call, in bytes, reads or files; function that times one call).
        plan: dict[str, tuple[int, Callable[[], float]]] = {
            "cold_read_bytes": (read_bytes, lambda: _time_cold(large, _read)),
            "warm_read_bytes": (read_bytes, lambda: _time_warm(large)),
            "cold_random_reads": (RANDOM_READS, lambda: _time_cold(large[:1], _read_randomly)),
            "cold_small_files": (files, lambda: _time_cold(small, _read)),
            "warm_small_files": (files, lambda: _time_warm(small)),
        }
        if not _can_drop_cache(large, context):
            plan = {name: each for name, each in plan.items() if name.startswith("warm")}
        figures: dict[str, Any] = {}
        samples: dict[str, list[float]] = {}
        for index, (figure, (amount, block)) in enumerate(plan.items()):
            name = figure.removesuffix("_bytes")
            part = context.part(index, len(plan), Message(name.replace("_", " ")))
            stopwatch = Stopwatch(parameters, part, 1 / len(plan))
            seconds = stopwatch.blocks(block, describe=lambda last: f"{last:.3g} s")
            samples[f"{name}_seconds"] = seconds
            figures[f"{figure}_per_second"] = inverse(median_interval(seconds), amount)
        environment = {
            **describe(),
            "filesystem": filesystem_of(folder),
            "read_bytes": read_bytes,
            "small_file_count": files,
        }
    return Measured(unit="seconds", figures=figures, samples=samples, environment=environment)


@contextmanager
def _files(
    folder: str, size: int, context: Context
) -> Iterator[tuple[list[Path], list[Path], Path]]:
    """Yield the large files, the small files and their folder: the user's own files, or temporary ones."""
    if folder:
        named = Path(folder).expanduser()
        yield (*_existing_files(named, size), named)
        return
    with tempfile.TemporaryDirectory(prefix="gpuperf-io-", ignore_cleanup_errors=True) as made:
        own = Path(made)
        free = shutil.disk_usage(own).free
        if size + SMALL_FILES * SMALL_BYTES > (1 - KEPT_FREE_RATIO) * free:
            raise BadRequest(
                "disk_too_full",
                "The files need {needed:.1f} GiB; {free:.1f} GiB are free in {folder}.",
                "Choose a smaller size_mib, or a folder with files to read.",
                needed=size / 2**30,
                free=free / 2**30,
                folder=own.parent,
            )
        context.progress(0.0, "Writing the files")
        large = _write(own / "large", size)
        small = [_write(own / f"small{number}", SMALL_BYTES) for number in range(SMALL_FILES)]
        yield [large], small, own


def _existing_files(folder: Path, size: int) -> tuple[list[Path], list[Path]]:
    """Return some of the user's files, about ``size`` bytes in total, largest first; and the smallest of them."""
    hint = "Choose a folder that contains files."
    if not folder.is_dir():
        raise NotFound("no_folder", "There is no folder {folder}.", hint, folder=folder)
    files: list[Path] = []
    total = 0
    for path in folder.rglob("*"):
        if total >= size or len(files) >= MOST_FILES:
            break
        if path.is_file() and os.access(path, os.R_OK) and path.stat().st_size:
            files.append(path)
            total += path.stat().st_size
    if not files:
        raise NotFound("no_files", "There are no readable files in {folder}.", hint, folder=folder)
    by_size = sorted(files, key=lambda path: path.stat().st_size, reverse=True)
    return by_size, by_size[-SMALL_FILES:]


def _write(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        for begin in range(0, size, PIECE_BYTES):
            # No two pieces are the same: some file systems compress them, or store equal ones once.
            file.write(os.urandom(min(PIECE_BYTES, size - begin)))
        file.flush()
        os.fsync(file.fileno())  # the system can't drop pages that are not yet on disk
    return path


def _can_drop_cache(paths: list[Path], context: Context) -> bool:
    try:
        left_ratio = max(drop_from_cache(path) for path in paths[:8])
    except (OSError, Unavailable) as error:
        message = "Skipped cold reads: no access to the page cache: {error}"
        context.warn(Message(message, error=error))
        return False
    if left_ratio > COLD_RATIO:
        message = "Skipped cold reads: {left:.0f} % of the pages stay in memory, as on a RAM disk."
        context.warn(Message(message, left=100 * left_ratio))
    return left_ratio <= COLD_RATIO


def _time_cold(paths: list[Path], read: Callable[[Path], None]) -> float:
    for path in paths:
        drop_from_cache(path)
    return _time_reads(paths, read)


def _time_warm(paths: list[Path]) -> float:
    if resident_ratio(paths[0]) < 1 - COLD_RATIO:
        _time_reads(paths, _read)
    return _time_reads(paths, _read)


def _time_reads(paths: list[Path], read: Callable[[Path], None]) -> float:
    began = time.perf_counter()
    for path in paths:
        read(path)
    return time.perf_counter() - began


def _read(path: Path) -> None:
    with path.open("rb", buffering=0) as file:
        while file.read(PIECE_BYTES):
            pass


def _read_randomly(path: Path) -> None:
    places = max(1, path.stat().st_size // RANDOM_BYTES)
    with path.open("rb", buffering=0) as file:
        # Switch off read-ahead, which would load more than each small read.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for _ in range(RANDOM_READS):
            os.pread(file.fileno(), RANDOM_BYTES, random.randrange(places) * RANDOM_BYTES)


BENCHMARK = Benchmark(
    name="io",
    label="Disk",
    help="Read from the disk of a dataset, cold and from the page cache: large files, small random reads, many small "
    "files.",
    parameters=(
        Parameter.text(
            "folder", "", "Folder of your dataset (only read). Empty: create temporary files."
        ),
        Parameter.integer("size_mib", 512, (16, 65536), "MiB to read."),
        Parameter.time_limit(20.0, "Approximate total measuring time."),
    ),
    run=run,
)
