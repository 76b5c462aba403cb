"""Search for what makes a cell faster: levers on top of each other, then the loader, then the whole against the cell.

While the cell draws from a loader, the levers are compared on batches that are ready: so a slow loader hides no gain, and
costs no time. What the loader itself could gain is the difference between the two.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from typing import Any, Final

from jupyter_gpuperf.levers import loader_lever
from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.goal import FASTER, FASTER_ON_READY, SpeedGoal, goal_of
from jupyter_gpuperf.levers.graph_breaks import GraphBreaks
from jupyter_gpuperf.levers.lever import Lever, NotApplicable
from jupyter_gpuperf.levers.loader_trial import LoaderTrial
from jupyter_gpuperf.levers.numbers_check import NumbersCheck, wrong_numbers
from jupyter_gpuperf.levers.options import SpeedupOptions
from jupyter_gpuperf.levers.outcome import ONE, OnOutcome, Speedup
from jupyter_gpuperf.levers.outcomes import Outcomes
from jupyter_gpuperf.levers.ready_batches import KeepingLoader, ReadyLoaders
from jupyter_gpuperf.levers.registry import all_levers
from jupyter_gpuperf.levers.situation import situation_of
from jupyter_gpuperf.levers.trials import TrialEnded, Trials
from jupyter_gpuperf.levers.versions import NO_STAND_INS, Versions
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.compiling import is_compiled
from jupyter_gpuperf.precision.failure_description import MOST_CHARACTERS
from jupyter_gpuperf.precision.measured_modes import Progress
from jupyter_gpuperf.precision.profiled_code import ProfiledCode
from jupyter_gpuperf.precision.session import ProfileSession
from jupyter_gpuperf.state.interrupts import run_afterwards

AS_IT_WAS: Final = "as it was"
COMPARED_STEPS: Final = 20


def search(
    subject: ProfiledCode,
    source: str,
    options: SpeedupOptions,
    *,
    levers: Sequence[Lever] | None = None,
    progress: Progress = lambda ratio, message: None,
    on_outcome: OnOutcome = lambda outcomes, code: None,
) -> Speedup:
    """Make a cell fast. Afterwards the state is the same as after one ordinary run, even after an error.

    Parameters
    ----------
    on_outcome
        Called after each lever, with the outcomes of all levers so far and the best code so far.

    Raises
    ------
    CellFailed
        The ordinary run raised an exception; the state before it is restored.
    GpuPerfError
        The cell can't be run again, or not be timed; the error gives the reason.
    """
    import torch

    options.validated()
    began = time.perf_counter()
    session = ProfileSession(torch, subject)
    versions = Versions(session)
    with run_afterwards(lambda: _close(session, versions)):
        progress(0.02, "Running the cell once")
        ordinary_began = time.perf_counter()
        session.ordinary_run()
        chosen = all_levers() if levers is None else levers
        searching = _Search(session, versions, source, options, chosen, progress, on_outcome)
        found = searching.run(time.perf_counter() - ordinary_began)
    found.warnings = [*session.warnings, *found.warnings]
    if lost := session.not_restored():
        found.warnings.append(Message("Not restored after each run: {paths}.", paths=lost[:5]))
    found.environment = describe(torch, session.device)
    found.seconds = time.perf_counter() - began
    return found


def _close(session: ProfileSession, versions: Versions) -> None:
    versions.restore()
    session.close()
    has_own = any(is_compiled(module) for _, module in session.models_used())
    if versions.has_compiled and not has_own:
        session.torch.compiler.reset()  # frees compiled code, and the memory of CUDA graphs


class _Search:
    def __init__(
        self,
        session: ProfileSession,
        versions: Versions,
        source: str,
        options: SpeedupOptions,
        levers: Sequence[Lever],
        progress: Progress,
        on_outcome: OnOutcome,
    ) -> None:
        self._session, self._versions, self._options = session, versions, options
        self._levers, self._report = levers, progress
        self._latest: tuple[float, str] = (0.05, "")
        self._trials = Trials(
            session, versions, options.time_limit_seconds, look=lambda: progress(*self._latest)
        )
        self._situation = situation_of(session)
        self._own_code = CellCode(source)
        self._own = versions.variant(AS_IT_WAS, None)
        self._best_variant = self._own
        self._outcomes = Outcomes(self._own_code, on_outcome)
        self._numbers: dict[str, Any] = {}
        """How the best code's numbers compare with fp32's; empty for the cell as it was."""
        self._workers = 0
        """The largest number of workers of any loader in a version."""

    def run(self, run_seconds: float) -> Speedup:
        """Try all levers, and return the answer; the ordinary run took ``run_seconds``."""
        ready = self._run_own(run_seconds)
        if ready is not None and not self._can_use(ready):
            ready = None
        self._goal = goal_of(self._options.memory, lambda: self._trials.peak_bytes(self._own))
        runs = math.ceil(COMPARED_STEPS / self._trials.steps_per_run)
        self._check = NumbersCheck(self._session, self._versions, runs)
        for index, lever in enumerate(self._levers):
            done = index / len(self._levers)
            self._progress(0.1 + 0.5 * done, Message("Trying {lever}", lever=lever.name))
            self._try(lever)
        if ready is not None:
            self._progress(0.62, Message("Trying {lever}", lever=loader_lever.NAME))
            self._try_loader(ready)
        self._use_own_loaders()
        return self._answer()

    def _progress(self, ratio: float, message: str) -> None:
        self._latest = ratio, message
        self._report(ratio, message)

    def _use_own_loaders(self) -> None:
        """Have all versions run on the cell's own loaders."""
        self._versions.stand_ins = NO_STAND_INS
        self._own.run_seconds = self._own_seconds
        self._trials.time_steps_only(self._cell_seconds, self._workers)

    def _run_own(self, run_seconds: float) -> ReadyLoaders | None:
        """Run the cell as it was; return batches of the loaders from which it drew."""
        loaders = loader_lever.loaders_used(self._situation.namespace, self._session.names_used())
        loader_lever.check_name(self._options.loader, loaders)
        keeping = {name: KeepingLoader(each) for name, each in loaders.items()}
        self._workers = max((each.num_workers for each in loaders.values()), default=0)
        self._trials.time_steps_only(run_seconds, self._workers)
        self._versions.stand_ins = keeping
        self._trials.warm_up_own(self._own)
        self._versions.stand_ins = NO_STAND_INS
        # The ordinary run had first-step costs, which make a short cell look long.
        self._cell_seconds = self._own.run_seconds * self._trials.runs_per_cell
        ready = ReadyLoaders(keeping, self._trials.steps_per_run, pinned=self._situation.is_on_gpu)
        if self._trials.time_steps_only(self._cell_seconds, self._workers):
            self._trials.warm_up_own(self._own)
        self._own_seconds = self._own.run_seconds
        return ready if ready.stand_ins else None

    def _can_use(self, ready: ReadyLoaders) -> bool:
        """Have all versions run on ready batches, if the cell runs on them and leaves them as they are."""
        self._trials.time_steps_only(self._cell_seconds)
        self._versions.stand_ins = ready.stand_ins
        with contextlib.suppress(TrialEnded):
            self._trials.warm_up(self._own)
            if not ready.were_changed():
                return True
        self._use_own_loaders()
        return False

    def _try(self, lever: Lever) -> None:
        if lever.requires and not getattr(self._options, lever.requires):
            option = "--" + lever.requires.replace("_", "-")
            self._outcomes.leave(lever.name, Message("Not tried without {option}.", option=option))
            return
        if lever.follows and self._outcomes.is_hopeless(lever.follows):
            reason = Message("Not tried: {lever} is no gain.", lever=lever.follows)
            self._outcomes.leave(lever.name, reason)
            return
        if self._options.safe and not lever.keeps_numbers:
            self._outcomes.leave(lever.name, Message("Not tried: it changes fp32's numbers."))
            return
        self._session.reset()  # levers look at the objects as they were
        base = self._without_excluded(lever)
        try:
            code = lever.apply(self._situation, base)
        except NotApplicable as error:
            self._outcomes.leave(lever.name, error.reason)
            return
        except Exception as error:  # noqa: BLE001  (a lever of another package)
            self._outcomes.leave(
                lever.name, Message("It failed: {reason}", reason=repr(error)[:MOST_CHARACTERS])
            )
            return
        if not self._trials.allow_for(self._best_variant):
            self._outcomes.leave(lever.name, Message("Not tried: no time was left."))
            return
        try:
            self._time(lever, code)
        except TrialEnded as error:
            self._outcomes.leave(lever.name, error.reason)

    def _without_excluded(self, lever: Lever) -> CellCode:
        """Return the best code so far without the levers of which this one takes the place."""
        code = self._own_code
        for each in self._outcomes.taken:
            if each.name not in lever.excludes:
                code = each.apply(self._situation, code)
        return code

    def _time(self, lever: Lever, code: CellCode) -> None:
        variant = self._versions.variant(lever.name, code)
        breaks = GraphBreaks()
        with breaks.recorded():
            self._trials.warm_up(variant, compiles=lever.compiles)
        speedup = self._trials.compare(self._best_variant, variant)
        why = self._goal.objection(speedup, lambda: self._trials.peak_bytes(variant))
        numbers: dict[str, Any] = {}
        if why is None and lever.hint is not None:
            why = lever.hint(self._own_code)
        if why is None:
            numbers, why = wrong_numbers(self._check, code)
        if why is not None:
            self._outcomes.leave(lever.name, breaks.added_to(why), speedup)
            return
        self._numbers = numbers
        self._best_variant = variant
        because = self._goal.taken_because
        if because is FASTER and self._versions.stand_ins:
            because = FASTER_ON_READY
        self._outcomes.take(lever.name, breaks.added_to(because), speedup, code, lever)

    def _try_loader(self, ready: ReadyLoaders) -> None:
        loader = LoaderTrial(self._trials, self._versions, self._situation, ready)
        best, progress = self._best_variant, self._progress
        try:
            ready_seconds = loader.step_seconds(best)
            self._use_own_loaders()
            found = loader.tuned(
                self._options.loader,
                self._outcomes.code,
                best,
                ready_seconds=ready_seconds,
                progress=lambda ratio, text: progress(0.62 + 0.13 * ratio, text),
            )
            self._workers = max(self._workers, found.workers)
            self._trials.time_steps_only(self._cell_seconds, self._workers)
            variant, speedup = loader.compared(best, found)
        except (NotApplicable, TrialEnded) as error:
            self._outcomes.leave(loader_lever.NAME, error.reason)
            return
        why = SpeedGoal().objection(speedup, lambda: None)
        if why is not None:
            self._outcomes.leave(loader_lever.NAME, why, speedup)
            return
        self._best_variant = variant
        self._outcomes.take(loader_lever.NAME, FASTER, speedup, found.code)

    def _answer(self) -> Speedup:
        self._progress(0.75, Message("Comparing with the cell as it was"))
        own, best = self._own, self._best_variant
        timings = self._trials.compare_finally(own, best)
        answer = Speedup(
            speedup=ONE if best is own else timings.speedup(best.name, own.name),
            before_seconds=timings.median(own.name),
            after_seconds=timings.median(best.name),
            levers=self._outcomes.all,
            code=self._outcomes.code.cell,
            setup=self._outcomes.code.setup_code,
            numerics=self._numbers,
            memory={
                "before_bytes": self._trials.peak_bytes(own),
                "after_bytes": self._trials.peak_bytes(best),
            },
            steps_per_run=self._session.steps_per_run,
            samples={
                "before_seconds": timings.samples[own.name],
                "after_seconds": timings.samples[best.name],
            },
        )
        if not self._goal.is_missed(answer):
            return answer
        self._outcomes.leave_all()  # what was seen in the trials may have been chance
        return answer.with_cell_as_it_was(self._own_code.cell)
