"""Batches of any size, made from the items of a user's loader as the loader makes its own.

The dataset, the sampler's order and the collate function are the user's. The loader itself is used only where it makes
more than torch does, such as moving batches to the GPU: its batches are then joined and cut. Standard library only at
module level.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.comparison import length_of
from jupyter_gpuperf.loaders.endless import loader_and_data
from jupyter_gpuperf.loaders.joined_batches import fixed_size_error, join, sample_count
from jupyter_gpuperf.loaders.loop_blocks import EndlessBatches
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.loaders.subject import TuningSubject
from jupyter_gpuperf.messages import Message


class ResizedBatches:
    """Makes batches of any size.

    Parameters
    ----------
    given
        A DataLoader, an object that wraps one, another iterable of batches, or a dataset.
    name
        Its name in the notebook.
    names
        The notebook's variables by name; the code of :meth:`code` refers to them.

    Attributes
    ----------
    own_size
        The loader's own batch size.
    item_count
        Number of samples per epoch; ``None`` if unknown.
    drops_last
        Whether the loader leaves out an incomplete last batch.
    notes
        Sentences about what is different from the user's own batches.

    Raises
    ------
    BadRequest
        ``batch_size_is_fixed``: batches of other sizes can't be made. ``empty_loader``, ``not_a_loader``,
        ``sampler_not_copied``.
    """

    def __init__(self, given: Any, name: str, names: Mapping[str, Any] | None = None) -> None:
        self._given, self._name, self._names = getattr(given, "unwrapped", given), name, names
        self.notes: list[Message] = []
        self._pool: list[Any] = []
        self.item_count: int | None = None
        self.drops_last = False
        self._subject = None if _is_used_itself(self._given) else TuningSubject(given, name)
        if self._subject is not None and self._subject.is_batched:
            self._collate: Callable[[list[Any]], Any] = self._collated
            self._source = self._items(self._subject)
            self.own_size = self._subject.batch_size or self._first_size(self._subject)
            self.item_count = _epoch_items(self._subject)
            sampler = getattr(self._subject.own, "batch_sampler", None)
            self.drops_last = bool(getattr(sampler, "drop_last", False))
        else:
            self._begin_with_batches()

    def batch(self, size: int, limit_seconds: float) -> Any:
        """Return a batch with ``size`` samples.

        If loading its items takes longer than ``limit_seconds``, the items loaded so far are repeated.
        """
        end = time.monotonic() + limit_seconds
        while len(self._pool) < size and (not self._pool or time.monotonic() < end):
            self._pool.append(self._take())
        if len(self._pool) < size:
            repeated = Message("Large batches repeat samples: loading more would take too long.")
            self.notes += [] if repeated in self.notes else [repeated]
        return self._collate(list(itertools.islice(itertools.cycle(self._pool), size)))

    def code(self, size: int) -> str | None:
        """Return the line that creates the loader with this batch size, or comments that say why there is none.

        The line was run, and its loader compared with the user's. ``None`` if no loader of torch sets the size.
        """
        if self._subject is None:
            return None
        try:
            subject = TuningSubject(self._given, self._name, size, self._names)
        except BadRequest:  # the dataset or a batch sampler sets it; a note says so
            return None
        return subject.code(subject.current_setting or Setting(num_workers=0))

    def _take(self) -> Any:
        item = next(self._source, self)
        if item is self:
            raise BadRequest("empty_loader", "The loader returned no batch.", "Check its dataset.")
        return item

    def _items(self, subject: TuningSubject) -> Iterator[Any]:
        from torch.utils.data import BatchSampler, DataLoader

        how: dict[str, Any] = {"batch_sampler": subject.index_batches}
        if subject.is_stream:
            how = {"batch_size": max(1, subject.batch_size)}
        elif subject.own is not None and type(subject.own.batch_sampler) is not BatchSampler:
            self.notes.append(
                Message(
                    "{type} chooses the samples of each batch; here, its batches are joined and cut.",
                    type=type(subject.own.batch_sampler).__name__,
                )
            )
        while True:
            count = 0
            for count, items in enumerate(  # noqa: B007
                DataLoader(subject.dataset, collate_fn=_as_it_is, **how), start=1
            ):
                yield from items
            if not count:
                return

    def _collated(self, items: list[Any]) -> Any:
        from torch.utils.data import DataLoader

        assert self._subject is not None
        own: Any = self._subject.own
        loader: Any = DataLoader(
            items,
            batch_sampler=[list(range(len(items)))],
            collate_fn=self._subject.collate_function(),
            pin_memory=own is not None and own.pin_memory,
        )
        return next(iter(loader))

    def _first_size(self, subject: TuningSubject) -> int:
        """Return the size of the first batch of a batch sampler that has no such number."""
        indices = next(subject.index_batches, ())
        subject.index_batches = itertools.chain([indices], subject.index_batches)
        self._source = self._items(subject)
        return len(indices) or 1

    def _begin_with_batches(self) -> None:
        """Join and cut the batches that the loader or the dataset itself makes."""
        batches = EndlessBatches(self._given)
        if self._subject is not None:
            setting = Setting(num_workers=0, prefetch_factor=None)
            batches = EndlessBatches(self._subject.make_loader(setting, 0.0)[0])
        self._source, self._collate = iter(batches), self._first_of
        self._pool = [next(batches)]
        self.own_size = sample_count(self._pool[0])
        if not self.own_size:
            raise fixed_size_error(Message("the first batch is empty"))
        self._whole, self._pool = self._pool, []
        self._source = self._places(batches)
        text = "The loader or its dataset makes whole batches; here, they are joined and cut."
        self.notes.append(Message(text))

    def _places(self, batches: EndlessBatches) -> Iterator[int]:
        """Yield the number of the batch of each sample, so that the pool counts samples here, too."""
        for number in itertools.count():
            if number == len(self._whole):
                self._whole.append(next(batches))
            yield from itertools.repeat(number, sample_count(self._whole[number]))

    def _first_of(self, places: list[int]) -> Any:
        numbers = [number for number, _ in itertools.groupby(places)]
        return join([self._whole[number] for number in numbers], len(places))


def _is_used_itself(given: Any) -> bool:
    """Return whether batches must come from the object itself: it is no loader of torch, or changes what torch makes."""
    from torch.utils.data import DataLoader

    if isinstance(given, (list, tuple)):
        return True
    try:
        own, _ = loader_and_data(given)
    except BadRequest:
        if hasattr(given, "__iter__") and not hasattr(given, "__next__"):
            return True
        raise
    return own is not None and (own is not given or type(own).__iter__ is not DataLoader.__iter__)


def _epoch_items(subject: TuningSubject) -> int | None:
    own, items = subject.own, subject.item_count
    drawn = None if own is None or subject.is_stream else length_of(own.sampler)
    return min((each for each in (items, drawn) if each), default=None)


def _as_it_is(items: Any) -> Any:
    return items
