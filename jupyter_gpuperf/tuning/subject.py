"""What is tuned: a user's loader or data set, and new loaders over the same data in any setting.

Standard library only at module level.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.benchmarks.workloads.own_loader import KEPT, loader_like, settings_of
from jupyter_gpuperf.tuning.cloudpickling import by_value
from jupyter_gpuperf.tuning.setting import Setting

INNER_LOADERS: Final = ("_dataloader", "base_dataloader", "dataloader")
"""Where wrappers that are no DataLoader themselves keep theirs, Lightning's Fabric for one."""
SHARDS: Final = ("num_shards", "n_shards")
"""How streams of Hugging Face say into how many parts they can be cut."""
KILL_FIRST: Final = "1000"


class Subject:
    """A user's loader or data set; its own iterator, sampler and generators are never touched.

    Parameters
    ----------
    given
        A DataLoader, something that wraps one, or a data set.
    name
        What the notebook calls it.
    batch_size
        In the place of the loader's own.

    Raises
    ------
    BadRequest
        ``not_a_loader`` or ``batch_size_is_fixed``.
    """

    def __init__(self, given: object, name: str, batch_size: int | None = None) -> None:
        from torch.utils.data import DataLoader, IterableDataset

        own = unwrapped(given)
        wanted = {} if batch_size is None else {"batch_size": batch_size}
        self.settings = settings_of(own, wanted)
        self.own: Any = own if isinstance(own, DataLoader) else None
        self.name = name
        self._like = loader_like(own, {**self.settings, "workers": 0, "pin_memory": False}, 0.0)
        self.dataset: Any = self._like.dataset
        self.is_stream = isinstance(self.dataset, IterableDataset)
        self.batches_drawn = 0
        self._indices: Iterator[Any] | None = None

    @property
    def batch_size(self) -> int:
        """Items in a batch; 0 where nothing tells."""
        return int(self.settings["batch_size"] or 0)

    @property
    def items(self) -> int | None:
        """Items in the data set; ``None`` where it does not tell."""
        return _length(self.dataset)

    @property
    def batches_per_epoch(self) -> int | None:
        """Batches in an epoch, as the user's own loader counts them."""
        if self.own is not None and self.settings["batch_size"] == settings_of(self.own, {}).get(
            "batch_size"
        ):
            return _length(self.own)
        items = self.items
        return items // self.batch_size if items and self.batch_size else None

    @property
    def present(self) -> Setting | None:
        """How the user's loader is set up now; ``None`` for a data set alone."""
        if self.own is None:
            return None
        context = self.own.multiprocessing_context
        return Setting.of(
            num_workers=self.own.num_workers,
            prefetch_factor=self.own.prefetch_factor,
            pin_memory=self.own.pin_memory,
            persistent_workers=self.own.persistent_workers,
            start_method=None if context is None else context.get_start_method(),
            in_order=getattr(self.own, "in_order", True),
        )

    @property
    def most_workers(self) -> int | None:
        """How many workers a stream has work for, where it says so."""
        if not self.is_stream:
            return None
        found = (getattr(self.dataset, name, None) for name in SHARDS)
        return next((each for each in found if isinstance(each, int) and each > 0), None)

    def index_batches(self) -> Iterator[Any]:
        """Return the one row of index batches that all trials share: each takes up where the last one stopped.

        So no trial reads what an earlier one has brought into the system's cache, as long as the epoch lasts.
        """
        if self._indices is None:
            self._indices = self._counted(_source(self._like))
        return self._indices

    def loader(self, setting: Setting, timeout_seconds: float) -> tuple[Any, list[Any]]:
        """Return a new loader in this setting, endless where the data has a length, and its processes to be.

        Raises
        ------
        GpuPerfError
            Workers that are not forked can't have the data; see :func:`by_value`.
        """
        options = {name: getattr(self._like, name) for name in KEPT if hasattr(self._like, name)}
        options = {name: value for name, value in options.items() if value not in (None, "")}
        own_init = options.pop("worker_init_fn", None)
        dataset, processes = self.dataset, list[Any]()
        if setting.num_workers:
            method = setting.start_method or default_start_method()
            if method != "fork":
                dataset = of_kind(by_value(dataset, "data set"), is_stream=self.is_stream)
                options["collate_fn"] = by_value(self._like.collate_fn, "collate function")
                own_init = by_value(own_init, "worker_init_fn")
            options |= {
                "multiprocessing_context": noting_context(method, processes),
                "worker_init_fn": _Begin(own_init),
                "timeout": max(timeout_seconds, self._own_timeout),
                "prefetch_factor": setting.prefetch_factor,
                "persistent_workers": setting.persistent_workers,
            }
            if not setting.in_order:
                options["in_order"] = False
        return self._made(dataset, setting, options), processes

    @property
    def _own_timeout(self) -> float:
        return float(getattr(self.own, "timeout", 0.0) or 0.0)

    def _made(self, dataset: Any, setting: Setting, options: dict[str, Any]) -> Any:
        from torch.utils.data import DataLoader

        if not setting.num_workers:
            for name in ("timeout", "multiprocessing_context", "in_order"):
                options.pop(name, None)
        if self.is_stream:
            options |= {"batch_size": self._like.batch_size, "drop_last": self._like.drop_last}
        elif self._like.batch_sampler is not None:
            options["batch_sampler"] = _GoingOn(self.index_batches)
        else:
            options |= {"sampler": _GoingOn(self.index_batches), "batch_size": None}
        return DataLoader(
            dataset,
            num_workers=setting.num_workers,
            pin_memory=setting.pin_memory,
            generator=self._like.generator,
            **options,
        )

    def _counted(self, batches: Iterable[Any]) -> Iterator[Any]:
        for indices in batches:
            self.batches_drawn += 1
            yield indices

    def worker_init_function(self) -> Callable[[int], object] | None:
        """Return what the user has each worker do first."""
        return self._like.worker_init_fn  # type: ignore[no-any-return]

    def collate_function(self) -> Callable[[Any], Any]:
        """Return what makes a batch of items."""
        return self._like.collate_fn  # type: ignore[no-any-return]


class _GoingOn:
    """A sampler whose iterations go on where the last one stopped."""

    def __init__(self, batches: Callable[[], Iterator[Any]]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return self._batches()


class _Begin:
    """What a worker does first: it offers itself to be killed before the notebook where memory runs out."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def __call__(self, worker: int) -> None:
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(KILL_FIRST)
        if self._own is not None:
            self._own(worker)


def unwrapped(given: object) -> object:
    """Return the DataLoader within a wrapper, or what was given."""
    from torch.utils.data import DataLoader

    if not isinstance(given, DataLoader):
        for name in INNER_LOADERS:
            if isinstance(inner := getattr(given, name, None), DataLoader):
                return inner
    return given


def default_start_method() -> str:
    """Return how Python starts workers here unless told otherwise."""
    return str(multiprocessing.get_start_method())


def noting_context(method: str, processes: list[Any]) -> Any:
    """Return a context of multiprocessing that notes each process it makes: those are the tuner's own."""
    context: Any = multiprocessing.get_context(method)

    class Noting(type(context)):  # type: ignore[misc]
        def Process(self, *arguments: Any, **named: Any) -> Any:  # noqa: N802
            process = context.Process(*arguments, **named)
            processes.append(process)
            return process

    return Noting()


def _source(loader: Any) -> Iterable[Any]:
    found: Iterable[Any] = loader.batch_sampler
    return loader.sampler if found is None else found


def of_kind(wrapped: Any, *, is_stream: bool) -> Any:
    """Return what torch takes for a data set of the same kind; it asks by the class."""
    from torch.utils.data import Dataset, IterableDataset

    base: Any = IterableDataset if is_stream else Dataset

    class Sent(base):  # type: ignore[misc]
        def __iter__(
            self,
        ) -> Iterator[Any]:  # torch's streams can't be made without; it is never asked
            return iter(())

        def __reduce__(self) -> Any:
            return wrapped.__reduce__()

    return Sent()


def _length(value: object) -> int | None:
    if not isinstance(value, Sized):
        return None
    try:
        return len(value)
    except Exception:  # the user's own code, or a stream that has none  # noqa: BLE001
        return None
