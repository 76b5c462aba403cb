"""Batches that are ready stand in for a cell's loader: what loading costs then changes no other measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jupyter_gpuperf.loaders.batches import map_tensors, with_new_containers
from jupyter_gpuperf.loaders.comparison import length_of

MOST_KEPT: Final = 8
MOST_BYTES: Final = 2 * 1024**3


class KeepingLoader:
    """Draws from a loader and keeps its first batches; all attributes are the loader's.

    Attributes
    ----------
    kept
        Its first batches: up to eight, and up to 2 GiB.
    count
        The number of batches drawn so far.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.kept: list[Any] = []
        self.count = 0
        self._bytes = 0

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            self.count += 1
            if len(self.kept) < MOST_KEPT and self._bytes < MOST_BYTES:
                self.kept.append(batch)
                self._bytes += sum(each.nbytes for each in tensors_of(batch))
                yield with_new_containers(batch)
            else:
                yield batch

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class ReadyBatches:
    """Yields kept batches again and again, as many as the loader has; all attributes are the loader's."""

    def __init__(self, loader: Any, batches: Sequence[Any], drawn: int) -> None:
        self._loader, self._batches = loader, batches
        self._count = length_of(loader) or drawn

    def __iter__(self) -> Iterator[Any]:
        for index in range(self._count):
            yield with_new_containers(self._batches[index % len(self._batches)])

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class ReadyLoaders:
    """Stand-ins for the loaders from which one run of a cell drew.

    Parameters
    ----------
    kept
        Name in the notebook → what kept the batches of that run.
    steps
        Number of steps of that run.
    pinned
        Whether to copy the batches to page-locked memory, from which a GPU reads fastest.

    Attributes
    ----------
    batches_per_step
        Name → how many batches a step draws.
    stand_ins
        Name → what takes the loader's place.
    """

    def __init__(self, kept: Mapping[str, KeepingLoader], steps: int, *, pinned: bool) -> None:
        drawn = {name: each for name, each in kept.items() if each.kept}
        self.batches_per_step = {name: each.count / steps for name, each in drawn.items()}
        batches = {
            name: [_pinned(batch) if pinned else batch for batch in each.kept]
            for name, each in drawn.items()
        }
        self.stand_ins = {
            name: ReadyBatches(each._loader, batches[name], each.count)
            for name, each in drawn.items()
        }
        self._tensors = [
            x for each in batches.values() for batch in each for x in tensors_of(batch)
        ]
        self._versions = [each._version for each in self._tensors]

    def were_changed(self) -> bool:
        """Return whether a run changed the batches in place, so that the next one would get others."""
        return self._versions != [each._version for each in self._tensors]


def tensors_of(batch: Any) -> list[Any]:
    """Return the tensors of a batch, whatever contains them."""
    found: list[Any] = []

    def note(each: Any) -> Any:
        if hasattr(each, "data_ptr"):
            found.append(each)
        elif isinstance(each, Mapping):  # those of transformers
            found.extend(x for x in each.values() if hasattr(x, "data_ptr"))
        elif hasattr(each, "to_dict"):  # those of torch-geometric
            found.extend(x for x in each.to_dict().values() if hasattr(x, "data_ptr"))
        return each

    map_tensors(note, batch)
    return found


def _pinned(batch: Any) -> Any:
    return map_tensors(
        lambda each: each.pin_memory() if hasattr(each, "pin_memory") else each, batch
    )
