"""Looks at single items, in a worker of its own: what does one cost, and is it safe to load here?

In a worker, because an item may hang, crash, or use CUDA, and the notebook must survive that. Standard library only
at module level.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.tuning.by_value import by_value, pickled_bytes
from jupyter_gpuperf.tuning.safety import close, failure_words
from jupyter_gpuperf.tuning.subject import Subject, default_start_method, noting_context, of_kind

FEWEST_ITEMS: Final = 8
MOST_ITEMS: Final = 256
OWN_IO: Final = Path("/proc/self/io")


class Record(NamedTuple):
    """What one item, or the collating of a batch, took in the worker."""

    kind: str
    wall_seconds: float
    thread_seconds: float
    process_seconds: float
    bytes: int
    uses_cuda: bool
    read_bytes: int
    storage_bytes: int
    threads: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What items are like.

    Attributes
    ----------
    item_cpu_seconds
        Processor time of one item, all threads.
    blocked_ratio
        Share of an item's time in which its thread does not compute: it waits for storage or another process.
    variation
        The 95th percentile of items' times over their mean.
    batch_bytes
        Of a collated batch; from the items' where there was no time to make one.
    read_bytes, storage_bytes
        Read from files per item, and the part that came from storage and not from the system's cache.
    cv_threads
        Threads that OpenCV would use in a worker; 0 where it is not loaded.
    pickled_bytes
        Of the data set; ``None`` where it can't be pickled, or nothing needs it.
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
        """How long one process takes for a batch."""
        return self.batch_size * self.item_seconds + self.collate_seconds

    @property
    def batch_cpu_seconds(self) -> float:
        """How much of a processor a batch takes."""
        return self.batch_size * self.item_cpu_seconds + self.collate_seconds

    @property
    def regime(self) -> str:
        """Where items came from: ``no files``, ``warm`` (the system's cache), ``cold`` (storage) or ``mixed``."""
        if self.read_bytes < 512:
            return "no files"
        share = self.storage_bytes / self.read_bytes
        return "cold" if share >= 0.5 else "warm" if share < 0.05 else "mixed"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "regime": self.regime}


def probe(
    subject: Subject,
    limit_seconds: float,
    timeout_seconds: float,
    *,
    method: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Probe:
    """Load items in a worker until the limit, at least one.

    Raises
    ------
    ProbeFailed
        There is no item, the data set raised something, or the worker died or took too long.
    GpuPerfError
        A worker that is not forked can't have the data set.
    """
    loader, processes = _loader(
        _watched(subject), method or default_start_method(), timeout_seconds
    )
    batches = iter(loader)
    try:
        records = _until(batches, clock() + limit_seconds, clock)
    except Exception as error:  # the user's own code, or the worker's end
        raise ProbeFailed(failure_words(error, processes, None), str(error)) from error
    finally:
        close(batches, processes, at_once=True)
    return summary(records, subject)


def probe_here(
    subject: Subject, limit_seconds: float, clock: Callable[[], float] = time.monotonic
) -> Probe:
    """Load items in this very process: for data sets that use CUDA, which no worker here can have."""
    found = summary(_until(_watched(subject).records(), clock() + limit_seconds, clock), subject)
    return replace(found, uses_cuda=True)


class ProbeFailed(Exception):
    """The worker that looked at single items gave none.

    Attributes
    ----------
    words
        Why, in a line.
    text
        All that torch said.
    """

    def __init__(self, words: str, text: str) -> None:
        super().__init__(words)
        self.words, self.text = words, text


def _watched(subject: Subject) -> _Watched:
    indices = [] if subject.is_stream else [next(subject.index_batches(), [])]
    return _Watched(
        subject.dataset,
        subject.collate_function(),
        indices,
        subject.batch_size,
        subject.worker_init_function(),
    )


def _until(found: Iterable[Record], end: float, clock: Callable[[], float]) -> list[Record]:
    records = []
    for record in found:
        records.append(record)
        if record.kind == "end" or clock() >= end:
            break
    return records


def _loader(watched: _Watched, method: str, timeout_seconds: float) -> tuple[Any, list[Any]]:
    """Return a loader that hands over a worker's records one by one."""
    from torch.utils.data import DataLoader

    processes: list[Any] = []
    loader = DataLoader(
        watched if method == "fork" else of_kind(by_value(watched, "data set"), is_stream=False),
        batch_size=None,
        sampler=range(MOST_ITEMS + 2),
        collate_fn=_as_it_is,
        num_workers=1,
        prefetch_factor=1,
        timeout=timeout_seconds,
        multiprocessing_context=noting_context(method, processes),
    )
    return loader, processes


class _Watched:
    """A data set of records: its n-th item is what the n-th item of the user's took."""

    def __init__(
        self,
        dataset: Any,  # noqa: ANN401
        collate: Callable[[Any], Any],
        indices: list[Any],
        batch_size: int,
        begin: Callable[[int], object] | None,
    ) -> None:
        self._dataset, self._collate, self._indices = dataset, collate, indices
        self._batch_size, self._begin = batch_size, begin
        self._records: Iterator[Record] | None = None

    def __getitem__(self, _place: int) -> Record:
        if self._records is None:
            self._begin_as_worker()
            self._records = self.records()
        return next(self._records, END)

    def _begin_as_worker(self) -> None:
        """Do what the user has a worker do first; it may look for the data set where torch has it."""
        from torch.utils.data import get_worker_info

        info = get_worker_info()
        if info is not None:
            object.__setattr__(info, "dataset", self._dataset)
            if self._begin is not None:
                self._begin(info.id)

    def records(self) -> Iterator[Record]:
        taken = []
        for item, record in timed(self._items()):
            taken.append(item)
            yield record
            if len(taken) >= max(1, self._batch_size):
                break
        if self._batch_size and taken:
            for _, record in timed(iter([lambda: self._collate(taken)]), kind="batch"):
                yield record

    def _items(self) -> Iterator[Callable[[], Any]]:
        if not self._indices:  # a stream
            items = iter(self._dataset)
            while True:
                yield lambda: next(items, NOTHING)
        for batch in self._indices:
            for index in batch if isinstance(batch, (list, tuple)) else [batch]:
                yield lambda index=index: self._dataset[index]


NOTHING: Final = "nothing"
END: Final = Record("end", 0.0, 0.0, 0.0, 0, False, 0, 0, 0)


def timed(calls: Iterator[Callable[[], Any]], kind: str = "item") -> Iterator[tuple[Any, Record]]:
    """Make each call and say what it took; ends at the end of a stream."""
    for call in itertools.islice(calls, MOST_ITEMS):
        read, stored = _read_so_far()
        began = time.perf_counter(), time.thread_time(), time.process_time()
        value = call()
        took = (
            time.perf_counter() - began[0],
            time.thread_time() - began[1],
            time.process_time() - began[2],
        )
        if value is NOTHING:
            return
        read_now, stored_now = _read_so_far()
        yield (
            value,
            Record(
                kind,
                *took,
                bytes_of(value),
                uses_cuda(value),
                read_now - read,
                stored_now - stored,
                _cv_threads(),
            ),
        )


def bytes_of(value: object, depth: int = 6) -> int:
    """Return the size of the tensors and arrays in a value, however nested; of bytes and texts their length."""
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    if isinstance(value, (bytes, bytearray, str)):
        return len(value)
    if not depth:
        return 0
    if isinstance(value, Mapping):
        value = list(value.values())
    elif hasattr(value, "__dict__"):
        value = list(vars(value).values())
    if isinstance(value, (list, tuple)):
        return sum(bytes_of(each, depth - 1) for each in value)
    return 8


def uses_cuda(value: object) -> bool:
    """Tell whether this process has begun to use CUDA, or an item lies there."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized() and not torch.cuda._is_in_bad_fork():
        return True
    return bool(getattr(value, "is_cuda", False))


def summary(records: Iterable[Record], subject: Subject) -> Probe:
    """Put the records together.

    Raises
    ------
    ProbeFailed
        There is no item.
    """
    every = list(records)
    items = [each for each in every if each.kind == "item"]
    batch = next((each for each in every if each.kind == "batch"), None)
    if not items:
        raise ProbeFailed("the data set has no item", "")
    walls = [each.wall_seconds for each in items]
    wall = sum(walls)
    size = max(1, subject.batch_size)
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
        batch_bytes=known,
        uses_cuda=any(each.uses_cuda for each in every),
        read_bytes=sum(each.read_bytes for each in items) / count,
        storage_bytes=sum(each.storage_bytes for each in items) / count,
        cv_threads=max(each.threads for each in every),
        pickled_bytes=None if default_start_method() == "fork" else pickled_bytes(subject.dataset),
        batch_size=size,
    )


def _variation(walls: list[float]) -> float:
    # Of few items, and of very short ones, the slowest says nothing but that the system was busy.
    mean = statistics.fmean(walls)
    if len(walls) < FEWEST_ITEMS or mean < 1e-4:
        return 1.0
    return sorted(walls)[int(0.95 * (len(walls) - 1))] / mean


def _read_so_far() -> tuple[int, int]:
    """Return what this process has read, from files and from storage; zeros where nothing tells."""
    with contextlib.suppress(OSError, ValueError):
        found = dict(line.split(": ") for line in OWN_IO.read_text().splitlines())
        return int(found.get("rchar", 0)), int(found.get("read_bytes", 0))
    return 0, 0


def _cv_threads() -> int:
    cv2: Any = sys.modules.get("cv2")
    return int(cv2.getNumThreads()) if cv2 is not None else 0


def _as_it_is(value: Any) -> Any:  # noqa: ANN401
    return value
