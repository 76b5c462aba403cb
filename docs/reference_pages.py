"""Generate the reference pages from the declarations: a page per metric and finding, and the alerts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Final

from jupyter_gpuperf.metrics import METRICS, Metric
from jupyter_gpuperf.rules import RULES, Rule, Threshold
from jupyter_gpuperf.sources.metric_reader import LIMITS_SECONDS, SLOW_SECONDS

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from package_messages import messages_under

FAMILIES: Final = {
    "activity": "Activity",
    "memory": "Memory",
    "power": "Power",
    "temperature": "Temperature",
    "clocks": "Clocks",
    "pcie": "PCIe",
    "nvlink": "NVLink",
    "health": "Health",
    "host": "Host",
}
KINDS: Final = {
    "gauge": "a value of the moment",
    "counter": "a total that only grows",
    "limit": "a limit, which hardly changes",
    "flags": "a bit mask",
}


def write_reference_pages(folder: Path) -> None:
    """Write all pages into ``folder``, which must contain nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    metrics = folder / "metrics"
    metrics.mkdir(parents=True)
    for metric in METRICS:
        (metrics / f"{metric.name}.md").write_text(metric_page(metric))
    (metrics / "index.md").write_text(metrics_index(METRICS))
    (folder / "alerts.md").write_text(alerts_page())
    findings = folder / "findings"
    findings.mkdir()
    for rule in RULES:
        if not rule.notify:
            (findings / f"{rule.code}.md").write_text(finding_page(rule))


def metrics_index(metrics: Iterable[Metric]) -> str:
    """Return the list of all metrics, by family."""
    lines = [
        "# Metrics",
        "",
        (
            "Everything that is sampled. Names wear their units; a reading is a value, or the reason why "
            "there is none. Other packages add metrics through the entry point group "
            "`jupyter_gpuperf.metrics`."
        ),
        "",
    ]
    for family, members in groupby(metrics, key=lambda metric: metric.family):
        lines += [f"## {FAMILIES[family]}", "", "| metric | what | unit |", "| --- | --- | --- |"]
        lines += [
            f"| [{each.name}]({each.name}.md) | {each.label} | {each.unit} |" for each in members
        ]
        lines.append("")
    names = "\n".join(metric.name for metric in METRICS)
    return "\n".join(lines) + f"\n```{{toctree}}\n:hidden:\n\n{names}\n```\n"


def metric_page(metric: Metric) -> str:
    """Return one metric's page."""
    rows = {
        "Name": f"`{metric.name}`",
        "Shown as": metric.label,
        "Unit": metric.unit,
        "Of": "the machine" if metric.scope == "host" else "each device",
        "Kind": KINDS[metric.kind] + (", per second" if metric.per_second else ""),
        "Read": cadence_in_words(metric),
        "Scale": scale_in_words(metric),
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    flags = "".join(f"\n- bit `{bit:#x}`: {words}" for bit, words in metric.flags.items())
    bits = f"\n## Bits\n{flags}\n" if flags else ""
    return f"# {metric.label}\n\n{metric.help}\n\n| | |\n| --- | --- |\n{table}\n{bits}"


def cadence_in_words(metric: Metric) -> str:
    """Return how often a metric is read, in words."""
    if metric.kind == "limit":
        return f"every {LIMITS_SECONDS:.0f} s"
    if metric.cadence == "slow":
        return f"every {SLOW_SECONDS:.0f} s, and repeated in between: it is dear to read"
    return "at every tick"


def scale_in_words(metric: Metric) -> str:
    """Return the bounds of a metric's scale, in words."""
    if metric.maximum_metric:
        return f"up to [{metric.maximum_metric}]({metric.maximum_metric}.md)"
    return f"up to {metric.maximum:g}" if metric.maximum is not None else "open"


def alerts_page() -> str:
    """Return the list of all alerts."""
    lines = [
        "# Alerts",
        "",
        (
            "An alert is told when its condition has held for a while, and taken back when it has not for "
            "a while: a moment is no alert. `GET alerts` answers those that hold now."
        ),
        "",
        "| code | of | told after | taken back after | looks at |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rule in RULES:
        if rule.notify:
            looks_at = linked((*rule.needs, *rule.reads), "metrics")
            lines.append(
                f"| `{rule.code}` | {rule.scope} | {rule.holds_off.after_seconds:g} s | "
                f"{rule.holds_off.until_seconds:g} s | {looks_at} |"
            )
    return "\n".join(lines) + "\n"


def linked(metrics: Iterable[str], folder: str) -> str:
    """Return metrics as links to their pages."""
    return ", ".join(f"[{name}]({folder}/{name}.md)" for name in metrics)


def finding_page(rule: Rule) -> str:
    """Return one finding's page."""
    module = import_module(rule.check.__module__)
    path = Path(str(module.__file__))
    lines = [f"# {rule.title}: {rule.code}", "", rule.meaning, "", "## What it says", ""]
    if rule.alert:
        lines += [f"The alert `{rule.alert}` tells it at once, in its own words.", ""]
    lines += [f"- {text}" for text in messages_under(path, "summary")]
    lines += [
        "",
        f"It needs {linked(rule.needs, '../metrics')}, and looks at {LOOKS_AT[rule.looks_at]}.",
        *decided_by(rule),
        "",
        "## Thresholds",
        "",
    ]
    lines += ["| compared with | value | why | margin |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name.lower().replace('_', ' ')} | {float(value):g} | {value.reason} | {value.margin} |"
        for name, value in thresholds_of(rule, module).items()
    ]
    lines += ["", "## What to do", ""]
    lines += [f"- {text}" for text in messages_under(path, "advice")]
    lines += ["", "## What would refute it", ""]
    lines += [f"- {text}" for text in messages_under(path, "refuted_by")]
    return "\n".join(lines) + "\n"


def decided_by(rule: Rule) -> list[str]:
    """Return what the diagnosis says on devices that lack the deciding readings."""
    if not rule.decided_by:
        return []
    metrics = linked(rule.decided_by, "../metrics")
    return [f"Without {metrics}, it can't be confirmed or ruled out; the diagnosis then says so."]


LOOKS_AT: Final = {
    "steady": "the steady state of the work, without its start and its end",
    "whole": "all readings of the time",
}
SHARED: Final = {
    "idle_patterns": ("input-bound", "launch-bound", "periodic-stall"),
    "straggler": ("communication-bound",),
}
"""Modules beside the rules that declare thresholds, and the rules that use them."""


def thresholds_of(rule: Rule, module: object) -> dict[str, Threshold]:
    """Return a rule's thresholds, and those that distinguish it from similar rules."""
    beside = [name for name, codes in SHARED.items() if rule.code in codes]
    modules = [module, *(import_module(f"jupyter_gpuperf.rules.{name}") for name in beside)]
    return {
        name: each
        for one in modules
        for name, each in vars(one).items()
        if isinstance(each, Threshold)
    }
