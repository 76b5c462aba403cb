"""Choose which setting to try next, and which one to recommend. Tests can pass a simulated bench.

The current setting and the recipes are tried first, then numbers of workers, then pinning, prefetching, order, start
method and persistence. In the final round, the best candidates are measured in turn, then in reverse order, so that
drift affects all of them equally. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.request import Step
from jupyter_gpuperf.tuning.space import SearchResult, Space
from jupyter_gpuperf.tuning.trial import Trial, is_slower
from jupyter_gpuperf.tuning.trial_log import NEAR_RATIO, WAIT_RATIO, TrialLog, cost_of, load_seconds
from jupyter_gpuperf.tuning.trial_runner import TrialRunner
from jupyter_gpuperf.tuning.worker_search import FIRST_COUNTS, WorkerSearch

HIGH_VARIATION: Final = 2.0
"""If items' times vary more (95th percentile to mean), deeper prefetching or ``in_order=False`` may help."""
DEEPER_PREFETCH: Final = 4
FIRST_SHARE: Final = 0.4
"""Share of the remaining time that the trials that are always run may take."""
MOST_FINALISTS: Final = 3
TARGET: Final = 0.02
"""Half-width of the interval, relative to the mean, at which a finalist's turn ends early."""
TURN_SECONDS: Final = 1.25
"""Time limit for one turn of a finalist."""
HOPELESS_RATIO: Final = 1.25
"""A trial that predicts this many times the best time is not run with the step: rates vary by less than that."""
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
    enough = keeps_up(best) if best is not None and best.waits else None
    return SearchResult(
        trials=list(log.trials.values()), best=best, enough=enough, cut_short=log.cut_short
    )


def _is_slow(log: TrialLog) -> bool:
    """Return whether the trials that are usually run first would take too long; then likely winners come first."""
    space = log.space
    usual = [space.base.with_changes(num_workers=each) for each in FIRST_COUNTS]
    return sum(map(log.least_seconds, {*usual, *space.named.values()})) > FIRST_SHARE * log.left()


def _measure_named(log: TrialLog) -> None:
    """Measure the current setting, then a setting without workers (a quick trial), then the recipes."""
    _measure(log, "present")
    log.measure_loading(log.space.base.with_changes(num_workers=0))
    for role in log.space.named:
        _measure(log, role)


def _measure(log: TrialLog, role: str) -> None:
    setting = log.space.named.get(role)
    if setting is not None and (trial := log.measure_loading(setting)) is not None:
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
    if best is not None and not log.is_fast_enough(best):
        log.measure_loading(change(best.setting))


def _persistence(log: TrialLog) -> None:
    """If the start-up matters, try start methods that are faster, and measure what persistent workers save."""
    space = log.space
    best = _fastest_once_started(log)
    if best is None or not best.setting.num_workers or not space.batches:
        return
    epoch = best.epoch_seconds(space.batches, space.step_seconds) or 0.0
    if best.start_seconds <= NEAR_RATIO * epoch:
        return
    for method in space.start_methods:
        log.measure_loading(best.setting.with_changes(start_method=method))
    persistent = (_fastest_once_started(log) or best).setting.with_changes(persistent_workers=True)
    trial = log.measure_loading(persistent)
    if trial is not None and trial.error is None:
        trial.restart_seconds = log.bench.measure_starts(persistent).restart_seconds


def _fastest_once_started(log: TrialLog) -> Trial | None:
    """Return the leader by the time without start-up, because persistent workers start only once."""
    return log.leader(lambda trial: trial.step_seconds_with_wait(log.space.step_seconds))


def best_of(log: TrialLog) -> Trial | None:
    """Run the final round and return the recommended trial; ``None`` when nothing could be measured."""
    if log.space.step is not None:
        return _best_with_step(log, log.space.step)
    finalists = _finalists(log)
    if len(finalists) > 1:
        _measure_in_turn(log, finalists)
    best = log.cheapest_of_fastest([each for each in finalists if each.error is None])
    if best is None:
        return None
    others = [each for each in log.measured() if each.roles and each not in finalists]
    # Trials with a role may look faster only because the machine has slowed down since then.
    ahead = [each for each in others if is_slower(best, each)]
    if not ahead:
        return best
    _measure_in_turn(log, [best, *ahead])
    return log.cheapest_of_fastest([best, *ahead])


def keeps_up(trial: Trial) -> bool:
    """Return whether the step's wait is at most ``WAIT_RATIO`` of the step."""
    ratio = trial.wait_ratio
    return ratio is not None and ratio["value"] <= WAIT_RATIO


def _finalists(log: TrialLog) -> list[Trial]:
    """Return the leader, then up to two trials that may be as good; those with a role come first."""
    leader = log.leader()
    if leader is None:
        return []
    bound = (1 + 2 * NEAR_RATIO) * log.epoch_batch_seconds(leader)
    rivals = [
        each
        for each in log.measured()
        if each is not leader
        and (log.epoch_batch_seconds(each) <= bound or (each.roles and not is_slower(each, leader)))
    ]
    rivals.sort(key=lambda each: (not each.roles, log.epoch_batch_seconds(each)))
    return [leader, *rivals[: MOST_FINALISTS - 1]]


def _measure_in_turn(log: TrialLog, finalists: Sequence[Trial]) -> None:
    if 2 * sum(log.least_seconds(each.setting) for each in finalists) > log.left():
        log.cut_short = True
        return
    seconds = min(TURN_SECONDS, log.left() / (2 * len(finalists) + 1))
    blocks: dict[int, list[float]] = {id(each): [] for each in finalists}
    for trial in (*finalists, *reversed(finalists)):
        if log.left() > seconds / 2:
            made = log.bench.measure_loading(trial.setting, seconds=seconds, target_ratio=TARGET)
            blocks[id(trial)] += made.blocks
    # Compare only trials that were measured side by side, so all need a turn.
    if all(len(each) > 1 for each in blocks.values()):
        for trial in finalists:
            trial.blocks, trial.aborted = blocks[id(trial)], False


def _best_with_step(log: TrialLog, step: Step) -> Trial | None:
    """Run trials with the step, the cheapest first, until one keeps up, then those with a role; return the best."""
    enough = sorted(filter(log.is_fast_enough, log.measured()), key=cost_of)
    others = sorted(log.measured(), key=load_seconds)
    order = [*enough, *(each for each in others if each not in enough)][: 2 * MOST_FINALISTS]
    for trial in order:
        if _may_win(log, trial) and _run_with_step(log, trial, step) and keeps_up(trial):
            break
    for trial in log.measured():
        if trial.roles and not trial.waits:
            _run_with_step(log, trial, step)
    held = [each for each in log.measured() if each.waits]
    kept = [each for each in held if keeps_up(each)]
    if kept:
        return min(kept, key=cost_of)
    # If there was no time to try the leader with the step, use its rate.
    leader = log.leader()
    return log.cheapest_of_fastest([*held, *([leader] if leader and not leader.waits else [])])


def _may_win(log: TrialLog, trial: Trial) -> bool:
    """Return whether, by its rate, the trial may be better than those already run with the step."""
    step = log.space.step_seconds
    held = [each.step_seconds_with_wait(step) for each in log.measured() if each.waits]
    return not held or trial.step_seconds_with_wait(step) <= HOPELESS_RATIO * min(held)


def _run_with_step(log: TrialLog, trial: Trial, step: Step) -> bool:
    """Run a trial's setting with the step; return whether it could be measured."""
    left = log.left()
    needed = log.least_seconds_with_step(trial.setting, log.space.step_seconds or 0.0)
    if left <= 0 or (needed > left and any(each.waits for each in log.measured())):
        log.cut_short = True
        return False
    made = log.bench.measure_with_step(trial.setting, step, seconds=min(3.0, max(0.5, left / 6)))
    trial.waits, trial.step_seconds = made.waits, made.step_seconds
    log.cut_short |= made.out_of_time
    if not made.out_of_time:  # otherwise the trial keeps its rate
        trial.error = trial.error or made.error
    return bool(trial.waits)
