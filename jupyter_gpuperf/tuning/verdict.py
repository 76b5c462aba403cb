"""Put the outcome into words: what is gained, what is the bottleneck, and what to do. Standard library only."""

from __future__ import annotations

from typing import Final, NamedTuple

from jupyter_gpuperf.loaders.subject import Subject
from jupyter_gpuperf.tuning.budget import Budget
from jupyter_gpuperf.tuning.probe import Probe, regime_of
from jupyter_gpuperf.tuning.space import Found, Space
from jupyter_gpuperf.tuning.trial import Trial, slower
from jupyter_gpuperf.tuning.trial_log import WAIT_RATIO, load_seconds

BUSY_RATIO: Final = 0.85
"""When this share of the available CPUs is in use, they are the bottleneck."""
MACHINE_BUSY_RATIO: Final = 0.95
OTHERS_RATIO: Final = 0.25
"""Share of the CPUs that other processes may use before the figures are in doubt."""
BLOCKED_RATIO: Final = 0.5
COMPUTING_RATIO: Final = 0.9
"""When workers use this share of a CPU each, their own computing is the bottleneck."""

LESS_COMPUTING: Final = (
    "Compute less per item: decode with a faster library, store images in the size that is trained with, "
    "move what is the same each time into the stored data."
)
ON_THE_GPU: Final = (
    "Hand over bytes (uint8) and convert, normalise and augment on the GPU, a whole batch at once."
)
GPU_DECODE: Final = "Decode JPEGs on the GPU (nvJPEG, as in torchvision's decode_jpeg, or DALI)."
MORE_CPUS: Final = "More processors help: they are the limit, not the workers' number."
NEAR_STORAGE: Final = "Bring the data nearer: a local disk or memory, larger files with many items each, read in sequence."
FEWER_BYTES: Final = "Hand over less: uint8 instead of float32 is a quarter; or keep the data set on the GPU where it fits."


class Limit(NamedTuple):
    """The bottleneck of a setting, and what to do about it."""

    code: str
    summary: str
    advice: list[str]


def limit_of(best: Trial, found: Found, space: Space, probe: Probe, budget: Budget) -> Limit:
    """Return the bottleneck of the recommended setting."""
    if found.enough:
        return Limit("step", "The training step itself: the loader keeps up with it.", [])
    if (found_there := _of_processors(best, probe, budget)) is not None:
        return found_there
    if probe.blocked_ratio >= BLOCKED_RATIO:
        waited_ms = 1000 * probe.item_seconds * probe.blocked_ratio
        words = f"Storage: of each item's time {probe.blocked_ratio:.0%} is waiting, {waited_ms:.2g} ms."
        return Limit("storage", words, [NEAR_STORAGE])
    megabytes = probe.batch_bytes / 1e6
    if not best.setting.num_workers:
        words = f"One process: workers gain nothing here, since handing {megabytes:.3g} MB over costs as much."
        return Limit("transfer", words, [FEWER_BYTES, LESS_COMPUTING])
    if probe.batch_cpu_seconds < load_seconds(best) * (best.cpu_cores or 0.0):
        words = f"Handing over: batches of {megabytes:.3g} MB pass through one process."
        return Limit("transfer", words, [FEWER_BYTES])
    return Limit("unknown", "What bounds it does not show in these trials.", [LESS_COMPUTING])


def _of_processors(best: Trial, probe: Probe, budget: Budget) -> Limit | None:
    """Return the limit if the CPUs are the bottleneck, used by this loader or by others; otherwise ``None``."""
    cores, workers = best.cpu_cores or 0.0, best.setting.num_workers
    item_ms = 1000 * probe.item_cpu_seconds
    advice = [LESS_COMPUTING, ON_THE_GPU]
    if probe.regime != "no files":
        advice.append(GPU_DECODE)
    if cores >= BUSY_RATIO * budget.cpus:
        words = f"Processors: {cores:.1f} of {budget.cpus:g} are in use; an item takes {item_ms:.2g} ms of one."
        if budget.quota_cpus is not None and budget.quota_cpus < budget.seen_cpus:
            words += (
                f" The container's quota is {budget.quota_cpus:g}, though {budget.seen_cpus} show."
            )
            return Limit("quota", words, [MORE_CPUS, *advice])
        return Limit("cpu", words, advice)
    if (best.machine_busy_ratio or 0.0) >= MACHINE_BUSY_RATIO:
        words = f"Other processes: all {budget.seen_cpus} processors are busy, {cores:.1f} of them with this loader."
        return Limit("others", words, ["Tune again when the machine is quiet."])
    # Workers that wait for their batches to be received don't compute all the time.
    if workers and cores >= COMPUTING_RATIO * workers:
        words = f"Computing: the {workers} workers do nothing else; an item takes {item_ms:.2g} ms of a processor."
        return Limit("cpu", words, advice)
    return None


def summary_of(best: Trial, found: Found, space: Space) -> list[str]:
    """Return the recommendation in sentences, the figure first."""
    said = [_first_words(best, space)]
    for role, name in (("present", "your present setting"), ("golden", "the common recipe")):
        other = next((each for each in found.trials if role in each.roles), None)
        if other is not None and (words := _against(best, other, name, space)):
            said.append(words)
        elif other is None and role in space.named:
            said.append(
                f"{_capital(name)} ({space.named[role].words()}) was not measured: the time was too short."
            )
    if space.step_seconds is not None and not best.waits:
        said.append("There was no time left to run the step with it: this is by the rate alone.")
    if found.enough is False:
        said.append(
            f"No setting keeps the wait under {WAIT_RATIO:.0%} of the step: this is the one with the least."
        )
    if found.cut_short:
        said.append("The time was up before all was tried; more time may find a better one.")
    return said


def _first_words(best: Trial, space: Space) -> str:
    words = best.setting.words()
    ratio = best.wait_ratio
    if space.step_seconds is not None and ratio is not None:
        return f"{words}: the step waits for {ratio['value']:.1%} of its {1000 * space.step_seconds:.3g} ms."
    rate = best.batches_per_second
    return f"{words}: {rate['value']:.3g} batches/s." if rate is not None else f"{words}."


def _against(best: Trial, other: Trial, name: str, space: Space) -> str | None:
    if other.setting == best.setting:
        return f"That is {name}."
    if other.error is not None:
        return f"{_capital(name)} ({other.setting.words()}): {other.error}."
    step = space.step_seconds
    ratio = other.each_seconds(step) / best.each_seconds(step)
    what = f"{name} ({other.setting.words()})"
    told_apart = slower(other, best) if step is None else ratio > 1 + WAIT_RATIO
    if told_apart:
        return f"{ratio:.2f} times as fast as {what}{' with this step' if step else ''}."
    if ratio > 1 + WAIT_RATIO:
        return f"By the means {ratio:.2f} times as fast as {what}, but the intervals overlap."
    return f"As fast as {what}, within what was measured."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def doubts(probe: Probe, budget: Budget, best: Trial) -> list[str]:
    """Return what the user should know besides the trials."""
    said = []
    if probe.cv_threads > 1 and best.setting.num_workers > 1:
        said.append(
            f"OpenCV uses {probe.cv_threads} threads in each worker: cv2.setNumThreads(0) in worker_init_fn "
            "keeps them from each other's way."
        )
    if best.machine_busy_ratio and best.cpu_cores is not None:
        others = best.machine_busy_ratio - best.cpu_cores / budget.seen_cpus
        if others > OTHERS_RATIO:
            said.append(
                f"Other processes used {others:.0%} of the processors meanwhile: on a quiet machine another "
                "setting may be better."
            )
    if probe.uses_cuda:
        said.append("Items use CUDA: forked workers can't, once the notebook has begun to use it.")
    if budget.quota_cpus is not None and budget.quota_cpus < budget.seen_cpus:
        said.append(
            f"{budget.seen_cpus} processors show, the quota is {budget.quota_cpus:g}: recipes that count "
            "processors start too many workers here."
        )
    if budget.local_ranks > 1:
        said.append(
            f"{budget.local_ranks} training processes share this machine: each was given its part of the processors."
        )
    return said


def regime_of_trial(best: Trial, probe: Probe) -> str:
    """Return where the recommended trial's items came from."""
    if probe.regime == "no files" or best.storage_bytes is None:
        return probe.regime
    return regime_of(best.storage_bytes / (probe.read_bytes * probe.batch_size))


REGIMES: Final = {
    "no files": "Items come from memory: no file was read.",
    "warm": "Files came from the system's cache (warm); a first epoch from storage may be slower.",
    "cold": "Files came from storage (cold); where they fit into memory, later epochs are faster.",
    "mixed": "Files came partly from storage, partly from the system's cache.",
}


def regime_words(regime: str, subject: Subject) -> str:
    """Return the regime in one or two sentences."""
    words, batches = REGIMES[regime], subject.batches_per_epoch
    if subject.is_stream:
        return f"{words} Each trial began the stream anew."
    if batches and subject.batches_drawn > batches:
        times = subject.batches_drawn / batches
        return f"{words} The trials went through the data {times:.1f} times."
    return f"{words} No trial read items that another one had read."
