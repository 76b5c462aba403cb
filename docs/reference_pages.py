"""Writes the reference pages out of the declarations: a page per metric, and the rules of alerts."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Final

from jupyter_gpuperf.alerts import RULES
from jupyter_gpuperf.metrics import METRICS, Metric
from jupyter_gpuperf.sources.cadence import LIMITS_SECONDS, SLOW_SECONDS

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
    """Write all pages into ``folder``, which holds nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    metrics = folder / "metrics"
    metrics.mkdir(parents=True)
    for metric in METRICS:
        (metrics / f"{metric.name}.md").write_text(metric_page(metric))
    (metrics / "index.md").write_text(metrics_index(METRICS))
    (folder / "alerts.md").write_text(alerts_page())


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
    """Return how often a metric is read."""
    if metric.kind == "limit":
        return f"every {LIMITS_SECONDS:.0f} s"
    if metric.cadence == "slow":
        return f"every {SLOW_SECONDS:.0f} s, and repeated in between: it is dear to read"
    return "at every tick"


def scale_in_words(metric: Metric) -> str:
    """Return the ends of a metric's scale."""
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
        needs = ", ".join(f"[{name}](metrics/{name}.md)" for name in rule.needs)
        lines.append(
            f"| `{rule.code}` | {rule.scope} | {rule.after_seconds:g} s | "
            f"{rule.until_seconds:g} s | {needs} |"
        )
    return "\n".join(lines) + "\n"
