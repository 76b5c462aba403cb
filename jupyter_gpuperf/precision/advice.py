"""Recommend a mode in one sentence, and explain what limits the gain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jupyter_gpuperf.measure.statistics import Interval, exact_interval
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.numerics import CLOSE, UNKNOWN, WITHIN
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile

WORTH_RATIO: Final = 1.03
"""A speed-up is worth a change only if its interval begins above this."""
IDLE_RATIO: Final = 0.7
"""When GPU kernels fill less than this share of a step, the GPU counts as waiting for the host."""
MOST_NAMED: Final = 3
LOW_TENSOR_CORE_RATIO: Final = 0.5
FLOAT32_REASONS: Final = {
    "kept for accuracy": "Kept in fp32 by autocast for accuracy: {operators}.",
    "its inputs are outside of autocast": "In fp32 because their inputs come from outside autocast: {operators}.",
}
"""Reason why an operator stayed in fp32 → the sentence that reports it. Other reasons are not reported."""


def recommend_mode(profile: Profile) -> None:
    """Fill in the recommended mode and the sentence that explains it."""
    timed = [each for each in profile.modes if each.step_seconds is not None]
    gaining = [each for each in timed if _sound(each) and _gain(profile, each)["low"] > WORTH_RATIO]
    if gaining:
        best = _best(gaining)
        profile.recommended, profile.sentence = best.mode, _recommendation(profile, best)
    else:
        profile.recommended = profile.same_as_now or "now"
        profile.sentence = _nothing_better(profile, timed)


def _fastest(outcomes: list[ModeOutcome]) -> ModeOutcome:
    return min(outcomes, key=lambda each: (each.step_seconds or {})["value"])


def _best(gaining: list[ModeOutcome]) -> ModeOutcome:
    """Return the fastest mode, but prefer bf16 to fp16 unless fp16 is clearly faster or has better numbers.

    bf16 has the range of fp32 and needs no gradient scaler.
    """
    fastest = _fastest(gaining)
    with_range = fastest.mode.replace("fp16", "bf16")
    safer = next((each for each in gaining if each.mode == with_range), fastest)
    worse_numbers = _verdict(fastest) == WITHIN != _verdict(safer)
    return fastest if worse_numbers or not _overlap(fastest, safer) else safer


def _overlap(first: ModeOutcome, second: ModeOutcome) -> bool:
    """Return whether the intervals of both step times overlap."""
    a, b = first.step_seconds, second.step_seconds
    return bool(a and b and a["low"] <= b["high"] and b["low"] <= a["high"])


def _verdict(outcome: ModeOutcome) -> str | None:
    return (outcome.numerics or {}).get("verdict")


def _sound(outcome: ModeOutcome) -> bool:
    if outcome.numerics is None:
        return True  # not requested, or a compiled variant: only its eager mode is compared
    verdict = outcome.numerics.get("verdict", UNKNOWN)
    relative = outcome.numerics.get("first_loss_relative")
    is_tiny = relative is not None and relative < 1e-2
    return verdict in (WITHIN, CLOSE) or (verdict == UNKNOWN and is_tiny)


def _gain(profile: Profile, outcome: ModeOutcome) -> Interval:
    if outcome.mode == profile.same_as_now:
        return exact_interval(1.0)
    return outcome.speedup_over_now or outcome.speedup or exact_interval(1.0)


def _recommendation(profile: Profile, best: ModeOutcome) -> Message:
    gains = [_as_fast(_gain(profile, best)), *_change_of_memory(profile, best)]
    if best.numerics is None:
        return Message("Use {mode}: {gains}. Numbers not compared.", mode=best.mode, gains=gains)
    gains.append(best.numerics.get("sentence", ""))
    if _verdict(best) == WITHIN:
        return Message("Use {mode}: {gains}.", mode=best.mode, gains=gains)
    return Message("Use {mode}, but watch the loss: {gains}.", mode=best.mode, gains=gains)


def _change_of_memory(profile: Profile, best: ModeOutcome) -> list[Message]:
    base = profile.now or profile.mode(profile.same_as_now or "fp32")
    if base is None or not base.peak_allocated_bytes or not best.peak_allocated_bytes:
        return []
    percent = 100 * (best.peak_allocated_bytes / base.peak_allocated_bytes - 1)
    if abs(percent) < 1:
        return [Message("same memory")]
    if percent < 0:
        return [Message("{percent:.0f} % less memory", percent=-percent)]
    return [Message("{percent:.0f} % more memory", percent=percent)]


def _nothing_better(profile: Profile, timed: list[ModeOutcome]) -> Message:
    others = [each for each in timed if each.mode not in (profile.same_as_now, "fp32")]
    if not others:
        return Message("Keep the cell as it is: no other mode could be measured.")
    fastest = _fastest(others)
    gain = _gain(profile, fastest)
    texts = {"mode": fastest.mode, "speedup": _as_fast(gain)}
    if gain["low"] > WORTH_RATIO:  # but not sound
        numbers = (fastest.numerics or {}).get("sentence", "")
        if _verdict(fastest) == UNKNOWN:
            template = "Keep the cell as it is. {mode}: {speedup}, but its numbers are not confirmed ({numbers})."
        else:
            template = (
                "Keep the cell as it is. {mode}: {speedup}, but its numbers differ ({numbers})."
            )
        return Message(template, **texts, numbers=numbers)
    template = "Keep the cell as it is. {mode}: {speedup}: slower."
    if gain["low"] <= 1 <= gain["high"]:
        template = "Keep the cell as it is. {mode}: {speedup}: no clear gain."
    elif gain["low"] > 1:
        template = "Keep the cell as it is. {mode}: {speedup}: too small a gain to be sure of 3 %."
    return Message(template, **texts)


def _as_fast(gain: Interval) -> Message:
    """Return a speed-up with its interval."""
    places = 1 if gain["value"] >= 10 else 2 if gain["high"] - gain["low"] > 0.03 else 3
    texts = {name: f"{each:.{places}f}" for name, each in gain.items()}
    if gain["low"] == gain["high"]:
        return Message("{value}× as fast as now", **texts)
    return Message("{value}× as fast as now, 95 % interval {low} to {high}", **texts)


def explain_limits(profile: Profile, facts: dict[str, Any]) -> None:
    """Fill in what limits the gain, and what to try next.

    Parameters
    ----------
    facts
        ``odd_shapes``: names of layers whose sizes are not multiples of 8; ``loads``: whether the cell uses a
        DataLoader; ``compiled``: whether torch.compile was requested; ``convolutions``: whether a model has
        convolutions in the default memory format.
    """
    best = profile.mode(profile.recommended or "") or profile.mode("bf16") or profile.modes[0]
    profile.why_not_more += [*_limits_of_mode(profile, best), *_limits_of_cell(facts)]
    profile.next_steps += _next_steps(best, facts)


def _limits_of_cell(facts: dict[str, Any]) -> Iterator[Message]:
    if layers := facts.get("odd_shapes", []):
        if (more := len(layers) - MOST_NAMED) > 0:
            layers = [*layers[:MOST_NAMED], Message("{count} more", count=more)]
        yield Message(
            "Sizes that are not multiples of 8 slow tensor cores: {layers}.", layers=layers
        )
    if facts.get("loads"):
        yield Message("All times include the DataLoader, which no mode makes faster.")


def _next_steps(best: ModeOutcome, facts: dict[str, Any]) -> Iterator[Message]:
    if facts.get("loads"):
        yield Message(
            "Time the DataLoader with %gpubench dataloader; to exclude it, use batches = iter(loader) and next(batches)."
        )
    if not facts.get("compiled") and best.error is None:
        yield Message("Add --compile to measure torch.compile.")
    if facts.get("convolutions"):
        yield Message(
            "Convolutions use the default memory format: try model.to(memory_format=torch.channels_last)."
        )


def _limits_of_mode(profile: Profile, best: ModeOutcome) -> Iterator[Message]:
    kernels, device = best.kernels or {}, best.device_seconds
    fp16 = profile.mode(best.mode.replace("bf16", "fp16")) or best
    is_close = profile.recommended == best.mode and _overlap(best, fp16)
    if fp16 is not best and is_close and _fastest([best, fp16]) is fp16:
        slower = "{mode} is not measurably faster and needs a gradient scaler."
        yield Message(slower, mode=fp16.mode)
    busy = kernels.get("step_kernel_seconds")
    if busy is not None and device is not None and busy < IDLE_RATIO * device["value"]:
        yield Message(
            "GPU busy {percent:.0f} % in {mode} (95 % interval {low:.0f} to {high:.0f} %): waiting for the host. Try larger batches, --compile or fewer .item() calls.",
            percent=100 * busy / device["value"],
            low=100 * busy / device["high"],
            high=100 * busy / device["low"],
            mode=best.mode,
        )
    share = kernels.get("tensor_core_ratio", 1.0)
    if share < LOW_TENSOR_CORE_RATIO:
        yield Message(
            "Tensor-core kernels: {percent:.0f} % of kernel time in {mode}. The rest moves data; narrower formats at best halve its time.",
            percent=100 * share,
            mode=best.mode,
        )
    if best.mode.split("+")[0] in ("bf16", "fp16"):
        yield from _stayed_in_fp32(best.dtypes or {})


def _stayed_in_fp32(dtypes: dict[str, Any]) -> Iterator[Message]:
    percent = 100 * dtypes.get("flop_shares", {}).get("float32", 0.0)
    if percent > 5:
        stayed = "{percent:.0f} % of the FLOPs stayed in fp32, outside autocast."
        yield Message(stayed, percent=percent)
    operators = dtypes.get("stayed_float32", [])
    for reason in FLOAT32_REASONS:
        named = [
            f"{each['operator']} ({each['calls']})" for each in operators if each["why"] == reason
        ]
        if named:
            yield Message(FLOAT32_REASONS[reason], operators=named[:MOST_NAMED])
