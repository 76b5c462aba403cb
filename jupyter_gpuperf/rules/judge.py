"""Run the rules on the readings of each device: on the steady state of every job, or on all readings."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from jupyter_gpuperf.rules.busy_spans import LEAST_SECONDS, Span, steady_spans
from jupyter_gpuperf.rules.rule import SEVERITIES, Finding, Rule, View
from jupyter_gpuperf.rules.rule_input import Device, RuleInput

logger = logging.getLogger(__name__)

PART_SECONDS: Final = 60.0
"""Length of the parts in which a long job is also judged: five bad minutes hardly change the mean of an hour."""
LONGEST_STEP_RATIO: Final = 0.3
"""If one step takes a larger share of a loop's time, the other steps are too few to judge the loop."""
FEWEST_PARTS: Final = 2
"""Number of parts of a long job in which a problem must occur to be reported; one part may be chance."""


def judge(rule_input: RuleInput, rules: Sequence[Rule], *, live: bool = False) -> list[Finding]:
    """Return the findings of all rules that are not alerts, worst first.

    Parameters
    ----------
    live
        Judge only the job that is still running at the end, not those that have ended.
    """
    rules = [rule for rule in rules if not rule.notify]
    found: dict[tuple[str, str | None], Finding] = {}
    for device in rule_input.devices:
        if not device.series.times_seconds:
            continue
        for each in _of_device(rule_input, device, rules, live=live):
            key = (each.code, each.device)
            found[key] = max(found.get(key, each), each, key=_urgency)
    return worst_first(found.values(), rules)


def worst_first(findings: Iterable[Finding], rules: Sequence[Rule]) -> list[Finding]:
    """Return the findings sorted by severity, worst first; findings of equal severity are in the order of the rules."""
    places = {rule.code: place for place, rule in enumerate(rules)}
    return sorted(findings, key=lambda each: (-SEVERITIES.index(each.severity), places[each.code]))


def findings_of(rules: Iterable[Rule], view: View) -> list[Finding]:
    """Return the findings of the rules, and fill in the fields that checks leave out.

    An exception in a rule is logged; the rule then has no finding.
    """
    return [found for rule in rules if (found := _checked(rule, view)) is not None]


def _checked(rule: Rule, view: View) -> Finding | None:
    if not all(view.series.values(metric) for metric in rule.needs):
        return None
    try:
        found = rule.check(view)
    except Exception:  # The rule may come from another package; the other rules must still run.
        logger.exception("The rule %s failed.", rule.code)
        found = None
    if found is None:
        return None
    loop = view.loop if rule.is_of_loop else None
    if loop is not None:
        lost, batches = found.lost_ratio, loop.batches_per_epoch
        found = replace(
            found,
            pid=loop.pid,
            notebook=loop.notebook or None,  # empty in a recording, which contains no names
            lost_seconds_per_epoch=lost * loop.step_seconds * batches if lost and batches else None,
        )
    # Evidence may contain a Threshold in place of a measurement: report it as a plain number.
    known = {name: _plain(value) for name, value in found.evidence.items()}
    return replace(found, code=rule.code, device=view.device.uuid or None, evidence=known)


def _plain(value: float | str | None) -> float | str:
    if value is None:
        return "unknown"
    return float(value) if isinstance(value, float) else value


def _of_device(
    rule_input: RuleInput, device: Device, rules: Sequence[Rule], *, live: bool
) -> Iterator[Finding]:
    def view_of(span: Span) -> View:
        series, host = device.series.between(*span), rule_input.host.between(*span)
        return View(rule_input=rule_input, device=device, series=series, host_series=host)

    def in_span(rules: Iterable[Rule], span: Span) -> list[Finding]:
        return findings_of(rules, view_of(span))

    times = device.series.times_seconds
    everything = Span(times[0], times[-1])
    whole = [rule for rule in rules if rule.looks_at == "whole"]
    yield from in_span(whole, everything)
    steady = [rule for rule in rules if rule.looks_at == "steady"]
    spans = steady_spans(device.series, live=live)
    if not spans and _is_seen_by_step_clock(view_of(everything)):
        yield from in_span([rule for rule in steady if rule.is_of_loop], everything)
    for span in spans:
        yield from in_span(steady, span)
        seen: dict[str, list[Finding]] = {}
        for part in _parts(span):
            for finding in in_span(steady, part):
                seen.setdefault(finding.code, []).append(finding)
        yield from (found[0] for found in seen.values() if len(found) >= FEWEST_PARTS)


def _is_seen_by_step_clock(view: View) -> bool:
    """Return whether a watched loop runs on the device, although the driver's readings hardly show it.

    Readings that leave out time can miss all of its batches. The first steps of a loop are no such case: one of them,
    which waits for the workers to start, takes most of the time.
    """
    loop = view.loop
    if loop is None or not loop.bins or not view.work.is_sampled:
        return False
    longest_seconds = max(each.low_seconds for each in loop.bins)
    loop_seconds = loop.count * loop.step_seconds
    return loop_seconds >= LEAST_SECONDS and longest_seconds < LONGEST_STEP_RATIO * loop_seconds


def _parts(span: Span) -> list[Span]:
    count = int(span.seconds // PART_SECONDS)
    starts = [span.start_seconds + place * PART_SECONDS for place in range(count)]
    return [Span(start, start + PART_SECONDS) for start in starts] if count > 1 else []


def _urgency(finding: Finding) -> tuple[int, bool, float]:
    severity, is_confirmed = SEVERITIES.index(finding.severity), finding.confidence == "confirmed"
    return severity, is_confirmed, finding.lost_ratio or 0.0
