"""The subject of a tuning: a user's loader or dataset, and new loaders over the same data in any setting.

Standard library only at module level.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.loaders.cloudpickling import cloudpickled
from jupyter_gpuperf.loaders.comparison import length_of
from jupyter_gpuperf.loaders.endless import batch_size_of, endless_arguments, loader_and_data
from jupyter_gpuperf.loaders.printed_code import code_of, code_of_data
from jupyter_gpuperf.loaders.setting import SETTINGS, Setting, accepted_arguments

SHARD_COUNT_ATTRIBUTES: Final = ("num_shards", "n_shards")
"""Attributes in which Hugging Face streams report into how many shards they can be split."""
KILL_FIRST: Final = "1000"
"""The maximum of ``oom_score_adj``: Linux kills such a process first when memory runs out."""
DATA_ALONE_BATCH_SIZE: Final = 64


class TuningSubject:
    """A user's loader or dataset, of which new loaders are made. Its own iterator and sampler never advance.

    Parameters
    ----------
    given
        A DataLoader, an object that wraps one, or a dataset.
    name
        Its name in the notebook.
    batch_size
        Batch size that replaces the loader's own.
    names
        The notebook's variables by name. Without them, ``name`` is taken as the name of ``given``.

    Raises
    ------
    BadRequest
        ``not_a_loader``, ``batch_size_is_fixed`` or ``sampler_not_copied``.
    """

    def __init__(
        self,
        given: object,
        name: str,
        batch_size: int | None = None,
        names: Mapping[str, Any] | None = None,
    ) -> None:
        from torch.utils.data import IterableDataset

        self._given, self.name, self._names = given, name, names
        self.own, self.dataset = loader_and_data(given)
        self._own_batch_size = (
            DATA_ALONE_BATCH_SIZE if self.own is None else batch_size_of(self.own)
        )
        self.batch_size = self._own_batch_size if batch_size is None else batch_size
        """Items per batch; 0 when unknown."""
        self._arguments = endless_arguments(self.own, self.dataset, self.batch_size)
        self.is_stream = isinstance(self.dataset, IterableDataset)
        self.batches_drawn = 0
        self.index_batches = self._counted()
        """Batches of indices that all trials share: each trial continues where the previous one stopped.

        Therefore, within an epoch, no trial reads data that an earlier trial brought into the page cache.
        """

    @property
    def is_batched(self) -> bool:
        """Whether torch makes the batches from single items; otherwise the dataset does."""
        return self.own is None or self.own.batch_sampler is not None

    @property
    def item_count(self) -> int | None:
        """Items in the dataset; ``None`` when it has no length."""
        return length_of(self.dataset)

    @property
    def batches_per_epoch(self) -> int | None:
        """Batches per epoch; for the loader's own batch size, its length. ``None`` when unknown."""
        if self.own is not None and self.batch_size == self._own_batch_size:
            return length_of(self.own)
        items = self.item_count
        return items // self.batch_size if items and self.batch_size else None

    @property
    def current_setting(self) -> Setting | None:
        """The current setting of the user's loader; ``None`` for a dataset without a loader."""
        if self.own is None:
            return None
        context = self.own.multiprocessing_context
        return Setting.of(
            **{name: getattr(self.own, name) for name in SETTINGS},
            start_method=None if context is None else context.get_start_method(),
            in_order=getattr(self.own, "in_order", True),
        )

    @property
    def most_workers(self) -> int | None:
        """Maximum number of workers that Hugging Face's streams have work for; ``None`` for other datasets."""
        # Elsewhere, the same names may count the shards of other processes.
        if not self.is_stream or not type(self.dataset).__module__.startswith("datasets."):
            return None
        counts = (getattr(self.dataset, name, None) for name in SHARD_COUNT_ATTRIBUTES)
        return next((each for each in counts if isinstance(each, int) and each > 0), None)

    def code(self, setting: Setting) -> str:
        """Return code that creates the user's loader with this setting, or comments that say why there is none."""
        if self.own is None:
            return code_of_data(self.dataset, self.name, self.batch_size, setting, self._names)
        size = None if self.batch_size == self._own_batch_size else self.batch_size
        return code_of(self._given, self.own, self.name, setting, self._names, batch_size=size)

    def make_loader(self, setting: Setting, timeout_seconds: float) -> tuple[Any, list[Any]]:
        """Return a new loader with this setting, and a list that will contain its workers once they have started.

        The loader is endless if the data has a length.

        Raises
        ------
        GpuPerfError
            The data can't be sent to workers that are not forked; see :func:`cloudpickled`.
        """
        from torch.utils.data import DataLoader

        options, processes = {**self._arguments, **setting.arguments()}, list[Any]()
        for name in {"batch_sampler", "sampler"} & options.keys():
            options[name] = self.index_batches
        if setting.num_workers:
            own_init = options.get("worker_init_fn")
            method = setting.start_method or default_start_method()
            if method != "fork":
                data = cloudpickled(self.dataset, "dataset")
                options["dataset"] = as_dataset_kind(data, is_stream=self.is_stream)
                options["collate_fn"] = cloudpickled(self.collate_function(), "collate_fn")
                own_init = cloudpickled(own_init, "worker_init_fn")
            options |= {
                "multiprocessing_context": recording_context(method, processes),
                "worker_init_fn": WorkerInit(_kill_me_first, own_init),
                "timeout": max(timeout_seconds, float(options.get("timeout") or 0.0)),
            }
        return DataLoader(**accepted_arguments(options)), processes

    def _counted(self) -> Iterator[Any]:
        arguments = self._arguments
        for indices in arguments["batch_sampler" if "batch_sampler" in arguments else "sampler"]:
            self.batches_drawn += 1
            yield indices

    def worker_init_function(self) -> Callable[[int], object] | None:
        """Return the user's ``worker_init_fn``; ``None`` if there is none."""
        return self._arguments.get("worker_init_fn")

    def collate_function(self) -> Callable[[Any], Any]:
        """Return the function that collates items into a batch."""
        from torch.utils.data import default_collate

        collate: Callable[[Any], Any] = self._arguments.get("collate_fn", default_collate)
        return collate


@dataclass
class WorkerInit:
    """A ``worker_init_fn`` that calls ``first``, then the user's own function."""

    first: Callable[[], object]
    own: Callable[[int], object] | None

    def __call__(self, worker: int) -> None:
        """Call both functions in a worker."""
        self.first()
        if self.own is not None:
            self.own(worker)


def _kill_me_first() -> None:
    """Make the system kill this worker before the notebook when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(KILL_FIRST)


def default_start_method() -> str:
    """Return this process's default start method for other processes."""
    return str(multiprocessing.get_start_method())


def recording_context(method: str, processes: list[Any]) -> Any:
    """Return a multiprocessing context that adds each process it creates to ``processes``."""
    context: Any = multiprocessing.get_context(method)

    class Noting(type(context)):  # type: ignore[misc]
        def Process(self, *arguments: Any, **named: Any) -> Any:  # noqa: N802
            process = context.Process(*arguments, **named)
            processes.append(process)
            return process

    return Noting()


def as_dataset_kind(wrapped: Any, *, is_stream: bool) -> Any:
    """Return ``wrapped`` as an instance of torch's Dataset or IterableDataset class, because torch checks the class."""
    from torch.utils.data import Dataset, IterableDataset

    base: Any = IterableDataset if is_stream else Dataset

    class Sent(base):  # type: ignore[misc]
        # torch can't create streams without this method; it is never called.
        def __iter__(self) -> Iterator[Any]:
            return iter(())

        def __reduce__(self) -> Any:
            return wrapped.__reduce__()

    return Sent()
