"""Describe the outcome in sentences: the gain, the bottleneck, and what to do. Standard library only."""

from __future__ import annotations

import math
from typing import Any, Final

from jupyter_gpuperf.loaders.subject import TuningSubject
from jupyter_gpuperf.measure.statistics import Interval
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.budget import Budget
from jupyter_gpuperf.tuning.probe import Probe, regime_of
from jupyter_gpuperf.tuning.space import SearchResult, Space
from jupyter_gpuperf.tuning.trial import Trial

BUSY_RATIO: Final = 0.85
"""If the loader uses this share of the available CPUs, they are the bottleneck."""
MACHINE_BUSY_RATIO: Final = 0.95
OTHERS_RATIO: Final = 0.25
"""Share of the CPUs that other processes may use before the figures are in doubt."""
BLOCKED_RATIO: Final = 0.5
COMPUTING_RATIO: Final = 0.9
"""If each worker uses this share of a CPU, its own computing is the bottleneck."""

LIMITS: Final = {
    "step": "the training step; the loader keeps up with it.",
    "quota": "the CPU quota; {used:.1f} of {cpus:g} CPUs are in use, {visible} are visible; "
    "an item takes {cpu_ms:.2g} ms of CPU time.",
    "cpu": "CPUs; {used:.1f} of {cpus:g} are in use; an item takes {cpu_ms:.2g} ms of CPU time.",
    "others": "other processes; all {visible} CPUs are busy, this loader uses {used:.1f}.",
    "workers": "computing; every worker is busy all the time ({workers}); an item takes {cpu_ms:.2g} ms of CPU time.",
    "storage": "storage; an item waits {percent:.0f} % of its time ({wait_ms:.2g} ms).",
    "process": "one process; passing {size:.3g} MB per batch to it costs as much as workers save.",
    "transfer": "transfer; batches of {size:.3g} MB pass through one process.",
    "unknown": "unknown; these trials don't show it.",
}
"""Bottleneck → description."""
CODES: Final = {"workers": "cpu", "process": "transfer"}
"""Bottleneck → its name in the outcome, where they differ."""
ADVICE: Final = {
    "less computing": "Compute less per item: use a faster decoder, store images at training size, "
    "precompute what never changes.",
    "GPU": "Pass bytes (uint8) to the GPU; convert, normalize and augment whole batches there.",
    "GPU decoder": "Decode JPEGs on the GPU: nvJPEG (as in torchvision's decode_jpeg) or DALI.",
    "CPUs": "Add CPUs: they are the limit, not the number of workers.",
    "storage": "Move the data closer: local disk or memory, large files with many items each, read in sequence.",
    "less data": "Pass less data: uint8 is a quarter of float32; or keep the dataset on the GPU if it fits.",
    "others": "Tune again when the machine is idle.",
}
ADVICE_FOR: Final = {
    "quota": ("CPUs", "less computing", "GPU", "GPU decoder"),
    **dict.fromkeys(("cpu", "workers"), ("less computing", "GPU", "GPU decoder")),
    "others": ("others",),
    "storage": ("storage",),
    "process": ("less data", "less computing"),
    "transfer": ("less data",),
    "unknown": ("less computing",),
}
"""Bottleneck → keys of the advice."""


def describe_bottleneck(
    best: Trial, found: SearchResult, probe: Probe, budget: Budget
) -> dict[str, str | list[Message]]:
    """Return the recommended setting's bottleneck and advice: ``limit``, ``limit_summary``, ``advice``."""
    bottleneck = "step" if found.enough else _bottleneck(best, probe, budget)
    return {
        "limit": CODES.get(bottleneck, bottleneck),
        "limit_summary": Message(LIMITS[bottleneck], **_facts(best, probe, budget)),
        "advice": [
            Message(ADVICE[each])
            for each in ADVICE_FOR.get(bottleneck, ())
            if each != "GPU decoder" or probe.regime != "no files"
        ],
    }


def _facts(best: Trial, probe: Probe, budget: Budget) -> dict[str, Any]:
    """Return the figures for the sentences; times in ms, shares in percent, sizes in MB."""
    used = best.cpu_cores or 0.0
    return {
        "used": used,
        "others": 100 * ((best.machine_busy_ratio or 0.0) - used / budget.seen_cpus),
        "cpus": budget.cpus,
        "visible": budget.seen_cpus,
        "quota": budget.quota_cpus,
        "ranks": budget.local_ranks,
        "workers": best.setting.num_workers,
        "threads": probe.cv_threads,
        "cpu_ms": 1000 * probe.item_cpu_seconds,
        "percent": 100 * probe.blocked_ratio,
        "wait_ms": 1000 * probe.item_seconds * probe.blocked_ratio,
        "size": probe.batch_bytes / 1e6,
    }


def _bottleneck(best: Trial, probe: Probe, budget: Budget) -> str:
    cores, workers = best.cpu_cores or 0.0, best.setting.num_workers
    if cores >= BUSY_RATIO * budget.cpus:
        return "quota" if budget.has_quota else "cpu"
    if (best.machine_busy_ratio or 0.0) >= MACHINE_BUSY_RATIO:
        return "others"
    # Workers that have to wait until their batches are received use less of a CPU than this.
    if workers and cores >= COMPUTING_RATIO * workers:
        return "workers"
    if probe.blocked_ratio >= BLOCKED_RATIO:
        return "storage"
    if not workers:
        return "process"
    return "transfer" if probe.batch_cpu_seconds < best.mean_seconds * cores else "unknown"


RIVALS: Final = {"present": Message("your current setting"), "golden": Message("the common recipe")}
"""Role → the setting that the recommended one is compared with."""
COMPARISONS: Final = {
    "same": "This is {name}.",
    "failed": "No result for {name} ({setting}): {error}.",
    "faster": "{gain:.2f} times as fast as {name} ({setting}), 95 % interval {low:.2f} to {high:.2f}.",
    "equal": "Can't be distinguished from {name} ({setting}): {gain:.2f} times as fast, "
    "95 % interval {low:.2f} to {high:.2f}.",
    "slower": "{gain:.2f} times as fast as {name} ({setting}), 95 % interval {low:.2f} to {high:.2f}; "
    "that one needs more resources.",
    "slower to run": "{gain:.2f} times as fast as {name} ({setting}) once both run, 95 % interval {low:.2f} to {high:.2f}; "
    "but with its start, an epoch takes {other_epoch_seconds:.2g} s there, {epoch_seconds:.2g} s here.",
}
REMARKS: Final = {
    "alike": "{count} settings can't be distinguished; this one needs the least resources.",
    "not in turn": "No time was left to measure the settings in turn; the figures may be off.",
    "not enough": "No setting reaches the speed of a loop whose data is always ready.",
    "persistent": "Persistent workers start only once: the next epoch's first batch comes after {restart_seconds:.2g} s, "
    "not {startup_seconds:.2g} s.",
    "cut short": "Time ran out before all trials; more time may find a better setting.",
}


def summary_of(best: Trial, found: SearchResult, space: Space) -> list[str]:
    """Return the recommendation in sentences, the figure first."""
    sentences = [_result(best)]
    for role, name in RIVALS.items():
        other = next((each for each in found.trials if role in each.roles), None)
        if other is not None:
            sentences.append(_comparison(best, other, name, space.batches))
        elif (own := space.named.get(role)) is not None:
            setting = own.describe()
            sentences.append(
                Message(
                    "There was no time to measure {name} ({setting}).", name=name, setting=setting
                )
            )
    remarks = {
        "alike": len(found.alike) > 1,
        "not in turn": best.round_of is None and len(found.trials) > 1,
        "not enough": found.enough is False,
        "persistent": best.setting.persistent_workers and best.restart_seconds is not None,
        "cut short": found.cut_short,
    }
    facts = {
        "count": len(found.alike),
        "restart_seconds": best.restart_seconds or 0.0,
        "startup_seconds": best.startup_seconds or 0.0,
    }
    return sentences + [Message(REMARKS[each], **facts) for each, holds in remarks.items() if holds]


def gains_of(best: Trial, found: SearchResult) -> dict[str, Interval]:
    """Return role → how many times as fast the recommended setting is; without those that have no result."""
    gains = {role: best.gain_over(each) for each in found.trials for role in each.roles & {*RIVALS}}
    return {role: gain for role, gain in gains.items() if gain is not None}


def _result(best: Trial) -> str:
    setting, loop, wait = best.setting.describe(), best.batch_seconds, best.wait_ratio
    if loop is None:
        return setting
    facts = {"setting": setting, "rate": 1 / loop["value"], "ms": 1000 * loop["value"]}
    if wait is None:
        return Message("{setting}: {rate:.3g} batches/s.", **facts)
    template = "{setting}: {ms:.3g} ms per step ({rate:.3g} batches/s), {percent:.1f} % of it waiting for data."
    return Message(template, percent=100 * wait["value"], **facts)


def _comparison(best: Trial, other: Trial, name: Message, batches: int | None) -> Message:
    facts: dict[str, Any] = {
        "name": name,
        "setting": other.setting.describe(),
        "error": other.error,
    }
    gain = best.gain_over(other)
    if other.setting == best.setting:
        result = "same"
    elif other.error is not None or gain is None:
        result = "failed"
    else:
        facts |= {"gain": gain["value"], "low": gain["low"], "high": gain["high"]}
        result = "faster" if gain["low"] > 1 else "slower" if gain["high"] < 1 else "equal"
        epoch, other_epoch = best.epoch_seconds(batches), other.epoch_seconds(batches)
        if result == "slower" and epoch is not None and other_epoch is not None:
            facts |= {"epoch_seconds": epoch, "other_epoch_seconds": other_epoch}
            result = "slower to run" if epoch < other_epoch else result
    return Message(COMPARISONS[result], **facts)


DOUBTS: Final = {
    "OpenCV": "OpenCV uses {threads} threads in each worker; call cv2.setNumThreads(0) in worker_init_fn.",
    "others": "Other processes used {others:.0f} % of the CPUs; on an idle machine another setting may be better.",
    "CUDA": "Items use CUDA; forked workers can't use it once the notebook has.",
    "quota": "{visible} CPUs are visible, but the quota is {quota:g}: recipes that count CPUs start too many workers.",
    "ranks": "{ranks} training processes share this machine; each may use its share of the CPUs.",
}


def doubts(probe: Probe, budget: Budget, best: Trial) -> list[Message]:
    """Return warnings about anything that may have distorted the trials."""
    facts = _facts(best, probe, budget)
    holding = {
        "OpenCV": probe.cv_threads > 1 and best.setting.num_workers > 1,
        "others": facts["others"] > 100 * OTHERS_RATIO,
        "CUDA": probe.uses_cuda,
        "quota": budget.has_quota,
        "ranks": budget.local_ranks > 1,
    }
    return [Message(DOUBTS[each], **facts) for each, holds in holding.items() if holds]


def regime_of_trial(best: Trial, probe: Probe) -> str:
    """Return where the recommended trial's items came from; see :attr:`Probe.regime`."""
    if probe.regime == "no files" or best.storage_bytes is None:
        return probe.regime
    return regime_of(best.storage_bytes / (probe.read_bytes * probe.batch_size))


REGIMES: Final = {
    "no files": "Items come from memory; no file was read.",
    "warm": "Files came from the page cache (warm); a first epoch from storage may be slower.",
    "cold": "Files came from storage (cold); if they fit into memory, later epochs are faster.",
    "mixed": "Files came partly from storage, partly from the page cache.",
}
REUSES: Final = {
    "stream": "Each trial restarted the stream.",
    "again": "The trials read the data {epochs:.1f} times.",
    "new": "No trial read items that another trial had read.",
}


def data_source_summary(regime: str, subject: TuningSubject, *, copies: bool) -> Message:
    """Describe where the items came from. ``copies``: whether the time includes the copy to the GPU."""
    epochs = subject.batches_drawn / (subject.batches_per_epoch or math.inf)
    reuse = "stream" if subject.is_stream else "again" if epochs > 1 else "new"
    template = "{source} {reuse}"
    if copies:
        template = "{source} {reuse} The time includes copying each batch to the GPU."
    facts = {"source": Message(REGIMES[regime]), "reuse": Message(REUSES[reuse], epochs=epochs)}
    return Message(template, **facts)
