"""What the DataLoader tuner loses against trying everything, and what it takes; its peers beside it.

    python tests/perf/tuner_regret.py [--only jpeg,memory] [--quick] [--rounds 1] [--cpus 2] [--json]

Per load, in the same run: the tuner; then an exhaustive grid of workers × prefetch × pinning; then the best of the
grid, the tuner's choice, the user's own setting, the recipe and the peers in turn, there and back, so that all are
measured beside each other. Printed: time lost (a batch of the choice ÷ a batch of the best, less one), the tuner's time
÷ the grid's, and what each peer loses. ``--cpus`` binds the run to so many processors; a container's quota (docker
``--cpus``) is taken as it is. ``--quick`` is to see that it works: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from tuner_loads import LOADS

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.measure.resources import usable_cpus
from jupyter_gpuperf.tuning.bench import Bench
from jupyter_gpuperf.tuning.budget import budget_here
from jupyter_gpuperf.tuning.probe import probe
from jupyter_gpuperf.tuning.setting import Setting, golden
from jupyter_gpuperf.tuning.subject import Subject
from jupyter_gpuperf.tuning.time_limit import Alarm
from jupyter_gpuperf.tuning.tune import tune_loader
from jupyter_gpuperf.tuning.wanted import Wanted

GRID_TARGET = 0.03
FOREVER = 1e6


def grid(cpus: int, quick: bool) -> list[Setting]:
    """Return every setting that is tried."""
    workers = (0, 1, 2, 4) if quick else (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
    most = max(4, 4 * cpus)
    prefetch = (2,) if quick else (1, 2, 4)
    pins = (False, True) if torch.cuda.is_available() else (False,)
    found = {
        Setting.of(num_workers=each, prefetch_factor=factor, pin_memory=pin)
        for each, factor, pin in itertools.product(workers, prefetch, pins)
        if each <= most
    }
    return sorted(found, key=lambda setting: setting.cost)


def peers(subject: Subject, cpus: int) -> dict[str, Setting]:
    """Return what others would set."""
    devices = max(1, torch.cuda.device_count())
    found = {
        "own": subject.present or Setting.of(num_workers=0),
        "recipe": golden(cpus),
        "Lightning's hint": Setting.of(num_workers=max(1, cpus - 1)),
        "2 × cores": Setting.of(num_workers=2 * cpus),
        "4 × GPUs": Setting.of(num_workers=4 * devices),
    }
    if (helped := from_param_helper(subject)) is not None:
        found["dataloader-param-helper"] = helped
    return found


def from_param_helper(subject: Subject) -> Setting | None:
    """Return what dataloader-param-helper finds, where it is installed and gets through this load."""
    if importlib.util.find_spec("dataloader_param_helper") is None:
        return None
    # It keeps its answer in the working directory, and reads an older one there.
    before = os.getcwd()
    try:
        helper: Any = importlib.import_module("dataloader_param_helper")
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            found = helper.find_optimal_params(
                subject.dataset, torch.device("cpu"), subject.batch_size
            )
        return Setting.of(
            num_workers=found["num_workers"],
            prefetch_factor=found.get("prefetch_factor"),
            pin_memory=bool(found.get("pin_memory")),
            persistent_workers=bool(found.get("persistent_workers")),
        )
    except Exception as error:  # another project's code  # noqa: BLE001
        print(f"dataloader-param-helper: {type(error).__name__}: {error}", file=sys.stderr)
        return None
    finally:
        os.chdir(before)


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what one load gives."""
    with tempfile.TemporaryDirectory() as folder, Alarm() as alarm:
        loader = LOADS[name](Path(folder))
        context = Context(progress=lambda ratio, words: None, warn=print)
        began = time.perf_counter()
        # The tuner sets an alarm of its own and puts this one back.
        answer = tune_loader(loader, name, Wanted(budget_seconds=options.budget_seconds), context)
        tuner_seconds = time.perf_counter() - began
        chosen = Setting(**answer.recommended)  # type: ignore[arg-type]

        subject = Subject(loader, name)
        bench = Bench(
            subject,
            probe(subject, 2.0, 60.0),
            budget_here(),
            alarm=alarm,
            left_seconds=lambda: FOREVER,
        )
        seconds = 1.0 if options.quick else 6.0
        began = time.perf_counter()
        tried = {}
        for setting in grid(int(usable_cpus()), options.quick):
            print(f"{name}: {setting.words()}", file=sys.stderr)
            trial = bench.drain(setting, seconds=seconds, target_ratio=GRID_TARGET)
            if trial.batch_seconds is not None:
                tried[setting] = trial.batch_seconds["value"]
        grid_seconds = time.perf_counter() - began

        named = {"tuner": chosen, "best of the grid": min(tried, key=lambda each: tried[each])}
        named |= peers(subject, budget_here().seen_cpus)
        return {
            "load": name,
            "settings": {who: setting.words() for who, setting in named.items()},
            "lost": lost(bench, named, seconds, options.rounds),
            "time_ratio": tuner_seconds / grid_seconds,
            "tuner_seconds": tuner_seconds,
            "grid_seconds": grid_seconds,
            "grid": {setting.words(): value for setting, value in tried.items()},
            "warnings": answer.warnings,
        }


def lost(
    bench: Bench, named: dict[str, Setting], seconds: float, rounds: int
) -> dict[str, float | None]:
    """Return who → time lost against the best of the grid, all measured in turn, there and back."""
    settings = list(dict.fromkeys(named.values()))
    blocks: dict[Setting, list[float]] = {each: [] for each in settings}
    for _ in range(rounds):
        for setting in (*settings, *reversed(settings)):
            blocks[setting] += bench.drain(
                setting, seconds=seconds, target_ratio=GRID_TARGET
            ).blocks
    means = {each: statistics.fmean(found) for each, found in blocks.items() if found}
    best = means[named["best of the grid"]]
    return {
        who: means[setting] / best - 1 if setting in means else None
        for who, setting in named.items()
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(LOADS), help="loads, with commas")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cpus", type=int, default=0)
    parser.add_argument("--budget-seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.cpus:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cpus])
    torch.set_num_threads(1)
    found = []
    for name in options.only.split(","):
        one = measure(name, options)
        found.append(one)
        if options.json:
            continue
        print(
            f"{name}: tuner {one['tuner_seconds']:.0f} s, {one['time_ratio']:.0%} of the grid's time"
        )
        for who, value in one["lost"].items():
            words = "not measured" if value is None else f"{value:+7.1%}"
            print(f"  {who:<26}{words}  {one['settings'][who]}")
    if options.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
