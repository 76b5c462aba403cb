"""Store every result in a file of the user, so that results can be compared later.

The file is an SQLite database. Each call opens its own connection, so that a server, its kernels and shells can use the
file at the same time. The journal is a rollback journal, not a write-ahead log, because home directories are often on a
network file system.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from jupyter_gpuperf.errors import NotFound, Unavailable
from jupyter_gpuperf.results.subject import device_of, subject_key
from jupyter_gpuperf.schemas import BenchmarkResult, KeptResult, encode

logger = logging.getLogger(__name__)

BUSY_SECONDS: Final = 5.0
"""Maximum time to wait while another process is writing."""
LAYOUT: Final = 2
"""Version of the tables."""
MOST_SEARCHED: Final = 1000
"""Maximum number of results searched for the best value: reading many years of results would be slow."""

TABLES: Final = """
CREATE TABLE IF NOT EXISTS results (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created_seconds REAL NOT NULL,
    benchmark TEXT NOT NULL,
    subject TEXT NOT NULL,
    baseline INTEGER NOT NULL DEFAULT 0,
    content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS results_of_benchmark ON results (benchmark, id);
CREATE TABLE IF NOT EXISTS suites (
    id TEXT PRIMARY KEY,
    created_seconds REAL NOT NULL,
    owner TEXT NOT NULL,
    content BLOB NOT NULL
);
"""


def default_path() -> Path:
    """Return the path of the user's results file: the default of the setting ``results_file``."""
    from jupyter_gpuperf.config import Settings

    return Path(Settings().results_file).expanduser()


class ResultStore:
    """Stores results by number. Safe to use from any thread and process.

    Parameters
    ----------
    path
        The results file. The file and its folder are created when the first result is stored.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, result: BenchmarkResult, created_seconds: float) -> int:
        """Store a result and return its number. Once the call has returned, the result survives a crash.

        Raises
        ------
        Unavailable
            ``results_not_writable``: the disk is full, or the file can't be written.
        """
        try:
            with self.open("kept") as connection:
                row = connection.execute(
                    "INSERT INTO results (created_seconds, benchmark, subject, content)"
                    " VALUES (?, ?, ?, ?)",
                    (created_seconds, result.benchmark, subject_key(result), encode(result)),
                )
                return int(row.lastrowid or 0)
        except Unavailable as error:
            if error.code != "results_damaged":
                raise
        return self.add(result, created_seconds)  # to a new file

    def latest(self, benchmark: str | None = None, limit: int = 100) -> list[KeptResult]:
        """Return the latest ``limit`` results of one benchmark, or of all benchmarks; latest first."""
        return self._all(
            "(benchmark = ? OR ? IS NULL) ORDER BY id DESC LIMIT ?", (benchmark, benchmark, limit)
        )

    def get(self, number: int) -> KeptResult:
        """Return the result with this number.

        Raises
        ------
        NotFound
            ``unknown_result``: there is no result with this number.
        """
        if (found := self._first("id = ?", (number,))) is None:
            message, hint = "There is no result {number}.", "The history lists them."
            raise NotFound("unknown_result", message, hint, number=number)
        return found

    def baseline_of(self, result: BenchmarkResult, before: int | None = None) -> KeptResult | None:
        """Return the result with which to compare ``result``; ``None`` if there is none.

        This is the baseline or, without a baseline, the latest result of the same benchmark, device and parameters.

        Parameters
        ----------
        before
            Consider only results with a lower number.
        """
        return self._first(
            "subject = ? AND (? IS NULL OR id < ?) ORDER BY baseline DESC, id DESC",
            (subject_key(result), before, before),
        )

    def mark_baseline(self, number: int) -> KeptResult:
        """Make a result the baseline of its benchmark, device and parameters, in place of an earlier baseline.

        Returns the changed result.

        Raises
        ------
        NotFound
            ``unknown_result``: there is no result with this number.
        """
        subject = subject_key(self.get(number).result)
        with self.open("marked") as connection:
            connection.execute(
                "UPDATE results SET baseline = (id = ?) WHERE subject = ?", (number, subject)
            )
        return self.get(number)

    def similar_results(self, result: BenchmarkResult, limit: int = 100) -> list[KeptResult]:
        """Return the latest ``limit`` results of the same benchmark, device and parameters, latest first."""
        return self._all(
            "benchmark = ? AND subject = ? ORDER BY id DESC LIMIT ?",
            (result.benchmark, subject_key(result), limit),
        )

    def best(self, result: BenchmarkResult, figures: Sequence[str]) -> dict[str, float]:
        """Return the highest value of each figure among the latest results of the same benchmark and device.

        Figures without a result are left out.
        """
        if not figures:
            return {}
        newest = self.latest(result.benchmark, MOST_SEARCHED)
        device = device_of(result)
        alike = [each.result.figures for each in newest if device_of(each.result) == device]
        rates = {name: [each[name].value for each in alike if name in each] for name in figures}
        return {name: max(values) for name, values in rates.items() if values}

    @property
    def is_empty(self) -> bool:
        """Whether there is no file, or only the empty one that is left if the disk was full."""
        try:
            return self.path.stat().st_size == 0
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # opening the file will show the reason
            return False

    def _all(self, condition: str, values: tuple[Any, ...]) -> list[KeptResult]:
        if self.is_empty:
            return []
        with self.open("read") as connection:
            # By name: damage may have renamed a column, and the query then fails with the reason.
            query = f"SELECT id, created_seconds, baseline, content FROM results WHERE {condition}"
            rows = connection.execute(query, values).fetchall()
        return [kept for row in rows if (kept := _kept(row)) is not None]

    def _first(self, condition: str, values: tuple[Any, ...]) -> KeptResult | None:
        return next(iter(self._all(f"{condition} LIMIT 1", values)), None)

    @contextlib.contextmanager
    def open(self, purpose: str) -> Iterator[sqlite3.Connection]:
        """Open a connection for one transaction within the context.

        ``purpose`` is ``read`` or, for writing, ``kept`` or ``marked``. It determines which error is raised.

        Raises
        ------
        Unavailable
            ``results_not_writable`` or ``results_not_readable``: the database can't be used.
            ``results_damaged``: it was damaged, and has been renamed.
        """
        file = self._file()
        try:
            with contextlib.closing(self._connected()) as connection, connection:
                yield connection
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            if _is_damage(error):
                raise Unavailable(
                    "results_damaged",
                    "{path} is damaged: {error}. It was renamed to {aside}.",
                    "New results go to a new file. To recover the old ones, run: sqlite3 {aside} .recover",
                    path=self.path,
                    error=error,
                    aside=self._set_aside(error, file),
                ) from error
            is_read = purpose == "read"
            raise Unavailable(
                "results_not_readable" if is_read else "results_not_writable",
                "Can't read {path}: {error}." if is_read else "Can't save to {path}: {error}.",
                "Free some disk space, or change c.GpuPerf.results_file.",
                path=self.path,
                error=getattr(error, "strerror", None) or error,  # without the path
            ) from error

    def _connected(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self._file()
        try:
            return self._prepared()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not _is_damage(error):  # locked, full, or can't be opened
                raise
            self._set_aside(error, file)
            return self._prepared()

    def _file(self) -> int | None:
        # Identifies the file, even when it has been renamed.
        with contextlib.suppress(OSError):
            return self.path.stat().st_ino
        return None

    def _set_aside(self, error: Exception, file: int | None) -> Path:
        # Rename the file instead of deleting it.
        aside = self.path.with_name(f"{self.path.name}.broken-{time.time_ns()}")
        if file == self._file():  # otherwise someone else was faster
            self.path.replace(aside)
            logger.warning("%s is not a results file (%s). Moved to %s.", self.path, error, aside)
        return aside

    def _prepared(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS)
        try:
            connection.row_factory = sqlite3.Row
            connection.text_factory = lambda text: text.decode(errors="replace")
            connection.execute("PRAGMA synchronous = FULL")
            (layout,) = connection.execute("PRAGMA user_version").fetchone()
            if layout < LAYOUT:  # each version only adds tables, so old content stays readable
                connection.executescript(TABLES)
                connection.execute(f"PRAGMA user_version = {LAYOUT}")
                with contextlib.suppress(OSError):
                    self.path.chmod(0o600)  # results contain names of folders and devices
        except BaseException:
            connection.close()
            raise
        return connection


def _is_damage(error: Exception) -> bool:
    # Python has no class for it; all other errors are of a subclass. sqlite3 can't decode a message that quotes damage.
    return type(error) is sqlite3.DatabaseError or isinstance(error, UnicodeDecodeError)


UNREADABLE_ROW: Final = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError)
"""What decoding a row raises if it has another shape, perhaps that of a later version."""


def _kept(row: sqlite3.Row) -> KeptResult | None:
    try:
        result = msgspec.json.decode(row["content"], type=BenchmarkResult)
        created = msgspec.convert(row["created_seconds"], float)
    except UNREADABLE_ROW as error:
        logger.warning("The result %s can't be read: %s", row["id"], error)
        return None
    baseline = bool(row["baseline"])
    return KeptResult(id=row["id"], created_seconds=created, baseline=baseline, result=result)
