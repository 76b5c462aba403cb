"""Compare the DataLoader tuner with an exhaustive grid and with common recommendations: time lost, time taken.

    python tests/perf/tuner_regret.py [--only jpeg,memory] [--quick] [--cpus 2] [--json FILE]

For each load, one run measures the tuner; then an exhaustive grid of workers × prefetch × pinning, six seconds per
setting; then, in alternation (forward and reverse order), the best setting of the grid, the tuner's choice, the user's
own setting, the common recipe and the peers' settings, six seconds each.

It prints a Markdown table: the time lost (batch time of the choice ÷ batch time of the grid's best, minus one, with its
95 % interval), the tuner's time ÷ the grid's, and the loss of each peer. On two CPUs without a GPU, the grid has 25
settings and takes about four minutes per load, so 25 minutes in all. dataloader-param-helper, if installed, adds up to
one minute per load. Each row shows the CPU share of other processes; above a few percent, the row is not reliable.

``--cpus`` restricts the run to this number of CPUs; a container's quota (docker ``--cpus``) is respected. ``--quick``
only checks that the script works; its figures are meaningless.
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
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch
from param_helper import from_param_helper
from tuner_loads import LOADS, WAITING

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.loaders.setting import Setting, common_recipe
from jupyter_gpuperf.loaders.subject import TuningSubject
from jupyter_gpuperf.measure.resources import usable_cpus
from jupyter_gpuperf.measure.statistics import welch_ratio
from jupyter_gpuperf.tuning.budget import current_budget
from jupyter_gpuperf.tuning.probe import probe
from jupyter_gpuperf.tuning.request import TuneRequest
from jupyter_gpuperf.tuning.time_limit import Countdown
from jupyter_gpuperf.tuning.trial_runner import TrialRunner
from jupyter_gpuperf.tuning.tune import tune_loader

FOREVER = 1e6
ALL_OF_IT = 0.0
"""Measure each setting for its full time instead of stopping early: the best of many could be a lucky one."""
TUNER, BEST = "tuner", "best of the grid"
PEERS = ("own", "recipe", "Lightning's hint", "2 × cores", "4 × GPUs", "dataloader-param-helper")


class Times(NamedTuple):
    """Seconds per setting in the grid, and per turn in the final comparison."""

    grid: float
    turn: float


def grid(name: str, cpus: int, *, quick: bool) -> list[Setting]:
    """Return the settings of the exhaustive grid, cheapest first."""
    if name in WAITING:
        workers, prefetch, most = (0, 1, 2, 4, 8, 16, 32, 48, 64), (1, 2, 4), 64
    else:
        workers = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
        prefetch, most = (1, 2, 4, 8), max(4, 4 * cpus)
    if quick:
        workers, prefetch = (0, 1, 2, 4), (2,)
    pins = (False, True) if torch.cuda.is_available() else (False,)
    found = {
        Setting.of(num_workers=each, prefetch_factor=factor, pin_memory=pin)
        for each, factor, pin in itertools.product(workers, prefetch, pins)
        if each <= most
    }
    return sorted(found, key=lambda setting: setting.cost)


def peers(subject: TuningSubject, cpus: int, helped: Setting | None) -> dict[str, Setting]:
    """Return the settings that others recommend, by name."""
    devices = max(1, torch.cuda.device_count())
    found = (
        subject.current_setting or Setting.of(num_workers=0),
        common_recipe(cpus),
        Setting.of(num_workers=max(1, cpus - 1)),
        Setting.of(num_workers=2 * cpus),
        Setting.of(num_workers=4 * devices),
        helped,
    )
    return {who: each for who, each in zip(PEERS, found, strict=True) if each is not None}


def measure(name: str, times: Times, budget_seconds: float, *, quick: bool) -> dict[str, Any]:
    """Measure one load, and return its results."""
    context = Context(progress=lambda ratio, words: None, warn=lambda words: None)
    clock = Countdown(FOREVER, context)
    with tempfile.TemporaryDirectory() as folder, clock.alarm as alarm:
        loader = LOADS[name](Path(folder))
        others = Others()
        began = time.perf_counter()
        # The tuner sets its own alarm and restores this one.
        answer = tune_loader(loader, name, TuneRequest(budget_seconds=budget_seconds), context)
        tuner_seconds = time.perf_counter() - began
        chosen = Setting(**answer["recommended"])  # type: ignore[arg-type]

        subject = TuningSubject(loader, name)
        budget = current_budget()
        looked = probe(subject, 2.0, 60.0)
        bench = TrialRunner(subject, looked, budget, clock)
        began = time.perf_counter()
        tried, failed = {}, {}
        for setting in grid(name, int(usable_cpus()), quick=quick):
            print(f"{name}: {setting.describe()}", file=sys.stderr)
            trial = bench.measure_loading(setting, seconds=times.grid, target_ratio=ALL_OF_IT)
            if trial.blocks:
                tried[setting] = statistics.fmean(trial.blocks)
            else:
                failed[setting.describe()] = trial.error
        grid_seconds = time.perf_counter() - began

        named = {TUNER: chosen, BEST: min(tried, key=lambda each: tried[each])}
        helped, why_not = from_param_helper(subject, alarm)
        named |= peers(subject, budget.seen_cpus, helped)
        return {
            "load": name,
            "settings": {who: setting.describe() for who, setting in named.items()},
            "lost": lost(bench, named, times.turn),
            "tuner_seconds": tuner_seconds,
            "tuner_trials": len(answer["trials"]),
            "grid_seconds": grid_seconds,
            "grid_settings": len(tried),
            "time_ratio": tuner_seconds / grid_seconds,
            "others_ratio": others.ratio(),
            "grid_batch_seconds": {setting.describe(): value for setting, value in tried.items()},
            "grid_failed": failed,
            "param_helper_failed": why_not,
            "warnings": answer["warnings"],
        }


def lost(bench: TrialRunner, named: dict[str, Setting], seconds: float) -> dict[str, Any]:
    """Return the time lost compared with the grid's best, by name; all are measured in forward and reverse order."""
    settings = list(dict.fromkeys(named.values()))
    blocks: dict[Setting, list[float]] = {each: [] for each in settings}
    for setting in (*settings, *reversed(settings)):
        made = bench.measure_loading(setting, seconds=seconds, target_ratio=ALL_OF_IT)
        blocks[setting] += made.blocks
    best = named[BEST]
    found: dict[str, Any] = {}
    for who, setting in named.items():
        if setting == best:
            found[who] = {"value": 0.0, "low": 0.0, "high": 0.0}
        elif len(blocks[setting]) < 2:
            found[who] = None
        else:
            ratio = welch_ratio(blocks[best], blocks[setting])
            found[who] = {key: value - 1 for key, value in ratio.items()}
    return found


class Others:
    """The CPU share of other processes from now on."""

    def __init__(self) -> None:
        self._spent, self._began = self._now(), time.perf_counter()

    def ratio(self) -> float:
        """Return the share (0 to 1) since this object was created."""
        wall = time.perf_counter() - self._began
        return max(0.0, (self._now() - self._spent) / wall / (psutil.cpu_count() or 1))

    @staticmethod
    def _now() -> float:
        machine = psutil.cpu_times()
        own = os.times()  # includes only children that have ended
        busy = float(machine.user + machine.system)
        return busy - own.user - own.system - own.children_user - own.children_system


def row(one: dict[str, Any]) -> str:
    """Return a load's results as a row of the table."""
    if "failed" in one:
        return f"| {one['load']} | failed: {one['failed']} |" + " |" * (6 + len(PEERS))
    cells = [
        one["load"],
        one["settings"][TUNER],
        percents(one["lost"][TUNER]),
        f"{one['tuner_seconds']:.0f} s",
        f"{one['time_ratio']:.0%} of {one['grid_settings']} settings'",
        one["settings"][BEST],
        *(percents(one["lost"].get(who)) for who in PEERS),
        f"{one['others_ratio']:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def percents(found: dict[str, float] | None) -> str:
    """Return a loss with its interval in percent."""
    if found is None:
        return "–"
    if not any(found.values()):
        return "the best"
    low, high = (f"{100 * found[each]:+.0f}" for each in ("low", "high"))
    return f"{100 * found['value']:+.1f} % ({low} … {high})"


def main() -> None:
    """Measure each load, even if others fail, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(LOADS), help="loads, separated by commas")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--cpus", type=int, default=0)
    parser.add_argument("--budget-seconds", type=float, default=60.0)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="results as JSON, rewritten after each load"
    )
    options = parser.parse_args()
    if options.cpus:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cpus])
    torch.set_num_threads(1)
    # Ignore torch's worker-count warning; the number of workers is what we measure.
    warnings.filterwarnings("ignore", module=r"torch\.utils\.data")
    times = Times(1.0, 1.0) if options.quick else Times(6.0, 3.0)
    found: list[dict[str, Any]] = []
    for name in options.only.split(","):
        try:
            found.append(measure(name, times, options.budget_seconds, quick=options.quick))
        except Exception as error:  # measure the other loads anyway  # noqa: BLE001
            found.append({"load": name, "failed": f"{type(error).__name__}: {error}"})
        print(row(found[-1]), file=sys.stderr)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1))
    head = ["load", "the tuner's choice", "loses", "takes", "of the grid's time", "grid's best"]
    columns = [*head, *PEERS, "others used"]
    print(f"{usable_cpus():g} CPUs, {torch.cuda.device_count()} GPUs, torch {torch.__version__}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|{' --- |' * len(columns)}")
    print("\n".join(row(each) for each in found))
    for each in found:
        if why_not := each.get("param_helper_failed"):
            print(f"\n{PEERS[-1]}, {each['load']}: {why_not}")
    if any("failed" in each for each in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
