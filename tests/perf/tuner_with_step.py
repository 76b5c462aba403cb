"""What the tuner prints with a training step, next to the plain loop's own speed.

    python tests/perf/tuner_with_step.py [--only "HDF5,stream"] [--cpus 16] [--json FILE]

For each load: the tuner with ``step=``; then the plain loop (``for batch in loader: step(batch)``, synchronized only
at the ends of blocks) with each setting of a grid; then the loop with the present setting, the recommended one and the
grid's best in turn, forwards and backwards, three times.

Printed as a Markdown table: the gain that the tuner printed and the loop's own gain; what the recommended setting
loses against the grid's best; workers; the tuner's time. Needs a GPU; on a CPU it only shows that it runs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from step_loads import LOADS
from torch.utils.data import DataLoader

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.loaders.rebuilding import loader_with
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.request import TuneRequest
from jupyter_gpuperf.tuning.tune import tune_loader

WARM_UP_RATIO = 0.4
LIKE_RATIO = 1.02
"""Settings of the grid that are at most this much slower than its best are taken for alike, to be measured in turn."""
NAMES = ("num_workers", "prefetch_factor", "pin_memory", "persistent_workers")


def loop_seconds(
    loader: DataLoader[Any], step: Callable[[Any], object], seconds: float
) -> list[float]:
    """Return the seconds per step of the plain loop, one value per block."""
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    step(next(batches))
    synchronize()
    end = time.perf_counter() + WARM_UP_RATIO * seconds
    count = 0
    while time.perf_counter() < end or count <= loader.num_workers * (loader.prefetch_factor or 0):
        step(next(batches))
        count += 1
    synchronize()
    blocks = []
    end = time.perf_counter() + seconds
    size = max(8, count // 3)
    while len(blocks) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(size):
            step(next(batches))
        synchronize()
        blocks.append((time.perf_counter() - began) / size)
    return blocks


def synchronize() -> None:
    """Wait for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def changed(loader: DataLoader[Any], setting: Setting) -> DataLoader[Any]:
    """Return the loader with another setting."""
    wanted = {name: getattr(setting, name) for name in NAMES}
    if not setting.num_workers:
        wanted = {"num_workers": 0, "pin_memory": setting.pin_memory}
    return loader_with(loader, wanted)


def grid(cpus: int) -> list[Setting]:
    """Return the settings to try."""
    workers = [each for each in (0, 1, 2, 3, 4, 8, 16, 24, 32) if each <= 2 * cpus]
    return [Setting.of(num_workers=each, pin_memory=torch.cuda.is_available()) for each in workers]


def in_turn(
    loader: DataLoader[Any], step: Any, settings: dict[str, Setting], seconds: float
) -> dict[str, list[float]]:
    """Return who → the loop's seconds per step, all measured in turn, forwards and backwards."""
    found: dict[Setting, list[float]] = {each: [] for each in settings.values()}
    order = list(found)
    for turn in range(3):
        for setting in order if turn % 2 == 0 else reversed(order):
            found[setting].append(
                statistics.median(loop_seconds(changed(loader, setting), step, seconds))
            )
    return {who: found[setting] for who, setting in settings.items()}


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one load."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    context = Context(progress=lambda ratio, words: None, warn=lambda words: None)
    with tempfile.TemporaryDirectory() as folder:
        loader, step = LOADS[name](Path(folder), device)
        began = time.perf_counter()
        request = TuneRequest(budget_seconds=options.budget_seconds, step=step)
        ends: list[tuple[str, float]] = []
        on_trial = lambda trial: ends.append(
            (trial.setting.describe(), time.perf_counter() - began)
        )
        answer = tune_loader(loader, "loader", request, context, on_trial)
        tuner_seconds = time.perf_counter() - began
        tried = {}
        for setting in grid(options.cpus):
            tried[setting] = statistics.median(
                loop_seconds(changed(loader, setting), step, options.seconds)
            )
        present = Setting.of(num_workers=loader.num_workers, pin_memory=loader.pin_memory)
        best = min(tried, key=lambda each: tried[each])
        alike = [each for each in tried if tried[each] <= LIKE_RATIO * tried[best]]
        names = {
            "present": present,
            "recommended": Setting(**answer["recommended"]),
            "best": best,
            "fewest": min(alike, key=lambda each: each.num_workers),
        }
        turns = in_turn(loader, step, names, options.seconds)
    return {
        "load": name,
        "settings": {who: each.describe() for who, each in names.items()},
        "turns": turns,
        "gain": statistics.median(turns["present"]) / statistics.median(turns["recommended"]),
        "lost": statistics.median(turns["recommended"]) / statistics.median(turns["best"]) - 1,
        "printed": answer["gains"].get("present"),
        "summary": answer["summary"],
        "tuner_seconds": tuner_seconds,
        "ends": ends,
        "grid": {each.describe(): value for each, value in tried.items()},
        "trials": answer["trials"],
    }


def row(one: dict[str, Any]) -> str:
    """Return a load as a line of the table."""
    if "failed" in one:
        return f"| {one['load']} | failed: {one['failed']} |"
    settings = one["settings"]
    cells = [
        one["load"],
        settings["present"],
        settings["recommended"],
        settings["best"],
        settings["fewest"],
        f"{1000 * statistics.median(one['turns']['present']):.3g} ms",
        f"{one['gain']:.3f}×",
        "–" if one["printed"] is None else f"{one['printed']['value']:.3f}×",
        f"{one['lost']:+.1%}",
        f"{one['tuner_seconds']:.0f} s",
        " ".join(one["summary"]),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure each load, whatever happens to the others, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=";".join(LOADS), help="loads, with semicolons")
    parser.add_argument("--cpus", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=2.0, help="of the loop, per setting")
    parser.add_argument("--budget-seconds", type=float, default=45.0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="rewritten after each load")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cpus])
    warnings.filterwarnings("ignore", module=r"torch\.utils\.data")
    print(
        "| load | present | recommended | grid's best | fewest alike | step | loop's gain | printed gain | loses | took | printed |"
    )
    print("|" + " --- |" * 11)
    found: list[dict[str, Any]] = []
    for name in options.only.split(";"):
        try:
            found.append(measure(name, options))
        except Exception as error:  # the others are still measured  # noqa: BLE001
            found.append({"load": name, "failed": f"{type(error).__name__}: {error}"})
        print(row(found[-1]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1, default=str))


if __name__ == "__main__":
    sys.exit(main())
