"""Load single items in a separate worker, to learn what an item costs and whether workers can load it.

Items are loaded in a worker because one may hang, crash, or use CUDA, and the notebook must survive that. Standard
library only at module level.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from jupyter_gpuperf.loaders.cloudpickling import cloudpickled, pickled_size
from jupyter_gpuperf.loaders.comparison import length_of
from jupyter_gpuperf.loaders.randomness import Randomness
from jupyter_gpuperf.loaders.subject import (
    TuningSubject,
    WorkerInit,
    as_dataset_kind,
    default_start_method,
)
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.records import MOST_ITEMS, Record, RecordingDataset
from jupyter_gpuperf.tuning.safety import describe_failure, items_from_workers

FEWEST_ITEMS: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """The measured properties of items.

    Attributes
    ----------
    item_cpu_seconds
        CPU time of one item, over all threads.
    blocked_ratio
        Share of an item's time in which its thread does not compute but waits for storage or another process.
    variation
        The 95th percentile of the items' times divided by their mean.
    batch_bytes
        Bytes of a collated batch; estimated from the items when there was no time to make one.
    read_bytes, storage_bytes
        Bytes read from files per item, and the part that came from storage instead of the page cache.
    cv_threads
        Threads that OpenCV would use in a worker; 0 when it is not loaded.
    pickled_bytes
        Bytes of the pickled dataset; ``None`` when it can't be pickled or need not be.
    """

    items: int
    item_seconds: float
    item_cpu_seconds: float
    blocked_ratio: float
    variation: float
    collate_seconds: float
    batch_bytes: int
    uses_cuda: bool
    read_bytes: float
    storage_bytes: float
    cv_threads: int
    pickled_bytes: int | None
    batch_size: int

    @property
    def batch_seconds(self) -> float:
        """Seconds that one process takes for a batch."""
        return self.batch_size * self.item_seconds + self.collate_seconds

    @property
    def batch_cpu_seconds(self) -> float:
        """CPU seconds that one process takes for a batch."""
        return self.batch_size * self.item_cpu_seconds + self.collate_seconds

    @property
    def regime(self) -> str:
        """Where the items came from: ``no files``, or a value of :func:`regime_of`."""
        return (
            "no files" if self.read_bytes < 512 else regime_of(self.storage_bytes / self.read_bytes)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the probe as plain data."""
        return {**asdict(self), "regime": self.regime}


def regime_of(storage_ratio: float) -> str:
    """Return ``warm`` (read from the page cache), ``cold`` (from storage) or ``mixed``."""
    return "cold" if storage_ratio >= 0.5 else "warm" if storage_ratio < 0.05 else "mixed"


def probe(
    subject: TuningSubject,
    limit_seconds: float,
    timeout_seconds: float,
    *,
    method: str | None = None,
) -> Probe:
    """Load items in a worker until the time limit, but at least one; return their properties.
    Raises
    ------
    ProbeFailed
        There is no item, the dataset raised an exception, or the worker died or took too long.
    GpuPerfError
        The dataset can't be passed to a worker that is not forked.
    """
    data: Any = _recording_dataset(subject)
    method = method or default_start_method()
    if method != "fork":
        data = as_dataset_kind(cloudpickled(data, "dataset"), is_stream=False)
    loads = {"sampler": range(MOST_ITEMS + 2), "collate_fn": _as_it_is, "timeout": timeout_seconds}
    with items_from_workers(data, 1, method, **loads) as (items, processes):
        try:
            records = _until(items, limit_seconds)
        except Exception as error:  # from the user's code, or because the worker ended
            raise ProbeFailed(describe_failure(error, processes), str(error)) from error
    return probe_of_records(records, subject)


def probe_in_process(subject: TuningSubject, limit_seconds: float) -> Probe:
    """Load items in this process, for datasets that use CUDA and that no worker can load."""
    found = probe_of_records(_until(_recording_dataset(subject).records(), limit_seconds), subject)
    return replace(found, uses_cuda=True)


class ProbeFailed(Exception):
    """No item could be loaded.

    Attributes
    ----------
    message
        The reason, in one line.
    text
        The complete text of the exception; may be empty.
    """

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(reason)
        self.message, self.text = reason, text


def _recording_dataset(subject: TuningSubject) -> RecordingDataset:
    indices: list[Any] = [] if subject.is_stream else [next(subject.index_batches, [])]
    batched = bool(indices) and subject.is_batched
    return RecordingDataset(
        subject.dataset,
        subject.collate_function(),
        indices,
        subject.batch_size or (length_of(indices[0]) or 0 if batched else 0),
        subject.worker_init_function(),
        is_batched=subject.is_batched,
    )


def _until(found: Iterable[Record], limit_seconds: float) -> list[Record]:
    records, end = [], time.monotonic() + limit_seconds
    for record in found:
        records.append(record)
        if record.kind == "end" or time.monotonic() >= end:
            break
    return records


def probe_of_records(records: Sequence[Record], subject: TuningSubject) -> Probe:
    """Return the properties of the recorded items.

    Raises
    ------
    ProbeFailed
        There is no item.
    """
    items = [each for each in records if each.kind == "item"]
    batch = next((each for each in records if each.kind == "batch"), None)
    if not items:
        is_empty = subject.is_stream or subject.item_count == 0
        no_batch = "the loader makes no batch: its sampler is empty, or drop_last drops it"
        raise ProbeFailed(Message("the dataset is empty" if is_empty else no_batch))
    walls = [each.wall_seconds for each in items]
    wall = sum(walls)
    size = subject.batch_size or (len(items) if subject.is_batched else 1)
    known = batch.bytes if batch else size * int(statistics.fmean(each.bytes for each in items))
    blocked = 1 - sum(each.thread_seconds for each in items) / wall if wall else 0.0
    count = len(items)
    return Probe(
        items=count,
        item_seconds=wall / count,
        item_cpu_seconds=sum(each.process_seconds for each in items) / count,
        blocked_ratio=min(1.0, max(0.0, blocked)),
        variation=_variation(walls),
        collate_seconds=batch.wall_seconds if batch else 0.0,
        batch_bytes=int(known),
        uses_cuda=any(each.uses_cuda for each in records),
        read_bytes=sum(each.read_bytes for each in items) / count,
        storage_bytes=sum(each.storage_bytes for each in items) / count,
        cv_threads=max(each.threads for each in records),
        pickled_bytes=None if default_start_method() == "fork" else pickled_size(subject.dataset),
        batch_size=size,
    )


def _variation(walls: list[float]) -> float:
    # With few or very short items, the slowest one only shows that the system was busy.
    mean = statistics.fmean(walls)
    if len(walls) < FEWEST_ITEMS or mean < 1e-4:
        return 1.0
    return sorted(walls)[int(0.95 * (len(walls) - 1))] / mean


def _as_it_is(value: Any) -> Any:
    return value


ITEMS: Final = 3
SEED: Final = 20_260
MOST_VALUES: Final = 64


def repeats_items(subject: TuningSubject, timeout_seconds: float) -> bool | None:
    """Return whether two workers of a stream load the same items; ``None`` if that can't be determined.

    Both workers get the same random seed, so that repeated items are found in streams that shuffle too.
    """
    if default_start_method() != "fork":
        return None
    begin = WorkerInit(_draw_alike, subject.worker_init_function())
    loads = {"collate_fn": _print_of, "worker_init_fn": begin, "timeout": timeout_seconds}
    try:
        with items_from_workers(subject.dataset, 2, "fork", **loads) as (items, _):
            found = [print_ for _, print_ in zip(range(2 * ITEMS), items, strict=False)]
    except Exception:  # the user's own code; the trials report what it raises  # noqa: BLE001
        return None
    if len(set(found)) == 1:  # all items are equal, which proves nothing: their labels may be equal
        return None
    # The items come from the two workers alternately.
    return len(found) >= 2 and found[0::2][: len(found) // 2] == found[1::2]


def _draw_alike() -> None:
    """Seed the worker, and note when the stream asks which worker it is in: then equal items may be of two shards."""
    import torch
    from torch.utils.data._utils import worker

    Randomness(torch).reseed(SEED)
    kind: Any = type(worker._worker_info)

    class Noting(kind):  # type: ignore[misc]
        __slots__ = ()  # so that an object can change its class

        def __getattribute__(self, name: str) -> Any:
            if name in ("id", "num_workers"):
                asked.append(name)
            return super().__getattribute__(name)

    object.__setattr__(worker._worker_info, "__class__", Noting)


asked: Final[list[str]] = []
"""In a worker: what its stream asked for to find its part of the data."""


def _print_of(item: Any) -> str:
    return f"{os.getpid() if asked else ''} {fingerprint_of(item)}"


def fingerprint_of(item: Any) -> str:
    """Return a text that is the same for equal items. Of each tensor, however nested, it has the first values."""
    if hasattr(item, "flatten") and hasattr(item, "shape"):
        return f"{tuple(item.shape)}{item.flatten()[:MOST_VALUES].tolist()}"
    if isinstance(item, Mapping):
        return str({str(name): fingerprint_of(each) for name, each in item.items()})
    if isinstance(item, (list, tuple)):
        return str([fingerprint_of(each) for each in item])
    return repr(item)[:1000]
