"""List the causes that can't be confirmed or ruled out on a device, because it lacks the readings that decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.rules.busy_spans import UTILIZATION
from jupyter_gpuperf.rules.rule import Rule
from jupyter_gpuperf.rules.rule_input import Device

LABELS: Final = {metric.name: Message(metric.label) for metric in METRICS}


class Undecided(NamedTuple):
    """The causes that can't be decided on one device, and the metrics without readings that would decide."""

    device: str
    codes: list[str]
    metrics: list[str]
    summary: Message


def undecided_on(devices: Iterable[Device], rules: Sequence[Rule]) -> Iterator[Undecided]:
    """Yield the undecided causes of each device that has readings, but not those that decide."""
    for device in devices:
        values = device.series.values
        if not values(UTILIZATION):
            continue
        missing = {
            rule.code: [metric for metric in rule.decided_by if not values(metric)]
            for rule in rules
        }
        codes = [code for code, metrics in missing.items() if metrics]
        metrics = list(dict.fromkeys(metric for code in codes for metric in missing[code]))
        if codes:
            summary = Message(
                "No readings of {metrics}: these causes can't be confirmed or ruled out: {codes}.",
                metrics=[LABELS.get(each, each) for each in metrics],
                codes=codes,
            )
            yield Undecided(device.uuid, codes, metrics, summary)
