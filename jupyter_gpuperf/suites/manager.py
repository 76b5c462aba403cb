"""Run suites one at a time, as jobs in the queue of their device, and store the states of suites."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from jupyter_gpuperf.errors import BadRequest, NotFound, Unavailable
from jupyter_gpuperf.jobs.manager import JobManager
from jupyter_gpuperf.jobs.process import shutting_down_error
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.schemas import SuiteInfo, SuiteRequest, SuiteResults, SuiteSide
from jupyter_gpuperf.suites.rounds import empty_suite
from jupyter_gpuperf.suites.running import Side, SuiteRun
from jupyter_gpuperf.suites.store import SuiteStore

logger = logging.getLogger(__name__)

MOST_ROUNDS: Final = 50
LONGEST_SECONDS: Final = 24 * 3600.0
LONGEST_QUEUE: Final = 20
MOST_SIDES: Final = 2
KEPT_SUITES: Final = 10
"""Number of ended suites kept in memory; older ones are read from the file."""


class SuiteManager:
    """Queues and runs suites. Thread-safe. Methods access the results file, so call them outside the event loop.

    Parameters
    ----------
    jobs
        Runs the benchmarks, and queues them together with other jobs.
    results
        Stores the results and the states of suites.
    clock
        Returns the current Unix time.
    """

    def __init__(
        self, *, jobs: JobManager, results: ResultStore, clock: Callable[[], float] = time.time
    ) -> None:
        self.on_change: Callable[[], object] = lambda: None
        """Called from any thread whenever a suite has changed."""
        self._jobs, self._results, self._clock = jobs, results, clock
        self._store = SuiteStore(results)
        self._lock = threading.RLock()
        self._suites: dict[str, SuiteRun] = {}
        self._queue: deque[SuiteRun] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self, request: SuiteRequest, sides: Sequence[Side]) -> SuiteInfo:
        """Queue a suite in one environment, or alternating between two; return its state.

        Raises
        ------
        NotFound
            ``unknown_benchmark`` or ``unknown_device``: there is no benchmark or device with this name.
        BadRequest
            A parameter, ``rounds`` or ``budget_seconds`` is out of range, or there are too many kernels.
        Unavailable
            ``queue_full``: too many suites are queued. ``shutting_down``: the server is stopping.
        """
        suite = self._made(request, sides)
        with self._lock:
            if self._closed:
                raise shutting_down_error()
            if len(self._queue) >= LONGEST_QUEUE:
                raise Unavailable(
                    "queue_full", "Too many suites are queued.", "Cancel some of them."
                )
            self._suites[suite.info.id] = suite
            self._queue.append(suite)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run_all, name="gpuperf-suites", daemon=True
                )
                self._thread.start()
        self.on_change()
        return suite.info

    def get(self, suite_id: str) -> SuiteInfo:
        """Return the state of a suite.

        Raises
        ------
        NotFound
            ``unknown_suite``: there is no suite with this id.
        """
        for each in self.all():
            if each.id == suite_id:
                return each
        message, hint = "There is no suite {suite!r}.", "GET suites lists all suites."
        raise NotFound("unknown_suite", message, hint, suite=suite_id)

    def cancel(self, suite_id: str) -> SuiteInfo:
        """Cancel a suite and its running job, and return its state. A suite that has ended does not change.

        Raises
        ------
        NotFound
            ``unknown_suite``: there is no suite with this id.
        """
        if (suite := self._suites.get(suite_id)) is not None:
            suite.cancel()
        return self.get(suite_id)

    def results_of(self, suite_id: str) -> list[SuiteResults]:
        """Return the results of a suite so far, as one :class:`SuiteResults` per side."""
        suite = self._suites.get(suite_id)
        if suite is not None and suite.suites:
            return suite.suites
        info = self.get(suite_id)
        return [self._loaded(info, side) for side in info.sides]

    def all(self) -> list[SuiteInfo]:
        """Return the states of this server's suites and of earlier suites that have ended, latest first."""
        infos = {each.id: each for each in self._store.all()}
        with self._lock:
            infos |= {name: each.info for name, each in self._suites.items()}
        return sorted(infos.values(), key=lambda each: each.created_seconds, reverse=True)

    def close(self) -> None:
        """Cancel all suites, and return when none is running. Close the job manager after this call."""
        with self._lock:
            self._closed = True
            suites, thread = list(self._suites.values()), self._thread
        for each in suites:
            each.cancel()
        if thread is not None:
            thread.join()

    def _made(self, request: SuiteRequest, sides: Sequence[Side]) -> SuiteRun:
        # Import these here, so that a server starts without importing the benchmarks.
        from jupyter_gpuperf.benchmarks import find
        from jupyter_gpuperf.suites.suite_file import chosen_benchmarks

        _check_numbers(request, sides)
        for name, parameters in request.parameters.items():
            find(name).check(parameters)
        benchmarks = chosen_benchmarks(",".join(request.benchmarks))
        for side in sides:  # refuse an unknown device now, not when the suite runs
            self._jobs.assignment(benchmarks[0], request.device, side.environment)
        info = _waiting(request, [each.name for each in benchmarks], sides, self._clock())
        self._store.put(info)
        return SuiteRun(
            info,
            benchmarks=benchmarks,
            sides=sides,
            parameters=request.parameters,
            jobs=self._jobs,
            keep=self._keep,
            changed=lambda: self.on_change(),
            clock=self._clock,
        )

    def _keep(self, info: SuiteInfo) -> None:
        if self._closed and info.state == "cancelled":
            # The shutdown cancelled the suite, not a user. The state in the file stays "running", so that a later
            # server reports the suite as failed.
            return
        self._store.put(info)

    def _run_all(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._thread = None
                    return
                suite = self._queue.popleft()
            suite.run()
            self._forget_old()

    def _forget_old(self) -> None:
        with self._lock:
            ended = [name for name, each in self._suites.items() if each.has_ended]
            for name in ended[:-KEPT_SUITES]:
                del self._suites[name]  # the suite is still in the file

    def _loaded(self, info: SuiteInfo, side: SuiteSide) -> SuiteResults:
        results = []
        for number in side.result_ids:
            try:
                results.append(self._results.get(number).result)
            except NotFound:  # the results file was replaced meanwhile
                logger.warning("Result %s of suite %s is gone.", number, info.id)
        return msgspec.structs.replace(
            empty_suite(info.created_seconds),
            rounds=info.rounds_done,
            results=results,
            failures=side.failures,
        )


def _check_numbers(request: SuiteRequest, sides: Sequence[Side]) -> None:
    if not 1 <= len(sides) <= MOST_SIDES:
        message, hint = "A suite can't run in {count} kernels.", "Choose one, or two to compare."
        raise BadRequest("too_many_kernels", message, hint, count=len(sides))
    maximums = {"rounds": MOST_ROUNDS, "budget_seconds": LONGEST_SECONDS}
    for name, maximum in maximums.items():
        value = getattr(request, name)
        if not 1 <= value <= maximum:
            raise BadRequest(
                "parameter_out_of_range",
                "{name} = {value} is out of range.",
                "{name} must be from {low:g} to {high:g}.",
                name=name,
                value=value,
                low=1,
                high=maximum,
            )


def _waiting(
    request: SuiteRequest, benchmarks: list[str], sides: Sequence[Side], now_seconds: float
) -> SuiteInfo:
    titles = [each.title for each in sides]
    # Number the titles if both sides are the same environment: this comparison shows how much runs vary.
    if len(set(titles)) < len(titles):
        titles = [f"{title} ({number})" for number, title in enumerate(titles, 1)]
    return SuiteInfo(
        id=uuid.uuid4().hex[:12],
        benchmarks=benchmarks,
        device=request.device,
        rounds=request.rounds,
        budget_seconds=request.budget_seconds,
        sides=[
            SuiteSide(kernel_name=each.kernel_name, title=title, result_ids=[], failures=[])
            for each, title in zip(sides, titles, strict=True)
        ],
        state="queued",
        rounds_done=0,
        progress_ratio=0.0,
        progress_message="Waiting for the previous suite",
        remaining_seconds=None,
        created_seconds=now_seconds,
        started_seconds=None,
        ended_seconds=None,
        error=None,
    )
