"""How a precision profile reads: one sentence, a table with bars, the loss curves, the code, and why not more."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.numbers import MISSING, interval_words, quantity_words
from jupyter_gpuperf.display.result import DEVICE_NAMES
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.schemas import Interval

HEAD: Final = ("mode", "step", "", "speed-up", "", "peak memory", "computed in", "numbers")
CURVE_WIDTH, CURVE_HEIGHT = 320, 72
STROKES: Final = ("", "6 3", "2 2", "8 2 2 2")
FORMATS: Final = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "float64": "fp64"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One mode, as people read it."""

    cells: tuple[str, ...]
    ratio: float | None = None
    """Its step as a share of the slowest one's."""
    error: str = ""


def rows(profile: Profile) -> list[Row]:
    """Return a row per mode, how the cell runs now first where that is none of them."""
    measured = [each for each in (profile.now, *profile.modes) if each is not None]
    slowest = max((each.step_seconds["value"] for each in measured if each.step_seconds), default=0)
    return [_row(profile, each, slowest) for each in measured]


def _row(profile: Profile, outcome: ModeOutcome, slowest: float) -> Row:
    name = outcome.mode + (" (now)" if outcome.mode == profile.same_as_now else "")
    if outcome.step_seconds is None:
        error = outcome.error or {}
        said = " ".join(filter(None, (error.get("message"), error.get("hint"))))
        return Row(cells=(name,), error=said or "It was not measured.")
    value, around = interval_words(_interval(outcome.step_seconds), "seconds")
    gain = outcome.speedup_over_now or outcome.speedup
    speedup, speedup_around = (
        (MISSING, "") if gain is None else interval_words(_interval(gain), "×")
    )
    cells = (
        name,
        value,
        around,
        speedup,
        speedup_around,
        quantity_words(outcome.peak_allocated_bytes, "bytes"),
        _formats(outcome),
        _numbers(outcome),
    )
    return Row(cells=cells, ratio=outcome.step_seconds["value"] / slowest)


def _formats(outcome: ModeOutcome) -> str:
    shares = (outcome.dtypes or {}).get("flop_shares") or {}
    parts = [
        f"{share:.0%} {FORMATS.get(name, name)}" for name, share in shares.items() if share >= 0.005
    ]
    kernels = outcome.kernels or {}
    if "tensor_core_ratio" in kernels:
        parts.append(f"kernels of tensor cores {kernels['tensor_core_ratio']:.0%} of the time")
    if outcome.tensor_active_ratio is not None:
        parts.append(f"tensor cores at work {outcome.tensor_active_ratio:.0%}")
    return " · ".join(parts) or MISSING


def _numbers(outcome: ModeOutcome) -> str:
    parts = [str((outcome.numerics or {}).get("sentence") or "")]
    if outcome.mode.startswith("fp32") and (outcome.numerics or {}).get("verdict") == "reference":
        parts = ["the reference"]
    if outcome.steps_skipped:
        parts.append(f"{outcome.steps_skipped} steps skipped by the scaler.")
    compiled = outcome.compiled
    if compiled is not None:
        parts.append(_compiled_words(compiled))
    if outcome.energy_joules is not None:
        parts.append(f"{outcome.energy_joules['value']:.3g} J a step.")
    return " ".join(filter(None, parts)) or MISSING


def _compiled_words(compiled: dict[str, Any]) -> str:
    said = f"Compiling took {compiled['compile_seconds']:.1f} s"
    for key, words in (
        ("graphs", "graphs"),
        ("graph_breaks", "breaks"),
        ("recompilations", "recompiled"),
    ):
        if compiled.get(key) is not None:
            said += f", {words} {compiled[key]}"
    return f"{said}."


def text_lines(profile: Profile) -> list[str]:
    """Return the profile as text."""
    shown = [row.cells + (("",) * (len(HEAD) - len(row.cells))) for row in rows(profile)]
    table = [HEAD, *shown]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    lines = [profile.sentence, ""]
    for row, source in zip(table, [None, *rows(profile)], strict=True):
        if source is not None and source.error:
            lines.append(f"  {row[0]:<{widths[0]}}  {source.error}")
            continue
        lines.append(
            "  "
            + "  ".join(
                f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)
            ).rstrip()
        )
    lines += [""] + [f"  Why not more: {each}" for each in profile.why_not_more]
    lines += [f"  Next: {each}" for each in profile.next_steps]
    if profile.code:
        lines += ["", "  The cell for it:", *(f"    {line}" for line in profile.code.splitlines())]
    lines += ["", *(f"  Careful: {each}" for each in profile.warnings), f"  {_where(profile)}"]
    return [line for place, line in enumerate(lines) if line or lines[place - 1]]


def html_of(profile: Profile) -> str:
    """Return the profile as HTML; nothing of it is trusted, so all of it is escaped."""
    head = "".join(
        f"<th {style.NAME_CELL}>{html.escape(each)}</th>" for each in (*HEAD[:1], "", *HEAD[1:])
    )
    body = "".join(map(_html_row, rows(profile)))
    parts = [
        f"<div><b>{html.escape(profile.sentence)}</b></div>",
        f"<div {style.SCROLLED}><table {style.TABLE}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>",
        _curves(profile),
        _list("Why not more", profile.why_not_more),
        _code(profile),
        _list("Next", profile.next_steps),
        *(f"<div {style.WARNING}>Careful: {html.escape(each)}</div>" for each in profile.warnings),
        f"<div {style.QUIET}>{html.escape(_where(profile))}</div>",
    ]
    return f"<div {style.WIDE_BOX}>{''.join(parts)}</div>"


def _html_row(row: Row) -> str:
    if row.error:
        return (
            f"<tr><td {style.NAME_CELL}>{html.escape(row.cells[0])}</td>"
            f'<td {style.QUIET_CELL} colspan="{len(HEAD)}">{html.escape(row.error)}</td></tr>'
        )
    name, *rest = (html.escape(cell) for cell in row.cells)
    bar = f"<div {style.BAR_TRACK}><div {style.fill(row.ratio or 0.0)}></div></div>"
    looks = (
        *(style.VALUE, style.QUIET_CELL, style.VALUE, style.QUIET_CELL, style.VALUE),
        *(style.SENTENCE_CELL, style.SENTENCE_CELL),
    )
    cells = "".join(f"<td {look}>{cell}</td>" for look, cell in zip(looks, rest, strict=True))
    return f"<tr><td {style.NAME_CELL}>{name}</td><td {style.LABEL}>{bar}</td>{cells}</tr>"


def _curves(profile: Profile) -> str:
    """Draw the losses of all modes over each other: where they are the same, they look like one."""
    curves = [
        (each.mode, (each.numerics or {}).get("losses") or [])
        for each in profile.modes
        if len((each.numerics or {}).get("losses") or []) > 2
    ]
    finite = [value for _, losses in curves for value in losses if math.isfinite(value)]
    if len(curves) < 2 or not finite:
        return ""
    low, high = min(finite), max(finite)
    lines, legend = [], []
    for place, (mode, losses) in enumerate(curves):
        dash = STROKES[place % len(STROKES)]
        points = _points(losses, low, (high - low) or 1.0)
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5" '
            f'stroke-dasharray="{dash}"/>'
        )
        legend.append(
            f'<svg width="28" height="8" aria-hidden="true"><line x1="0" y1="4" x2="28" y2="4" '
            f'stroke="currentColor" stroke-width="1.5" stroke-dasharray="{dash}"/></svg> {html.escape(mode)}'
        )
    label = f"Loss over {len(curves[0][1])} steps, from {high:.4g} to {low:.4g}"
    return (
        f'<figure style="margin:4px 0"><svg width="{CURVE_WIDTH}" height="{CURVE_HEIGHT}" role="img" '
        f'aria-label="{html.escape(label)}">{"".join(lines)}</svg>'
        f"<figcaption {style.QUIET}>{html.escape(label)}: {' · '.join(legend)}</figcaption></figure>"
    )


def _points(losses: Sequence[float], low: float, span: float) -> str:
    width, height = CURVE_WIDTH - 4, CURVE_HEIGHT - 4
    return " ".join(
        f"{2 + width * place / (len(losses) - 1):.1f},{2 + height * (1 - (value - low) / span):.1f}"
        for place, value in enumerate(losses)
        if math.isfinite(value)
    )


def _list(title: str, sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{html.escape(each)}</li>" for each in sentences)
    return f'<div>{title}<ul style="margin:0 0 4px;padding-left:1.5em">{items}</ul></div>'


def _code(profile: Profile) -> str:
    if not profile.code:
        return ""
    return f"<div>The cell for it</div><pre {style.CODE}>{html.escape(profile.code)}</pre>"


def _where(profile: Profile) -> str:
    environment = profile.environment
    device = next((str(environment[name]) for name in DEVICE_NAMES if environment.get(name)), "")
    parts = [device, f"torch {environment.get('torch', '')}"]
    if profile.steps_per_run > 1:
        parts.append(f"{profile.steps_per_run} steps a run")
    if profile.numerics_steps:
        parts.append(f"losses over {profile.numerics_steps} steps")
    parts.append(f"profiled in {profile.seconds:.0f} s")
    return " · ".join(filter(None, parts))


def _interval(plain: dict[str, float]) -> Interval:
    return Interval(value=plain["value"], low=plain["low"], high=plain["high"])
