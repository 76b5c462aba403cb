"""The settings of a DataLoader that the tuner varies. Standard library only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.messages import Message

SETTINGS: Final = ("num_workers", "prefetch_factor", "pin_memory", "persistent_workers")
"""Settings that may be changed: none of them changes which batches the model sees."""
WORKER_ARGUMENTS: Final = (
    "prefetch_factor",
    "persistent_workers",
    "timeout",
    "multiprocessing_context",
)
"""Arguments that torch refuses without workers."""
RECIPE_PREFETCH: Final = 3
MOST_RECIPE_WORKERS: Final = 32
"""Limit for the common recipe (two workers per core), which is not meant for machines with a hundred cores."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A loader's settings. Without workers, settings that need workers have torch's defaults.

    Attributes
    ----------
    start_method
        ``fork``, ``forkserver`` or ``spawn``; ``None`` for Python's default.
    """

    num_workers: int
    prefetch_factor: int | None = 2
    pin_memory: bool = False
    persistent_workers: bool = False
    start_method: str | None = None
    in_order: bool = True

    @classmethod
    def of(cls, **values: Any) -> Setting:
        """Return a setting with these values, adjusted so that torch accepts it."""
        return cls(num_workers=0).with_changes(**values)

    def with_changes(self, **changes: Any) -> Setting:
        """Return a copy with changes, adjusted so that torch accepts it."""
        changed = dataclasses.replace(self, **changes)
        if changed.num_workers:
            return dataclasses.replace(changed, prefetch_factor=changed.prefetch_factor or 2)
        return Setting(num_workers=0, prefetch_factor=None, pin_memory=changed.pin_memory)

    @property
    def cost(self) -> tuple[object, ...]:
        """Sort key for the resources that a setting takes: processes first, then memory, then order."""
        return (
            self.num_workers,
            self.pin_memory,
            self.prefetch_factor or 0,
            self.persistent_workers,
            not self.in_order,
            self.start_method or "",
        )

    @property
    def in_flight_batches(self) -> int:
        """Maximum number of batches that the workers may have ready or in progress."""
        return self.num_workers * (self.prefetch_factor or 0)

    def to_dict(self) -> dict[str, bool | int | str | None]:
        """Return the settings under their DataLoader names, and ``start_method``."""
        return dataclasses.asdict(self)

    def arguments(self) -> dict[str, Any]:
        """Return the settings as DataLoader arguments; the value ``None`` leaves an argument to torch."""
        return {
            **{name: getattr(self, name) for name in SETTINGS},
            "multiprocessing_context": self.start_method,
            "in_order": None if self.in_order else False,
        }

    def code(self) -> list[str]:
        """Return the code of each argument that is not left to torch."""
        return [f"{name}={value!r}" for name, value in accepted_arguments(self.arguments()).items()]

    def describe(self) -> str:
        """Return the setting as text, such as ``4 workers, prefetch 3, pinned``."""
        count, prefetch = self.num_workers, self.prefetch_factor
        workers = Message("no workers")
        if count:
            workers = Message.counted("{count} worker", "{count} workers", count=count)
        parts = {
            workers: True,
            Message("prefetch {count}", count=prefetch): count and prefetch != 2,
            Message("pinned"): self.pin_memory,
            Message("persistent"): self.persistent_workers,
            Message("in any order"): not self.in_order,
            self.start_method: self.start_method,
        }
        return Message("{parts}", parts=[text for text, applies in parts.items() if applies])


def common_recipe(cpus: int, *, start_method: str | None = None) -> Setting:
    """Return the common recipe: twice as many workers as cores, pinned, persistent, prefetch 3."""
    return Setting(
        num_workers=min(MOST_RECIPE_WORKERS, 2 * cpus),
        prefetch_factor=RECIPE_PREFETCH,
        pin_memory=True,
        persistent_workers=True,
        start_method=start_method,
    )


def accepted_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments without those left to torch and those that torch refuses without workers."""
    workers = arguments.get("num_workers")
    return {
        name: each
        for name, each in arguments.items()
        if (each is not None or name == "batch_size") and (workers or name not in WORKER_ARGUMENTS)
    }
