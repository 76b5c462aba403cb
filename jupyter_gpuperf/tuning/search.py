"""Choose which setting to try next, and which one to recommend. Tests can pass a simulated bench.

The current setting and the recipes are tried first, then numbers of workers, then pinning, prefetching, order, start
method and persistence. In the final round, the best candidates are measured in turn, then in reverse order, so that
drift affects all of them equally. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.space import SearchResult, Space
from jupyter_gpuperf.tuning.trial import ROLES, Trial, is_slower
from jupyter_gpuperf.tuning.trial_log import (
    LOSS_RATIO,
    NEAR_RATIO,
    TrialLog,
    cost_of,
    keeps_up,
)
from jupyter_gpuperf.tuning.trial_runner import TrialRunner
from jupyter_gpuperf.tuning.worker_search import FIRST_COUNTS, WorkerSearch

HIGH_VARIATION: Final = 2.0
"""If items' times vary more (95th percentile to mean), deeper prefetching or ``in_order=False`` may help."""
DEEPER_PREFETCH: Final = 4
FIRST_SHARE: Final = 0.4
"""Share of the time for the trials that are always run."""
MOST_FINALISTS: Final = 5
MOST_FINALS: Final = 4
ROUND_SHARE: Final = 0.7
"""Share of the remaining time for a final round that does not end early; the rest is for challengers."""
CHALLENGE_SHARE: Final = 0.1
"""Share of the total time that must be left to try one more number of workers."""
TARGET: Final = 0.01
"""Half-width of the final intervals, relative to the mean, at which measuring ends early."""
DOUBT_RATIO: Final = 1.3
"""A trial made alone may be up to this factor off the machine's usual pace; only one measured in turn is believed."""
MOST_DOUBTED: Final = 2
FIRST_OF_SLOW: Final = 4
"""Number of workers to start with when trials are slow and none has been measured: a model needs one trial."""


def search(space: Space, bench: TrialRunner, left_seconds: Callable[[], float]) -> SearchResult:
    """Search until the time is up or nothing is left to try.

    Parameters
    ----------
    left_seconds
        Returns the seconds that are left.
    """
    log = TrialLog(space, bench, left_seconds)
    if _is_slow(log):
        _measure(log, "present")
        known = any(each.setting.num_workers for each in log.measured())
        WorkerSearch(log).run([] if known else [min(FIRST_OF_SLOW, space.most_workers)])
        _measure_named(log)
    else:
        _measure_named(log)
        WorkerSearch(log).run()
    _vary_other_settings(log)
    best = best_of(log)
    return SearchResult(
        trials=list(log.trials.values()),
        best=best,
        enough=keeps_up(best) if best is not None and best.ready_seconds is not None else None,
        cut_short=log.cut_short,
        alike=log.nearly_fastest(_in_round(best)) if best is not None else [],
    )


def _is_slow(log: TrialLog) -> bool:
    """Return whether the trials that are usually run first would take too long; then likely winners come first."""
    space = log.space
    usual = [space.with_workers(each) for each in FIRST_COUNTS]
    return sum(map(log.least_seconds, {*usual, *space.named.values()})) > FIRST_SHARE * log.left()


def _measure_named(log: TrialLog) -> None:
    """Measure the current setting, then a setting without workers (a quick trial), then the recipes."""
    _measure(log, "present")
    log.measure(log.space.with_workers(0))
    for role in log.space.named:
        _measure(log, role)


def _measure(log: TrialLog, role: str) -> None:
    setting = log.space.named.get(role)
    if setting is not None and (trial := log.measure(setting)) is not None:
        trial.roles.add(role)


def _vary_other_settings(log: TrialLog) -> None:
    space = log.space
    if space.pinning:
        _vary(log, lambda setting: setting.with_changes(pin_memory=not setting.pin_memory))
    if space.variation > HIGH_VARIATION or space.step_seconds is None:
        _vary(log, lambda setting: setting.with_changes(prefetch_factor=DEEPER_PREFETCH))
    if space.variation > HIGH_VARIATION and space.any_order:
        _vary(log, lambda setting: setting.with_changes(in_order=False))
    _persistence(log)


def _vary(log: TrialLog, change: Callable[[Setting], Setting]) -> None:
    """Try a change to the leader's setting. Without workers, only a change of pinning makes a difference."""
    best = log.leader()
    if best is None:
        return
    changed = change(best.setting)
    # Pinning costs no worker, and a first trial's wide interval may hide what it gains.
    if not keeps_up(best) or changed.pin_memory > best.setting.pin_memory:
        log.measure(changed)


def _persistence(log: TrialLog) -> None:
    """If the start-up matters, try start methods that are faster, and measure what persistent workers save."""
    space = log.space
    best = _fastest_once_started(log)
    if best is None or not best.setting.num_workers or not space.batches:
        return
    epoch = best.epoch_seconds(space.batches) or 0.0
    if best.start_seconds <= NEAR_RATIO * epoch:
        return
    for method in space.start_methods:
        log.measure(best.setting.with_changes(start_method=method))
    persistent = (_fastest_once_started(log) or best).setting.with_changes(persistent_workers=True)
    trial = log.measure(persistent)
    if trial is not None and trial.error is None:
        trial.restart_seconds = log.bench.restart_seconds(persistent)


def _fastest_once_started(log: TrialLog) -> Trial | None:
    """Return the leader when the start is not counted: persistent workers start only once."""
    return log.leader(lambda trial: trial.mean_seconds)


def best_of(log: TrialLog) -> Trial | None:
    """Return the recommended trial after the final rounds; ``None`` when nothing could be measured.

    Everything reported about the recommended setting comes from the last round in which it was measured in turn.
    """
    if log.leader() is None:
        return None
    rivals = _rivals(log)
    best: Trial | None = None
    for _ in range(MOST_FINALS):
        finalists = _that_fit(log, rivals)
        nothing_new = best is not None and all(each.round_of is best.round_of for each in finalists)
        if nothing_new or not _in_turn(log, finalists):
            break
        best = log.cheapest_of_fastest([each for each in finalists if each.error is None])
        if best is None:
            return log.leader()
        rivals = _challengers(log, best)
        if not rivals:
            return best
    return best or log.leader()


def _in_round(best: Trial) -> list[Trial]:
    """Return the trials that were measured in turn with the best one, and this one."""
    return [each for each in best.round_of or [best] if each.error is None and each.blocks]


def _rivals(log: TrialLog) -> list[Trial]:
    """Return the trials for the first final round, the most important first."""
    leader, fastest = log.leader(), log.fastest()
    named = sorted((each for each in log.measured() if each.roles), key=_role_order)
    bound = (1 + 2 * LOSS_RATIO) * min(map(log.epoch_seconds, log.measured()))
    near = sorted(
        (each for each in log.measured() if log.epoch_seconds(each) <= bound), key=cost_of
    )
    doubted = _doubted(log, fastest) if fastest is not None else []
    first = (
        leader,
        *named[:1],
        fastest,
        *near[:1],
        *doubted[:1],
        *named[1:],
        *doubted[1:],
        *near[1:],
    )
    return list({id(each): each for each in first if each is not None}.values())[:MOST_FINALISTS]


def _doubted(log: TrialLog, best: Trial) -> list[Trial]:
    """Return the cheapest trials that were slower than ``best`` alone, but perhaps only because the machine was.

    Without a step nothing bounds the loop but the loader: each worker less is slower, and no trial is doubted.
    """
    if log.space.step is None:
        return []
    bound = DOUBT_RATIO * best.mean_seconds
    cheaper = [
        each
        for each in log.measured()
        if each.round_of is None and cost_of(each) < cost_of(best) and each.mean_seconds <= bound
    ]
    return sorted(cheaper, key=cost_of)[:MOST_DOUBTED]


def _role_order(trial: Trial) -> int:
    return min(map(ROLES.index, trial.roles))


def _challengers(log: TrialLog, best: Trial) -> list[Trial]:
    """Return the trials for another final round: the best, the current setting, and what may be better.

    That is a trial that looks faster only because the machine has slowed down since then, a cheaper one that may have
    been slower only because the machine was, or a number of workers between the best one and the most that are too few.
    """
    faster = [
        each
        for each in log.measured()
        if each.round_of is not best.round_of and is_slower(best, each)
    ]
    if not faster:
        faster = _doubted(log, best)
    if not faster:
        count = WorkerSearch(log).fewer_than(best)
        trial = (
            None
            if count is None
            else log.measure(best.setting.with_changes(num_workers=count), share=CHALLENGE_SHARE)
        )
        if trial is None or trial.error is not None or is_slower(trial, best):
            return []
        faster = [trial]
    current = [each for each in log.measured() if "present" in each.roles]
    chosen = [best, *sorted(faster, key=log.epoch_seconds)[:2], *current]
    return list({id(each): each for each in chosen}.values())


def _that_fit(log: TrialLog, rivals: Sequence[Trial]) -> list[Trial]:
    """Return the first rival, and the others for which there is time and memory; none if the first does not fit.

    The workers of all exist at the same time.
    """
    chosen: list[Trial] = []
    for each in rivals:
        trials = [*chosen, each]
        fit = log.bench.fit_together([one.setting for one in trials])
        if fit and log.round_seconds(trials) <= log.left():
            chosen = trials
        elif not chosen:
            break
    return chosen


def _in_turn(log: TrialLog, finalists: Sequence[Trial]) -> bool:
    """Measure the finalists in turn; return whether it worked."""
    if not finalists or (len(finalists) == 1 and log.space.step is None):
        log.cut_short |= not finalists
        return False
    seconds = max(ROUND_SHARE * log.left(), min(log.left(), log.round_seconds(finalists)))
    while not log.bench.in_turn(finalists, seconds=seconds, target_ratio=TARGET):
        working = [each for each in finalists if each.error is None]
        if len(working) == len(finalists) or not working:
            log.cut_short = True
            return False
        finalists, seconds = working, min(seconds, log.left())
    return True
