"""Looks at a window with every rule: each device, each job on it, in its steady state."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from jupyter_gpuperf.diagnose.declaration import SEVERITIES, Finding, Rule
from jupyter_gpuperf.diagnose.steady import Span, goes_on, jobs, steady
from jupyter_gpuperf.diagnose.straggler import straggler_of
from jupyter_gpuperf.diagnose.view import View
from jupyter_gpuperf.diagnose.window import Device, Window
from jupyter_gpuperf.diagnose.workload import workload_of

logger = logging.getLogger(__name__)

PART_SECONDS: Final = 60.0
"""A long job is looked at in parts, too: five bad minutes don't show in the mean of an hour."""
FEWEST_PARTS: Final = 2
"""A moment is no finding: it must hold in two parts of a long job."""


def diagnose(window: Window, rules: Sequence[Rule], *, live: bool = False) -> list[Finding]:
    """Return what the rules find, the worst first.

    Parameters
    ----------
    live
        Judge what goes on at the window's end, and no job that has ended before.
    """
    found: dict[tuple[str, str | None], Finding] = {}
    for device in window.devices:
        for each in _of_device(window, device, rules, live=live):
            key = (each.code, each.device)
            if key not in found or _urgency(each) > _urgency(found[key]):
                found[key] = each
    places = {rule.code: place for place, rule in enumerate(rules)}
    return sorted(
        found.values(), key=lambda each: (-SEVERITIES.index(each.severity), places[each.code])
    )


def _of_device(
    window: Window, device: Device, rules: Sequence[Rule], *, live: bool
) -> Iterator[Finding]:
    series = device.series
    if not series.times_seconds:
        return
    whole = Span(series.times_seconds[0], series.times_seconds[-1])
    yield from _in_span(window, device, [r for r in rules if r.looks_at == "whole"], whole)
    steady_rules = [rule for rule in rules if rule.looks_at == "steady"]
    for span in _steady_spans(device, live=live):
        yield from _in_span(window, device, steady_rules, span)
        seen: dict[str, list[Finding]] = {}
        for part in _parts(span):
            for finding in _in_span(window, device, steady_rules, part):
                seen.setdefault(finding.code, []).append(finding)
        yield from (found[0] for found in seen.values() if len(found) >= FEWEST_PARTS)


def _in_span(
    window: Window, device: Device, rules: Sequence[Rule], span: Span
) -> Iterator[Finding]:
    view = _view(window, device, span)
    for rule in rules:
        finding = _checked(rule, view)
        if finding is not None:
            yield replace(finding, device=device.uuid)


def _parts(span: Span) -> list[Span]:
    count = int(span.seconds // PART_SECONDS)
    starts = [span.start_seconds + place * PART_SECONDS for place in range(count)]
    return [Span(start, start + PART_SECONDS) for start in starts] if count > 1 else []


def _steady_spans(device: Device, *, live: bool) -> Iterator[Span]:
    series = device.series
    found = jobs(series)
    if live:
        found = [job for job in found[-1:] if goes_on(series, job)]
    for job in found:
        part = steady(series, job)
        if part is not None:
            yield part


def _view(window: Window, device: Device, span: Span) -> View:
    series = device.series.between(span.start_seconds, span.end_seconds)
    host = window.host.between(span.start_seconds, span.end_seconds)
    alone = len(window.devices) == 1
    return View(
        device=device,
        host=window.host,
        series=series,
        host_series=host,
        work=workload_of(series, host),
        steps=tuple(
            each
            for each in window.steps
            if each.device_uuid == device.uuid or (each.device_uuid is None and alone)
        ),
        peers=tuple(each for each in window.devices if each.uuid != device.uuid),
        straggler=straggler_of(
            device, window.devices, window.steps, span.start_seconds, span.end_seconds
        ),
    )


def _checked(rule: Rule, view: View) -> Finding | None:
    if not all(view.series.values(metric) for metric in rule.needs):
        return None
    try:
        return rule.check(view)
    except Exception:  # of another package, perhaps: the other rules go on
        logger.exception("The rule %s failed.", rule.code)
        return None


def _urgency(finding: Finding) -> tuple[int, int, float]:
    return (
        SEVERITIES.index(finding.severity),
        int(finding.confidence == "confirmed"),
        finding.lost_ratio or 0.0,
    )
