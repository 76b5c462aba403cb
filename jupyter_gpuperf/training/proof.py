"""Proof before change: the loop with data for free, and the loop with other settings, in turn with the loop as it is.

Each block of steps is timed whole, the device waited for at both ends. Between its blocks a loop's workers stand still:
what they would load meanwhile would come too fast, and they would take the processors from the other loop. Afterwards
everything that the steps changed is put back.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.measure.interleaved import Interleaved, time_interleaved
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.training.blocks import Endless, Loop
from jupyter_gpuperf.training.snapshot import Snapshot
from jupyter_gpuperf.training.step_state import Reached, reached_by
from jupyter_gpuperf.training.stillness import Stillness

CACHED_BATCHES: Final = 4
TARGET_RATIO: Final = 0.02
SETTINGS: Final = ("num_workers", "prefetch_factor", "pin_memory", "persistent_workers")
"""What may be changed: none of it changes which batches the model sees."""

FEWEST_ROUNDS: Final = 5
"""An interval of fewer says little; slow steps get shorter blocks for it."""
WARM_UP_RATIO: Final = 0.25
"""Of the time that measuring may take, for each loop's first steps at most."""

Step = Callable[[Any], object]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Two ways of running a loop, held against each other.

    Attributes
    ----------
    before, after
        Seconds a step, each ``{"value", "low", "high"}`` (95 %).
    speedup
        ``before / after``, paired by rounds: above 1 is faster.
    steps_per_block
        Of ``before`` and ``after``.
    restored
        What the steps changed and was put back.
    doubt
        A sentence when the interval stayed wide.
    """

    what: str
    before: Interval
    after: Interval
    speedup: Interval
    samples: dict[str, list[float]]
    steps_per_block: dict[str, int]
    restored: list[str]
    doubt: str | None
    cost_seconds: float
    loader: Any = None


def headspace(
    torch: Any,
    loader: Any,
    step: Step,
    *,
    state: tuple[Any, ...] = (),
    steps: int,
    limit_seconds: float,
) -> Proof:
    """Measure the loop as it is, and on batches that lie on the device already.

    Raises
    ------
    BadRequest
        ``no_state_found``: the step reaches no model, so that nothing could be put back; ``empty_loader``.
    """
    bench = _Bench(torch, step, state, (loader,), steps)
    with bench:
        cached = [_on(bench.device, each) for each in itertools.islice(loader, CACHED_BATCHES)]
        if not cached:
            raise BadRequest("empty_loader", "The loader gives no batch.", "Give one that does.")
        variants = {
            "before": bench.loop(Endless(loader), loader),
            "after": bench.loop(itertools.cycle(cached)),
        }
        return bench.prove("data for free", variants, limit_seconds)


def changed(
    torch: Any,
    loader: Any,
    step: Step,
    settings: Mapping[str, Any],
    *,
    state: tuple[Any, ...] = (),
    steps: int,
    limit_seconds: float,
) -> Proof:
    """Measure the loop as it is, and with other settings of its loader.

    Raises
    ------
    BadRequest
        ``unknown_setting``, ``not_a_plain_loader``, ``no_state_found``.
    """
    other = loader_with(torch, loader, settings)
    bench = _Bench(torch, step, state, (loader, other), steps)
    with bench:
        variants = {
            "before": bench.loop(Endless(loader), loader),
            "after": bench.loop(Endless(other), other),
        }
        words = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        return bench.prove(words, variants, limit_seconds, loader=other)


def loader_with(torch: Any, loader: Any, settings: Mapping[str, Any]) -> Any:
    """Return a DataLoader that differs from ``loader`` in these settings alone."""
    unknown = [name for name in settings if name not in SETTINGS]
    if unknown or not settings:
        raise BadRequest(
            "unknown_setting",
            f"{unknown[0]!r} can't be tried." if unknown else "There is no setting to try.",
            f"Give some of {', '.join(SETTINGS)}.",
        )
    if type(loader) is not torch.utils.data.DataLoader:
        raise BadRequest(
            "not_a_plain_loader",
            f"A {type(loader).__name__} can't be built anew from its settings.",
            "Give a plain torch DataLoader.",
        )
    wanted = {name: getattr(loader, name) for name in SETTINGS} | dict(settings)
    if not wanted["num_workers"]:
        wanted |= {"prefetch_factor": None, "persistent_workers": False}
    if loader.batch_sampler is not None and loader.batch_size is None:
        batching = {"batch_sampler": loader.batch_sampler}
    else:
        batching = {"batch_size": loader.batch_size, "drop_last": loader.drop_last}
        # The sampler of an iterable data set is torch's own.
        if not isinstance(loader.dataset, torch.utils.data.IterableDataset):
            batching["sampler"] = loader.sampler
    with warnings.catch_warnings():
        # Of how many workers torch would suggest: what they give is measured, right after.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        return torch.utils.data.DataLoader(
            loader.dataset,
            collate_fn=loader.collate_fn,
            timeout=loader.timeout if wanted["num_workers"] else 0,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context
            if wanted["num_workers"]
            else None,
            generator=loader.generator,
            **batching,
            **wanted,
        )


class _Bench:
    """Runs blocks of steps; on leaving, all that they changed is as before."""

    def __init__(
        self,
        torch: Any,
        step: Step,
        state: tuple[Any, ...],
        loaders: tuple[Any, ...],
        steps: int,
    ) -> None:
        reached = reached_by(torch, step, state)
        if not reached.modules:
            raise BadRequest(
                "no_state_found",
                "The step reaches no model, so what it changes could not be put back.",
                "Name what it changes: state=[model, optimizer].",
            )
        self.device = _device_of(reached)
        self._torch, self._step, self._steps = torch, step, steps
        self._reached, self._loaders = reached, loaders
        self._loops: list[Loop] = []
        self._stillness = Stillness()
        self._began = time.perf_counter()

    def __enter__(self) -> None:
        self._snapshot = Snapshot(self._torch, self._reached, self._loaders)

    def __exit__(self, *_: object) -> None:
        for each in self._loops:
            each.close()
        self._stillness.close()
        self._wait()
        self._snapshot.restore()

    def loop(self, batches: Iterator[Any], loader: Any = None) -> Loop:
        """Return a loop over batches, of this loader where it is one's."""
        loop = Loop(
            batches,
            self._step,
            wait=self._wait,
            stillness=self._stillness,
            workers=getattr(loader, "num_workers", 0) or 0,
            prefetched=_prefetched(loader),
        )
        self._loops.append(loop)
        return loop

    def prove(
        self, what: str, loops: dict[str, Loop], limit_seconds: float, *, loader: Any = None
    ) -> Proof:
        """Measure both in turn, and back."""
        block_seconds = limit_seconds / FEWEST_ROUNDS / len(loops)
        for each in loops.values():
            each.warm_up(WARM_UP_RATIO * limit_seconds)
        for each in loops.values():
            each.fit(block_seconds, self._steps)
        found: Interleaved = time_interleaved(
            {name: each.block for name, each in loops.items()},
            target_ratio=TARGET_RATIO,
            limit_seconds=limit_seconds,
            fewest_rounds=FEWEST_ROUNDS,
        )
        return Proof(
            what=what,
            before=found.median("before"),
            after=found.median("after"),
            speedup=found.speedup("after", "before"),
            samples=found.samples,
            steps_per_block={name: each.steps for name, each in loops.items()},
            restored=self._reached.names(),
            doubt=found.doubt,
            cost_seconds=time.perf_counter() - self._began,
            loader=loader,
        )

    def _wait(self) -> None:
        if self.device is not None and self.device.type == "cuda":
            self._torch.cuda.synchronize(self.device)


def _prefetched(loader: Any) -> int:
    workers = getattr(loader, "num_workers", 0) or 0
    return 1 + workers * (getattr(loader, "prefetch_factor", None) or 0) if workers else 0


def _device_of(reached: Reached) -> Any:
    for module in reached.modules:
        for parameter in module.parameters():
            return parameter.device
    return None


def _on(device: Any, batch: Any) -> Any:
    """Return a batch with its tensors on the device."""
    if hasattr(batch, "to"):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return type(batch)({name: _on(device, each) for name, each in batch.items()})  # type: ignore[call-arg]
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_on(device, each) for each in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(_on(device, each) for each in batch)
    return batch
