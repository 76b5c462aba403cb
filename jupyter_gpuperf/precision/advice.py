"""Recommend a mode in one sentence and explain what limits the gain. Every sentence rests on a measured figure."""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.measure.statistics import Interval, exactly
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.numerics import CLOSE, UNKNOWN, WITHIN
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile

WORTH_RATIO: Final = 1.03
"""A speed-up is worth a change only if its interval begins above this."""
IDLE_RATIO: Final = 0.7
"""When GPU kernels fill less than this share of a step, the GPU waits for the host."""
STAYED: Final = 3
LOW_SHARE: Final = 0.5
REASONS: Final = {
    "kept for accuracy": Message("kept in fp32 by autocast for accuracy."),
    "its inputs are outside of autocast": Message("given fp32 from outside of autocast."),
}
"""Reason why an operator stayed in fp32 → the words that report it. Other reasons are not reported."""


def choose(profile: Profile) -> None:
    """Fill in the recommended mode and the sentence that explains it."""
    able = [each for each in profile.modes if each.step_seconds is not None]
    sound = [each for each in able if _sound(each)]
    gaining = [each for each in sound if _gain(profile, each)["low"] > WORTH_RATIO]
    if not gaining:
        profile.recommended = profile.same_as_now or "now"
        profile.sentence = _nothing_better(profile, able)
        return
    best = _best(gaining)
    profile.recommended = best.mode
    profile.sentence = _recommendation(profile, best)


def _fastest(outcomes: list[ModeOutcome]) -> ModeOutcome:
    return min(outcomes, key=lambda each: (each.step_seconds or {})["value"])


def _best(gaining: list[ModeOutcome]) -> ModeOutcome:
    """Return the fastest mode, but bf16 unless fp16 is clearly faster.

    bf16 has fp32's range and needs no gradient scaler.
    """
    fastest = _fastest(gaining)
    with_range = fastest.mode.replace("fp16", "bf16")
    other = next((each for each in gaining if each.mode == with_range), fastest)
    worse_numbers = _verdict(fastest) == WITHIN != _verdict(other)
    return fastest if worse_numbers or not _alike(fastest, other) else other


def _alike(first: ModeOutcome, other: ModeOutcome) -> bool:
    """Return whether the intervals of both step times overlap."""
    one, two = first.step_seconds, other.step_seconds
    return bool(one and two and one["low"] <= two["high"] and two["low"] <= one["high"])


def _verdict(outcome: ModeOutcome) -> str | None:
    return (outcome.numerics or {}).get("verdict")


def _sound(outcome: ModeOutcome) -> bool:
    if outcome.numerics is None:
        return True  # numerics not requested, or a compiled variant, whose eager mode was compared
    verdict = outcome.numerics.get("verdict", UNKNOWN)
    relative = outcome.numerics.get("first_loss_relative")
    is_tiny = relative is not None and relative < 1e-2
    return verdict in (WITHIN, CLOSE) or (verdict == UNKNOWN and is_tiny)


def _gain(profile: Profile, outcome: ModeOutcome) -> Interval:
    if outcome.mode == profile.same_as_now:
        return exactly(1.0)
    return outcome.speedup_over_now or outcome.speedup or exactly(1.0)


def _recommendation(profile: Profile, best: ModeOutcome) -> str:
    gain = _gain(profile, best)
    memory = _change_of_memory(profile, best)
    if best.numerics is None:
        if memory is None:
            return Message(
                "{mode}: {value:.2g}× faster than now. The numbers were not compared.",
                mode=best.mode,
                value=gain["value"],
            )
        return Message(
            "{mode}: {value:.2g}× faster than now, {memory}. The numbers were not compared.",
            mode=best.mode,
            value=gain["value"],
            memory=memory,
        )
    numbers = as_part(best.numerics.get("sentence", ""))
    how = (
        Message("use it")
        if best.numerics.get("verdict") == WITHIN
        else Message("usable, watch the loss")
    )
    if memory is None:
        return Message(
            "{mode}: {value:.2g}× faster than now, {numbers}: {how}.",
            mode=best.mode,
            value=gain["value"],
            numbers=numbers,
            how=how,
        )
    return Message(
        "{mode}: {value:.2g}× faster than now, {memory}, {numbers}: {how}.",
        mode=best.mode,
        value=gain["value"],
        memory=memory,
        numbers=numbers,
        how=how,
    )


def as_part(sentence: str) -> str:
    """Return a sentence in the form of a clause: lower-case start, no full stop."""
    return f"{sentence[:1].lower()}{sentence[1:].rstrip('.')}"


def _change_of_memory(profile: Profile, best: ModeOutcome) -> str | None:
    base = profile.now or profile.mode(profile.same_as_now or "fp32")
    if base is None or not base.peak_allocated_bytes or not best.peak_allocated_bytes:
        return None
    change = best.peak_allocated_bytes / base.peak_allocated_bytes - 1
    if abs(change) < 0.01:
        return Message("the same memory")
    return (
        Message("{change:.0%} less memory", change=-change)
        if change < 0
        else Message("{change:.0%} more memory", change=change)
    )


def _nothing_better(profile: Profile, able: list[ModeOutcome]) -> str:
    others = [each for each in able if each.mode not in (profile.same_as_now, "fp32")]
    if not others:
        return Message("Leave it as it is: no other mode could be measured here.")
    fastest = _fastest(others)
    gain = _gain(profile, fastest)["value"]
    if gain > WORTH_RATIO and not _sound(fastest):
        numbers = as_part((fastest.numerics or {}).get("sentence", ""))
        return Message(
            "Leave it as it is: {mode} is {gain:.2g}× as fast, but its numbers differ: {numbers}.",
            mode=fastest.mode,
            gain=gain,
            numbers=numbers,
        )
    if gain >= 1:
        return Message(
            "Leave it as it is: the best other mode, {mode}, is {gain:.2f}× as fast.",
            mode=fastest.mode,
            gain=gain,
        )
    return Message(
        "Leave it as it is: the best other mode, {mode}, takes {gain:.2g}× the time.",
        mode=fastest.mode,
        gain=1 / gain,
    )


def explain(profile: Profile, facts: dict[str, Any]) -> None:
    """Fill in why there is no more to gain, and what to try next.

    Parameters
    ----------
    facts
        ``odd_shapes``: names of layers whose sizes are not multiples of 8; ``loads``: whether the cell uses a
        DataLoader; ``compiled``: whether torch.compile was requested; ``convolutions``: whether a model has
        convolutions in the default memory format.
    """
    best = profile.mode(profile.recommended or "") or profile.mode("bf16") or profile.modes[0]
    reasons = (
        _scaled(profile, best),
        _idle(best),
        _little_product(best),
        *_staying(best),
        _odd(facts.get("odd_shapes", [])),
    )
    profile.why_not_more += [each for each in reasons if each is not None]
    if facts.get("loads"):
        profile.why_not_more.append(
            Message(
                "The cell loops over a loader: the loader's time is in every figure, and no format makes it shorter."
            )
        )
        profile.next_steps.append(
            Message(
                "%gpubench dataloader tells the loader's own speed; bind batches = iter(loader) and use next(batches) to leave it out."
            )
        )
    if not facts.get("compiled") and best.error is None:
        profile.next_steps.append(Message("--compile measures torch.compile on this cell."))
    if facts.get("convolutions"):
        profile.next_steps.append(
            Message(
                "The convolutions run in the plain memory format: try model.to(memory_format=torch.channels_last), and profile again."
            )
        )


def _scaled(profile: Profile, best: ModeOutcome) -> str | None:
    """Return why fp16 is not recommended although it looks faster."""
    other = profile.mode(best.mode.replace("bf16", "fp16"))
    if other is None or other is best or profile.recommended != best.mode:
        return None
    if not _alike(best, other) or _fastest([best, other]) is best:
        return None
    return Message(
        "Not {mode}: it is not faster beyond what was measured, and needs a gradient scaler.",
        mode=other.mode,
    )


def _idle(outcome: ModeOutcome) -> str | None:
    busy, device = (outcome.kernels or {}).get("step_kernel_seconds"), outcome.device_seconds
    if busy is None or device is None or busy >= IDLE_RATIO * device["value"]:
        return None
    return Message(
        "In {mode} the GPU computes {busy:.0%} of a step and waits for the host for "
        "the rest: larger batches, --compile, or fewer calls such as .item().",
        mode=outcome.mode,
        busy=busy / device["value"],
    )


def _little_product(outcome: ModeOutcome) -> str | None:
    share = (outcome.kernels or {}).get("tensor_core_ratio")
    if share is None or share >= LOW_SHARE:
        return None
    return Message(
        "Tensor cores have {share:.0%} of the kernels' time in {mode}: the rest moves "
        "data, and a narrower format halves its bytes at most.",
        share=share,
        mode=outcome.mode,
    )


def _staying(outcome: ModeOutcome) -> list[str]:
    dtypes = outcome.dtypes or {}
    if outcome.mode.split("+")[0] not in ("bf16", "fp16"):
        return []
    said: list[str] = []
    share = dtypes.get("flop_shares", {}).get("float32", 0.0)
    if share > 0.05:
        said.append(
            Message(
                "{share:.0%} of the products' operations stayed in fp32: they lie outside of "
                "autocast's reach.",
                share=share,
            )
        )
    stayed = dtypes.get("stayed_float32", [])
    for reason, words in REASONS.items():
        named = [f"{one['operator']} ({one['calls']})" for one in stayed if one["why"] == reason]
        if named:
            said.append(f"{', '.join(named[:STAYED])}: {words}")
    return said


def _odd(names: list[str]) -> str | None:
    if not names:
        return None
    named = ", ".join(names[:STAYED])
    if len(names) > STAYED:
        named += f" (+ {len(names) - STAYED})"
    return Message(
        "{named}: sizes that are no multiples of 8 keep tensor cores from working at full speed.",
        named=named,
    )
