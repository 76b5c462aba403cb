"""The recorded traces, and what other machines, samplers and moments would have made of the same work."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from jupyter_gpuperf.findings.build_rule_input import input_of_recording
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording
from jupyter_gpuperf.rules import Device, Finding, ReadingSeries, RuleInput
from jupyter_gpuperf.rules.busy_spans import steady_spans

RECORDINGS = Path(__file__).parents[1] / "recordings"
LABELLED = RECORDINGS / "labelled"
WORKLOADS = Path(__file__).parents[1] / "gpu" / "workloads"
NAMES = tuple(metric.name for metric in METRICS)
LATE = ("utilization_percent", "memory_controller_percent", "power_watts")
"""The driver's own windows: a slower sampler gets the newest of them."""
AVERAGED = frozenset(
    metric.name
    for metric in METRICS
    if (metric.family in ("activity", "pcie", "nvlink") or metric.per_second)
    and metric.name not in LATE
    and metric.kind == "gauge"
    and not metric.name.startswith("pcie_link")
) | {"host_cpu_percent"}
GPM = tuple(
    metric.name
    for metric in METRICS
    if metric.family in ("activity", "nvlink") and metric.name not in LATE
)
PCIE = ("pcie_receive_bytes_per_second", "pcie_transmit_bytes_per_second")

Truth = dict[str, list[str]]


def truths() -> dict[str, Truth]:
    """Return what each trace must and may give."""
    return json.loads((RECORDINGS / "expected.json").read_text())


def trace(name: str) -> RuleInput:
    """Return a trace as a window."""
    path = RECORDINGS / f"h100_{name}.jsonl.gz"  # or the package's own
    return input_of_recording(load_recording(path, METRICS), NAMES)


def labelled() -> list[str]:
    """Return the workloads that were recorded on an H100."""
    return sorted(path.name.split(".")[0] for path in LABELLED.glob("*.jsonl.gz"))


def labelled_window(name: str) -> RuleInput:
    """Return the recording of a workload as a window."""
    return input_of_recording(load_recording(LABELLED / f"{name}.jsonl.gz", METRICS), NAMES)


def expected_of(workload: str) -> Truth:
    """Return what a workload must and may give; it is read, not run: it needs a GPU."""
    for statement in ast.parse((WORKLOADS / f"{workload}.py").read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "EXPECTED":
            return ast.literal_eval(statement.value)
    raise ValueError(f"{workload} has no EXPECTED")


def judged(findings: Iterable[Finding], truth: Truth) -> tuple[list[str], list[str]]:
    """Return what is missing, and what is a false alarm."""
    found = list(findings)
    codes = {each.code for each in found}
    wanted = {code for either in truth["must"] for code in either.split("|")}
    missing = [either for either in truth["must"] if not codes & set(either.split("|"))]
    false = [
        each.code
        for each in found
        if each.severity != "info" and each.code not in wanted | set(truth["may"])
    ]
    return missing, false


# --- what can be done to a window --------------------------------------------------------------------


def of_each(window: RuleInput, change: Callable[[ReadingSeries], ReadingSeries]) -> RuleInput:
    """Change the readings of all devices and of the host."""
    return replace(
        window,
        host=change(window.host),
        devices=tuple(replace(each, series=change(each.series)) for each in window.devices),
    )


def slower(window: RuleInput, interval_seconds: float, offset_seconds: float = 0.0) -> RuleInput:
    """Sample less often, as the product's own sampler would: rates over all the time in between."""

    def change(series: ReadingSeries) -> ReadingSeries:
        steps: dict[int, list[int]] = {}
        for place, time in enumerate(series.times_seconds):
            steps.setdefault(int((time + offset_seconds) / interval_seconds), []).append(place)
        places = list(steps.values())
        return ReadingSeries(
            times_seconds=[series.times_seconds[each[-1]] for each in places],
            columns={
                name: [_condensed(name, [column[i] for i in each]) for each in places]
                for name, column in series.columns.items()
            },
        )

    return of_each(window, change)


def _condensed(name, readings):
    values = [each for each in readings if isinstance(each, float)]
    if name in AVERAGED and values:
        return sum(values) / len(values)
    return readings[-1]


def without(window: RuleInput, *names: str) -> RuleInput:
    """Take readings away, as on a device that does not have them."""
    return of_each(
        window,
        lambda series: replace(
            series,
            columns={
                name: ["not_supported"] * len(column) if name in names else column
                for name, column in series.columns.items()
            },
        ),
    )


def scaled(window: RuleInput, factor: float, *names: str) -> RuleInput:
    """Put the same work on a device of another size."""
    return of_each(
        window,
        lambda series: replace(
            series,
            columns={
                name: [each * factor if isinstance(each, float) else each for each in column]
                if name in names
                else column
                for name, column in series.columns.items()
            },
        ),
    )


def jittered(window: RuleInput, seed: int, most_seconds: float = 0.04) -> RuleInput:
    """Let each reading come a little early or late, and some not at all."""
    chance = random.Random(seed)
    times = window.host.times_seconds
    kept = [i for i in range(len(times)) if chance.random() > 0.1]
    moved = sorted(times[i] + chance.uniform(-most_seconds, most_seconds) for i in kept)
    return of_each(
        window,
        lambda series: ReadingSeries(
            times_seconds=moved,
            columns={name: [column[i] for i in kept] for name, column in series.columns.items()},
        ),
    )


def between(window: RuleInput, start_seconds: float, end_seconds: float) -> RuleInput:
    """Return a part of the time."""
    return of_each(window, lambda series: series.between(start_seconds, end_seconds))


def after_another(*windows: RuleInput) -> RuleInput:
    """Return one recording of several workloads, one after the other on one device."""
    first = windows[0]
    host_times, times = [], []
    host = {name: [] for name in first.host.columns}
    columns = {name: [] for name in first.devices[0].series.columns}
    listings = []
    begin = 0.0
    for window in windows:
        device = window.devices[0]
        times += [begin + each for each in device.series.times_seconds]
        host_times += [begin + each for each in window.host.times_seconds]
        for name in columns:
            columns[name] += device.series.columns[name]
        for name in host:
            host[name] += window.host.columns[name]
        listings += [
            replace(each, time_seconds=begin + each.time_seconds) for each in device.listings
        ]
        begin = times[-1] + 0.1
    return RuleInput(
        host=ReadingSeries(times_seconds=host_times, columns=host),
        devices=(
            replace(
                first.devices[0],
                series=ReadingSeries(times_seconds=times, columns=columns),
                listings=tuple(listings),
            ),
        ),
    )


def beside(*windows: RuleInput) -> RuleInput:
    """Return one recording of several devices, each with its own workload."""
    return RuleInput(
        host=windows[0].host,
        devices=tuple(
            replace(window.devices[0], uuid=f"GPU-{place}", index=place)
            for place, window in enumerate(windows)
        ),
    )


def steady_part(device: Device) -> tuple[float, float]:
    """Return when the longest job was steady."""
    spans = steady_spans(device.series)
    longest = max(spans, key=lambda each: each.seconds)
    return longest.start_seconds, longest.end_seconds


# --- the perturbations, and what they leave to be seen ----------------------------------------------

UNSEEN_WITHOUT_GPM = {"amp_off_gpt_fp32", "convnet_fp32"}
"""Without GPM, fp32 work looks like any other that keeps the device busy."""
TOO_SHORT = {"oom_gpt_bf16"}
"""Its memory is full for 0.8 s: a slow sampler does not see it."""
TOO_FEW = {"shard_switch"}
"""It stalls for 1.4 s, and twice while it is recorded: of each, one reading at rest is left, or none."""
TOO_RARE = {"input_bound_jpeg_1worker", "slow_transform"}
"""The driver's utilization covers a fifth of a second: in ten seconds, it meets a few of its short bursts, or none."""

UNSEEN = {
    "the utilization counts kernels in fp32 as it counts those in bf16": UNSEEN_WITHOUT_GPM,
    "its memory is full for 0.8 s": TOO_SHORT,
    "two stalls of 1.4 s: of each, one reading at rest, or none": TOO_FEW,
    "bursts of 0.02 to 0.2 s: in ten windows of 0.2 s a few, or none": TOO_RARE,
}
"""Why a cause can't be seen without GPM once a second, and the workloads."""

Perturbation = tuple[Callable[[RuleInput], RuleInput], set[str]]

PERTURBATIONS: dict[str, Perturbation] = {
    "as recorded, 10 Hz": (lambda window: window, set()),
    "every 0.5 s": (lambda window: slower(window, 0.5), set()),
    "every second": (lambda window: slower(window, 1.0), TOO_SHORT),
    "every second, half a second later": (lambda window: slower(window, 1.0, 0.5), TOO_SHORT),
    "every 2 s": (lambda window: slower(window, 2.0), TOO_SHORT),
    "without GPM": (lambda window: without(window, *GPM, *PCIE), UNSEEN_WITHOUT_GPM),
    "without GPM, with PCIe counters": (lambda window: without(window, *GPM), UNSEEN_WITHOUT_GPM),
    "without GPM, every second": (
        lambda window: slower(without(window, *GPM, *PCIE), 1.0),
        UNSEEN_WITHOUT_GPM | TOO_SHORT | TOO_FEW | TOO_RARE,
    ),
    "without the host's readings": (
        lambda window: without(window, *(name for name in NAMES if name.startswith("host_"))),
        set(),
    ),
    "without clock reasons": (lambda window: without(window, "clock_event_flags"), set()),
    "power limit 70 W": (
        lambda window: scaled(window, 0.1, "power_watts", "power_limit_watts"),
        set(),
    ),
    "power limit 1000 W": (
        lambda window: scaled(window, 1000 / 700, "power_watts", "power_limit_watts"),
        set(),
    ),
    "memory 16 GB": (
        lambda window: scaled(window, 0.2, "memory_used_bytes", "memory_total_bytes"),
        set(),
    ),
    "memory 180 GB": (
        lambda window: scaled(window, 2.25, "memory_used_bytes", "memory_total_bytes"),
        set(),
    ),
    "64 cores": (
        lambda window: scaled(
            scaled(window, 4.0, "host_cpu_limit_cores"), 0.25, "host_cpu_percent"
        ),
        set(),
    ),
    "jittered, a tenth lost": (lambda window: jittered(window, 7), TOO_SHORT),
}
