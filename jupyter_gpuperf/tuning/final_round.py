"""The final round: measure the best candidates in turn, then in reverse order, so that drift affects all equally.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jupyter_gpuperf.tuning.consumer import Step
from jupyter_gpuperf.tuning.trial import Trial, slower
from jupyter_gpuperf.tuning.trial_log import NEAR_RATIO, WAIT_RATIO, TrialLog, cost_of, load_seconds

MOST_FINALISTS: Final = 3
TARGET: Final = 0.02
MOST_SECONDS: Final = 1.25
"""Limit for one turn of a finalist."""
HOPELESS_RATIO: Final = 1.25
"""A rate varies by less than this ratio between trials."""


def best_of(tried: TrialLog) -> Trial | None:
    """Return the recommended trial after the final round; ``None`` when nothing could be measured."""
    if tried.space.step is not None:
        return _with_step(tried, tried.space.step)
    finalists = _finalists(tried)
    if len(finalists) > 1:
        _in_turn(tried, finalists)
    best = tried.nearest([each for each in finalists if each.error is None])
    if best is None:
        return None
    others = [each for each in tried.measured() if each.roles and each not in finalists]
    # Trials with a role may look faster only because the machine has slowed down since then.
    ahead = [each for each in others if slower(best, each)]
    if not ahead:
        return best
    _in_turn(tried, [best, *ahead])
    return tried.nearest([best, *ahead])


def keeps_up(trial: Trial) -> bool:
    """Return whether the step waits for less than the limit."""
    ratio = trial.wait_ratio
    return ratio is not None and ratio["value"] <= WAIT_RATIO


def _finalists(tried: TrialLog) -> list[Trial]:
    """Return the leader and the trials that may be as good, those with a role first."""
    leader = tried.leader()
    if leader is None:
        return []
    bound = (1 + 2 * NEAR_RATIO) * tried.epoch_seconds(leader)
    rivals = [
        each
        for each in tried.measured()
        if each is not leader
        and (tried.epoch_seconds(each) <= bound or (each.roles and not slower(each, leader)))
    ]
    rivals.sort(key=lambda each: (not each.roles, tried.epoch_seconds(each)))
    return [leader, *rivals[: MOST_FINALISTS - 1]]


def _in_turn(tried: TrialLog, finalists: Sequence[Trial]) -> None:
    if 2 * sum(tried.least_seconds(each.setting) for each in finalists) > tried.left():
        tried.cut_short = True
        return
    seconds = min(MOST_SECONDS, tried.left() / (2 * len(finalists) + 1))
    again: dict[int, list[float]] = {id(each): [] for each in finalists}
    for trial in (*finalists, *reversed(finalists)):
        if tried.left() > seconds / 2:
            made = tried.bench.drain(trial.setting, seconds=seconds, target_ratio=TARGET)
            again[id(trial)] += made.blocks
    # Compare only trials that were measured side by side, so all need a turn.
    if all(len(blocks) > 1 for blocks in again.values()):
        for trial in finalists:
            trial.blocks, trial.aborted = again[id(trial)], False


def _with_step(tried: TrialLog, step: Step) -> Trial | None:
    """Try trials with the step, the cheapest first, until one keeps up; then those with a role."""
    enough = sorted(filter(tried.is_enough, tried.measured()), key=cost_of)
    others = sorted(tried.measured(), key=load_seconds)
    order = [*enough, *(each for each in others if each not in enough)][: 2 * MOST_FINALISTS]
    for trial in order:
        if _may_win(tried, trial) and _against(tried, trial, step) and keeps_up(trial):
            break
    for trial in tried.measured():
        if trial.roles and not trial.waits:
            _against(tried, trial, step)
    held = [each for each in tried.measured() if each.waits]
    kept = [each for each in held if keeps_up(each)]
    if kept:
        return min(kept, key=cost_of)
    # If there was no time to try the leader with the step, use its rate.
    leader = tried.leader()
    return tried.nearest([*held, *([leader] if leader and not leader.waits else [])])


def _may_win(tried: TrialLog, trial: Trial) -> bool:
    """Return whether the trial's rate gives it a chance against those already tried with the step."""
    step = tried.space.step_seconds
    held = [each.each_seconds(step) for each in tried.measured() if each.waits]
    return not held or trial.each_seconds(step) <= HOPELESS_RATIO * min(held)


def _against(tried: TrialLog, trial: Trial, step: Step) -> bool:
    """Try a setting with the step; return whether it was measured."""
    left = tried.left()
    wanted = tried.least_seconds_with_step(trial.setting, tried.space.step_seconds or 0.0)
    if left <= 0 or (wanted > left and any(each.waits for each in tried.measured())):
        tried.cut_short = True
        return False
    made = tried.bench.with_step(trial.setting, step, seconds=min(3.0, max(0.5, left / 6)))
    trial.waits, trial.step_seconds = made.waits, made.step_seconds
    tried.cut_short |= made.out_of_time
    if not made.out_of_time:  # otherwise the trial keeps its rate
        trial.error = trial.error or made.error
    return bool(trial.waits)
