"""The outcome of a fit as plain data: a row per batch size, the recommendation, and what is known beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from jupyter_gpuperf.batch_sizes.attempt import Attempt
from jupyter_gpuperf.batch_sizes.climb import Climb
from jupyter_gpuperf.batch_sizes.next_size import size_above
from jupyter_gpuperf.batch_sizes.timing import enough_of, rate_of
from jupyter_gpuperf.loaders.resized_batches import ResizedBatches
from jupyter_gpuperf.measure.statistics import Interval as PlainInterval
from jupyter_gpuperf.measure.statistics import inverse
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.schemas import BatchFit, BatchStatus, BatchTrial, Interval, MemoryPhase
from jupyter_gpuperf.tuning.time_limit import Countdown, TimeIsUp

GROWN_BYTES: Final = 2**20
"""Memory that stays allocated after a step counts as growth from this size on."""
CODE_SECONDS: Final = 2.0


def outcome_of(
    climb: Climb,
    batches: ResizedBatches,
    margin_ratio: float,
    clock: Countdown,
    models: Sequence[Any],
    called: tuple[str, str],
) -> BatchFit:
    """Return the outcome of the sizes that were run and timed."""
    measures = climb.limit_bytes is not None
    largest = climb.largest() if measures else None
    rates = {each.size: rate for each in climb.attempts if (rate := rate_of(each)) is not None}
    timed = [each for each in climb.attempts if each.size in rates and climb.fits(each)]
    fastest = max(timed, key=lambda each: rates[each.size]["value"], default=None)
    enough = None if fastest is None else enough_of(timed, fastest)
    recommended = enough or largest
    roles: dict[str, int | None] = {
        "own": batches.own_size,
        "recommended": recommended.size if recommended else None,
        "largest": largest.size if largest else None,
        "fastest": fastest.size if fastest else None,
    }
    trials = [
        _trial(each, roles, rates.get(each.size))
        for each in sorted(climb.attempts, key=lambda each: each.size)
    ]
    trials += _predicted(climb, largest)
    return BatchFit(
        step=called[0],
        loader=called[1],
        device=climb.device,
        own_batch_size=batches.own_size,
        trials=sorted(trials, key=lambda each: each.batch_size),
        law=list(_phases(climb)),
        limit_bytes=climb.limit_bytes,
        margin_ratio=margin_ratio,
        largest_batch_size=roles["largest"],
        limited_by=climb.limited_by,
        enough_batch_size=enough.size if enough else None,
        recommended_batch_size=roles["recommended"],
        code=_code(batches, recommended, clock),
        notes=[*batches.notes, *_notes(climb, batches, recommended, models)],
        warnings=list(_warnings(climb, recommended)),
        seconds=clock.passed(),
    )


def _trial(
    attempt: Attempt, roles: dict[str, int | None], rate: PlainInterval | None
) -> BatchTrial:
    status: BatchStatus = "run" if attempt.runs else "failed"
    if attempt.out_of_memory:
        status = "out_of_memory"
    return BatchTrial(
        batch_size=attempt.size,
        status=status,
        samples_per_second=None if rate is None else Interval(**rate),
        step_seconds=None if rate is None else Interval(**inverse(rate, attempt.size)),
        peak_bytes=attempt.peak_bytes if attempt.runs else None,
        reserved_bytes=attempt.reserved_bytes if attempt.runs else None,
        predicted_bytes=attempt.predicted_bytes,
        roles=[name for name, size in roles.items() if size == attempt.size],
        error=attempt.failure,
    )


def _predicted(climb: Climb, largest: Attempt | None) -> Iterator[BatchTrial]:
    """Yield the next larger size than the largest that fits, if it was not run: why it is not recommended."""
    law = climb.law
    if law is None or largest is None:
        return
    size = size_above(largest.size)
    if all(each.size != size for each in climb.attempts):
        yield BatchTrial(
            batch_size=size,
            status="predicted",
            samples_per_second=None,
            step_seconds=None,
            peak_bytes=law.at(size),
            reserved_bytes=climb.needed_bytes(size),
            predicted_bytes=law.at(size),
            roles=[],
        )


def _phases(climb: Climb) -> Iterator[MemoryPhase]:
    law = climb.law
    for name, line in {} if law is None else law.lines.items():
        yield MemoryPhase(
            phase=name,
            fixed_bytes=line.fixed_bytes,
            bytes_per_sample=line.bytes_per_sample,
            batch_sizes=[size for size, _ in line.points],
            largest_deviation_ratio=line.deviation_ratio if len(line.points) > 2 else None,
        )


def _code(batches: ResizedBatches, recommended: Attempt | None, clock: Countdown) -> str | None:
    if recommended is None or recommended.size == batches.own_size:
        return None
    try:
        with clock.alarm.within(max(0.0, clock.left()) + CODE_SECONDS):
            return batches.code(recommended.size)
    except TimeIsUp:  # the measurements are valid without the code
        return None


def _warnings(climb: Climb, recommended: Attempt | None) -> Iterator[str]:
    if recommended is not None and recommended.grown_bytes >= GROWN_BYTES:
        size = recommended.grown_bytes / 2**20
        template = "Each step keeps {size:.1f} MiB more, so any batch runs out of memory in the end. See: %gpumem"
        yield Message(template, size=size)
    if recommended is not None and not recommended.samples:
        yield Message("No time was left to time the batch sizes. Raise the time limit.")


def _notes(
    climb: Climb, batches: ResizedBatches, recommended: Attempt | None, models: Sequence[Any]
) -> Iterator[Message]:
    steps = climb.steps_per_update
    if steps is not None and steps > 2:
        yield Message(
            "The optimizer does not work in each step: gradients are accumulated, and the effective batch is larger."
        )
    if recommended is None:
        return
    has_norm = any("BatchNorm" in type(each).__name__ for each in models)
    size = recommended.size
    yield from _last_batch(batches, size, has_norm=has_norm)
    if size == batches.own_size:
        return
    if has_norm:
        yield Message("BatchNorm's statistics depend on the batch size.")
    yield Message(
        "What another batch size does to the loss is not measured; it may need another learning rate."
    )


def _last_batch(batches: ResizedBatches, size: int, *, has_norm: bool) -> Iterator[Message]:
    rest = (batches.item_count or 0) % size
    if not rest:
        return
    if batches.drops_last:
        yield Message.counted(
            "drop_last leaves out {count} sample per epoch.",
            "drop_last leaves out {count} samples per epoch.",
            count=rest,
        )
    elif rest == 1 and has_norm:
        yield Message(
            "The last batch of an epoch has one sample, with which BatchNorm fails: use drop_last=True."
        )
    else:
        yield Message.counted(
            "The last batch of an epoch has {count} sample.",
            "The last batch of an epoch has {count} samples.",
            count=rest,
        )
