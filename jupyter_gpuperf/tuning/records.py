"""Record, in a worker, the time and memory that individual items take. Standard library only at module level."""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.loaders.comparison import length_of

MOST_ITEMS: Final = 256
OWN_IO: Final = Path("/proc/self/io")
NO_ITEM: Final = object()
SPLIT_FIELDS: Final = (
    *("wall_seconds", "thread_seconds", "process_seconds"),
    *("bytes", "read_bytes", "storage_bytes"),
)
"""Fields that are divided equally among items loaded together."""
CLOCKS: Final = (time.perf_counter, time.thread_time, time.process_time)


class Record(NamedTuple):
    """What loading one item, or collating one batch, took in the worker.

    Attributes
    ----------
    kind
        ``item``, ``batch``, or ``end`` after the last record.
    threads
        Threads that OpenCV uses; 0 when it is not loaded.
    """

    kind: str
    wall_seconds: float
    thread_seconds: float
    process_seconds: float
    bytes: float
    uses_cuda: bool
    read_bytes: float
    storage_bytes: float
    threads: int

    def each_of(self, count: int) -> Record:
        """Return one item's share of what ``count`` items took together."""
        return self._replace(**{name: getattr(self, name) / max(1, count) for name in SPLIT_FIELDS})


@dataclass
class RecordingDataset:
    """A dataset of records: each of its items is the record of loading the next item of the user's dataset."""

    dataset: Any
    collate: Callable[[Any], Any]
    indices: list[Any]
    batch_size: int
    begin: Callable[[int], object] | None
    is_batched: bool
    _records: Iterator[Record] | None = None

    def __getitem__(self, _place: int) -> Record:
        if self._records is None:
            self._begin_as_worker()
            self._records = self.records()
        return next(self._records, END)

    def _begin_as_worker(self) -> None:
        """Run the user's ``worker_init_fn``, which may expect the user's dataset in torch's worker info."""
        from torch.utils.data import get_worker_info

        if (info := get_worker_info()) is not None:
            object.__setattr__(info, "dataset", self.dataset)
            if self.begin is not None:
                self.begin(info.id)

    def records(self) -> Iterator[Record]:
        """Yield the records of single items, then the record of collating them."""
        items, taken = list[Any](), None
        for found, record in timed(self._calls()):
            if self._is_whole:  # torch passes it to the collate function as it is
                count, taken = max(1, length_of(self.indices[0]) or 0), found
                yield from itertools.repeat(record.each_of(count), count)
                break
            yield record
            items.append(found)
            taken = items
            if len(items) >= max(1, self.batch_size):
                break
        if self.batch_size and taken is not None:
            try:
                yield from [each for _, each in timed(iter([lambda: self.collate(taken)]), "batch")]
            except Exception as error:  # not the items' fault: the trials report what it raises
                if "CUDA" in str(error):
                    raise

    @property
    def _is_whole(self) -> bool:
        """Whether torch loads whole batches, as lists of items, with the dataset's ``__getitems__``."""
        has_batches = bool(getattr(self.dataset, "__getitems__", None))
        return bool(self.indices) and self.is_batched and has_batches

    def _calls(self) -> Iterator[Callable[[], Any]]:
        """Yield the calls with which torch loads items."""
        if not self.indices:  # a stream
            items = iter(self.dataset)
            while True:
                yield lambda: next(items, NO_ITEM)
        for batch in self.indices:
            if self._is_whole:
                yield functools.partial(self.dataset.__getitems__, batch)
                continue
            for index in batch if self.is_batched else [batch]:
                yield functools.partial(operator.getitem, self.dataset, index)


END: Final = Record("end", 0.0, 0.0, 0.0, 0, False, 0, 0, 0)


def timed(calls: Iterator[Callable[[], Any]], kind: str = "item") -> Iterator[tuple[Any, Record]]:
    """Make at most ``MOST_ITEMS`` calls; yield the value and the record of each. Stop at the end of a stream."""
    for call in itertools.islice(calls, MOST_ITEMS):
        read_before = _read_so_far()
        began = [clock() for clock in CLOCKS]
        value = call()
        wall, thread, process = [clock() - then for clock, then in zip(CLOCKS, began, strict=True)]
        if value is NO_ITEM:
            return
        read, stored = (now - then for now, then in zip(_read_so_far(), read_before, strict=True))
        found = (bytes_of(value), uses_cuda(value), read, stored, _cv_threads())
        yield value, Record(kind, wall, thread, process, *found)


def bytes_of(value: object, depth: int = 6) -> int:
    """Return the size, in bytes, of the tensors, arrays, bytes and strings in a value, however nested."""
    with contextlib.suppress(Exception):  # sparse tensors have none, others no number
        return operator.index(value.nbytes)  # type: ignore[attr-defined]
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
    """Return whether this process has initialized CUDA, or the value is on a GPU."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized() and not torch.cuda._is_in_bad_fork():
        return True
    return bool(getattr(value, "is_cuda", False))


def _read_so_far() -> tuple[int, int]:
    """Return how many bytes this process has read from files, and how many of them from storage; zeros if unknown."""
    with contextlib.suppress(OSError, ValueError):
        found = dict(line.split(": ") for line in OWN_IO.read_text().splitlines())
        return int(found.get("rchar", 0)), int(found.get("read_bytes", 0))
    return 0, 0


def _cv_threads() -> int:
    cv2: Any = sys.modules.get("cv2")
    return int(cv2.getNumThreads()) if cv2 is not None else 0
