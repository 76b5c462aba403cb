"""Choose which setting to try next, and which one to recommend. Tests can pass a simulated bench.

The order: the present setting and the recipes; workers; pinning, prefetching, order, persistence and start method;
then the finalists in turn. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.bench import Bench
from jupyter_gpuperf.tuning.final_round import best_of, keeps_up
from jupyter_gpuperf.tuning.space import Found, Space
from jupyter_gpuperf.tuning.trial import Trial
from jupyter_gpuperf.tuning.trial_log import NEAR_RATIO, TrialLog
from jupyter_gpuperf.tuning.worker_search import FIRST, WorkerSearch

VARIED: Final = 2.0
"""From this ratio (95th percentile to mean of the items' times), deeper prefetching or any order may help."""
DEEPER_PREFETCH: Final = 4
FIRST_SHARE: Final = 0.4
"""Share of the time for the trials that are always run."""
FIRST_OF_SLOW: Final = 4
"""Workers to start with when each trial is expensive and nothing else was measured; a model can be fitted to it."""


def search(space: Space, bench: Bench, left_seconds: Callable[[], float]) -> Found:
    """Search until the time is up or nothing is left to try.

    Parameters
    ----------
    left_seconds
        Returns the seconds that are left.
    """
    tried = TrialLog(space, bench, left_seconds)
    if _is_slow(tried):
        _measure(tried, "present")
        known = any(each.setting.num_workers for each in tried.measured())
        WorkerSearch(tried).run([] if known else [min(FIRST_OF_SLOW, space.most_workers)])
        _named(tried)
    else:
        _named(tried)
        WorkerSearch(tried).run()
    _knobs(tried)
    best = best_of(tried)
    enough = keeps_up(best) if best is not None and best.waits else None
    return Found(
        trials=list(tried.trials.values()), best=best, enough=enough, cut_short=tried.cut_short
    )


def _is_slow(tried: TrialLog) -> bool:
    """Return whether the trials that are always run would take too long; then likely winners come first."""
    space = tried.space
    usual = [space.base.but(num_workers=each) for each in FIRST]
    wanted = sum(map(tried.least_seconds, {*usual, *space.named.values()}))
    return wanted > FIRST_SHARE * tried.left()


def _named(tried: TrialLog) -> None:
    """Measure the present setting, then no workers (a quick trial), then the recipes."""
    _measure(tried, "present")
    tried.drain(tried.space.base.but(num_workers=0))
    for role in tried.space.named:
        _measure(tried, role)


def _measure(tried: TrialLog, role: str) -> None:
    setting = tried.space.named.get(role)
    if setting is not None and (trial := tried.drain(setting)) is not None:
        trial.roles.add(role)


def _knobs(tried: TrialLog) -> None:
    space = tried.space
    if space.pinning:
        _vary(tried, lambda setting: setting.but(pin_memory=not setting.pin_memory), alone=True)
    if space.variation > VARIED or space.step_seconds is None:
        _vary(tried, lambda setting: setting.but(prefetch_factor=DEEPER_PREFETCH))
    if space.variation > VARIED and space.any_order:
        _vary(tried, lambda setting: setting.but(in_order=False))
    _persistence(tried)


def _vary(tried: TrialLog, change: Callable[[Setting], Setting], *, alone: bool = False) -> None:
    """Try a change to the leader; to a leader without workers only if ``alone``."""
    best = tried.leader()
    if best is None or tried.is_enough(best):
        return
    if best.setting.num_workers or alone:
        tried.drain(change(best.setting))


def _persistence(tried: TrialLog) -> None:
    """Measure what persistent workers save, and start methods that are faster."""
    space = tried.space
    best = _fastest_once_started(tried)
    if best is None or not best.setting.num_workers or not space.batches:
        return
    epoch = best.epoch_seconds(space.batches, space.step_seconds) or 0.0
    if best.start_seconds <= NEAR_RATIO * epoch:
        return
    for method in space.start_methods:
        tried.drain(best.setting.but(start_method=method))
    wanted = (_fastest_once_started(tried) or best).setting.but(persistent_workers=True)
    trial = tried.drain(wanted)
    if trial is not None and trial.error is None:
        trial.restart_seconds = tried.bench.starts(wanted).restart_seconds


def _fastest_once_started(tried: TrialLog) -> Trial | None:
    """Return the leader when the start is not counted: persistent workers start only once."""
    if any(map(tried.is_enough, tried.measured())):
        return tried.leader()
    return tried.nearest(
        tried.measured(), lambda trial: trial.each_seconds(tried.space.step_seconds)
    )
