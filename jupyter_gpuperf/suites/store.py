"""Store the states of suites in the results file, so that they survive a restart of the server."""

from __future__ import annotations

import logging
import os
import platform
from typing import Final

import msgspec
import psutil

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.results.store import UNREADABLE_ROW, ResultStore
from jupyter_gpuperf.schemas import ErrorInfo, SuiteInfo, encode

logger = logging.getLogger(__name__)

MOST_KEPT: Final = 50
SERVER_ENDED: Final = ErrorInfo(
    code="server_ended",
    message="The server stopped during the suite.",
    hint="Finished results are saved. Run the suite again for the rest.",
)


class SuiteStore:
    """Stores the states of suites. Their results are stored with all other results.

    Parameters
    ----------
    results
        The store of the results file.
    owner
        Distinguishes this server from others that use the same file; by default its host and pid.
    """

    def __init__(self, results: ResultStore, owner: str | None = None) -> None:
        self._results = results
        self._owner = owner or f"{platform.node()} {os.getpid()}"

    def put(self, info: SuiteInfo) -> None:
        """Store the current state of a suite. A failure is only logged, so that the suite continues."""
        try:
            with self._results.open("kept") as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO suites VALUES (?, ?, ?, ?)",
                    (info.id, info.created_seconds, self._owner, encode(info)),
                )
                connection.execute(
                    "DELETE FROM suites WHERE id NOT IN"
                    " (SELECT id FROM suites ORDER BY created_seconds DESC LIMIT ?)",
                    (MOST_KEPT,),
                )
        except Unavailable as error:
            logger.warning("%s", error.message)

    def all(self) -> list[SuiteInfo]:
        """Return the suites that have ended, latest first. Suites whose server ended before them count as failed."""
        if self._results.is_empty:
            return []
        with self._results.open("read") as connection:
            rows = connection.execute(
                "SELECT owner, content FROM suites ORDER BY created_seconds DESC"
            ).fetchall()
        infos = []
        for row in rows:
            try:
                info = msgspec.json.decode(row["content"], type=SuiteInfo)
                unfinished = info.state in ("queued", "running")
                if unfinished and self._runs_elsewhere(str(row["owner"])):
                    continue
            except UNREADABLE_ROW as error:
                logger.warning("A suite can't be read: %s", error)
                continue
            if unfinished:
                info = msgspec.structs.replace(
                    info, state="failed", error=SERVER_ENDED, progress_message=""
                )
            infos.append(info)
        return infos

    def _runs_elsewhere(self, owner: str) -> bool:
        host, _, pid = owner.rpartition(" ")
        # This server's suites are in memory, so this one is from an earlier server with the same pid.
        if owner == self._owner:
            return False
        return host == platform.node() and psutil.pid_exists(int(pid))
