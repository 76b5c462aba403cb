"""A loader whose time per batch is known, in place of a real one, and a machine that is known: trials take no time."""

from __future__ import annotations

import math
import random

from jupyter_gpuperf.loaders.setting import Setting, common_recipe
from jupyter_gpuperf.tuning.budget import Budget
from jupyter_gpuperf.tuning.feasibility import infeasible_reason
from jupyter_gpuperf.tuning.probe import Probe
from jupyter_gpuperf.tuning.search import search
from jupyter_gpuperf.tuning.space import Space
from jupyter_gpuperf.tuning.trial import Trial, interval_of

GIB = 2**30
BUDGET = Budget(
    cpus=4.0,
    seen_cpus=4,
    quota_cpus=None,
    local_ranks=1,
    memory_bytes=16 * GIB,
    memory_limit_bytes=None,
    shared_memory_bytes=8 * GIB,
    shared_memory_total_bytes=8 * GIB,
    open_files=1024,
    locked_memory_bytes=None,
)
PROBE = Probe(
    items=10,
    item_seconds=0.01,
    item_cpu_seconds=0.01,
    blocked_ratio=0.0,
    variation=1.0,
    collate_seconds=0.0,
    batch_bytes=2**20,
    uses_cuda=False,
    read_bytes=0,
    storage_bytes=0,
    cv_threads=0,
    pickled_bytes=None,
    batch_size=8,
)


class SimulatedBench:
    """Answers as a loader would whose batches take ``seconds_of(setting)``.

    With a step, workers load beside it; without workers, the host loads before it, or while the GPU works (``ahead``).
    Handing a batch over from a worker adds ``handing_seconds`` to each step, copying one that is not pinned
    ``pageable_seconds``. Each trial uses up its time of the budget: what
    it is given, and with ``dear`` what a real one would take, which ends when the budget does. ``fails`` gives the error of
    a setting, or nothing. Blocks scatter by ``noise_ratio`` to either side.
    """

    def __init__(
        self,
        seconds_of,
        *,
        startup=lambda setting: 0.0,
        fails=lambda setting: None,
        noise_ratio=0.01,
        seed=7,
        dear=False,
        budget_seconds=60.0,
        step_seconds=None,
        ahead=False,
        handing_seconds=0.0,
        pageable_seconds=0.0,
    ):
        self.dear, self.budget_seconds = dear, budget_seconds
        self.seconds_of, self.startup, self.fails = seconds_of, startup, fails
        self.ahead, self.handing_seconds = ahead, handing_seconds
        self.pageable_seconds = pageable_seconds
        self.used_seconds = 0.0
        self.drained, self.rounds = [], []
        self.noise_ratio, self.noise = noise_ratio, random.Random(seed)
        self.step_seconds, self.ready_seconds = step_seconds, None
        if step_seconds is not None:
            self.ready_seconds = interval_of(self.blocks(step_seconds))

    def left(self):
        return self.budget_seconds - self.used_seconds

    def has_time(self, *costs):
        """Use up the longest of these, or what is left."""
        taken = max(costs)
        fits = taken <= self.left()
        self.used_seconds += min(taken, max(0.0, self.left()))
        return fits

    def loop_seconds(self, setting):
        """The seconds that a step takes with its wait, start to start."""
        load, step = self.seconds_of(setting), self.step_seconds
        if step is None:
            return load
        step += 0.0 if setting.pin_memory else self.pageable_seconds
        if setting.num_workers:
            return max(load, step + self.handing_seconds)
        return max(load, step) if self.ahead else load + step

    def blocks(self, mean):
        scatter = lambda: 1 + self.noise.uniform(-self.noise_ratio, self.noise_ratio)
        return [mean * scatter() for _ in range(10)]

    def measure(self, setting, *, seconds, target_ratio, best=None):
        mean = self.loop_seconds(setting)
        batches = 1 + setting.in_flight_batches + 3 * max(1, setting.num_workers)
        self.drained.append(setting)
        if not self.has_time(seconds, self.dear * (self.startup(setting) + batches * mean)):
            return Trial(setting=setting, error="the time was up", out_of_time=True)
        error = self.fails(setting)
        if error:
            return Trial(setting=setting, error=error)
        return Trial(
            setting=setting,
            blocks=self.blocks(mean),
            startup_seconds=self.startup(setting),
            ready_seconds=self.ready_seconds,
        )

    def in_turn(self, trials, *, seconds, target_ratio):
        needed = sum(
            self.startup(each.setting)
            + 3 * max(2, each.setting.num_workers) * self.loop_seconds(each.setting)
            for each in trials
        )
        if not self.has_time(seconds if not self.dear else needed):
            return False
        self.rounds.append([each.setting for each in trials])
        if self.step_seconds is not None:
            self.ready_seconds = interval_of(self.blocks(self.step_seconds))
        for each in trials:
            each.blocks, each.aborted = self.blocks(self.loop_seconds(each.setting)), False
            each.round_of, each.ready_seconds = trials, self.ready_seconds
        return True

    def fit_together(self, settings):
        return infeasible_reason(*settings, probe=PROBE, budget=BUDGET) is None

    def restart_seconds(self, setting):
        return self.seconds_of(setting)


def scaling(item, *, cpus=math.inf, serial=0.0, alone=None, crowding=0.0):
    """Time that scales with the workers up to the processors; ``alone`` is without any."""

    def seconds_of(setting):
        workers = setting.num_workers
        if not workers:
            return item if alone is None else alone
        return max(item / min(workers, cpus), serial) + crowding * max(0, workers - cpus)

    return seconds_of


def space(**given):
    defaults = {
        "named": {"present": Setting.of(num_workers=1), "golden": common_recipe(4)},
        "base": Setting.of(num_workers=1),
        "most_workers": 32,
        "cpus": 4.0,
    }
    return Space(**{**defaults, **given})


def found(bench, **given):
    if bench.step_seconds is not None:
        given |= {"step": lambda batch: None, "step_seconds": bench.step_seconds}
    return search(space(**given), bench, bench.left)
