"""The result of ``%%amp_profile`` and ``gpuperf.amp_profile``: a summary, a table with bars, loss curves, code."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.document import (
    Bar,
    Block,
    Cell,
    Code,
    DisplayedOnce,
    Drawing,
    Heading,
    Items,
    Line,
    Rest,
    Table,
)
from jupyter_gpuperf.display.numbers import MISSING, format_interval, format_quantity
from jupyter_gpuperf.display.result import DEVICE_NAMES
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.schemas import Interval

NAME: Final = "amp_profile"
COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    Message("mode"): ("name", "bar"),
    Message("step"): ("value", "quiet"),
    Message("speedup"): ("value", "quiet"),
    Message("peak memory"): ("value",),
    Message("computed in"): ("sentence",),
    Message("numbers"): ("sentence",),
}
"""Column → the looks of its cells; only the first of them has a head."""
LOOKS: Final = [look for looks in COLUMNS.values() for look in looks]
HEAD: Final = [text for name, looks in COLUMNS.items() for text in (name, "")[: len(looks)]]
CURVE_WIDTH, CURVE_HEIGHT = 320, 72
STROKES: Final = ("", "6 3", "2 2", "8 2 2 2")
FORMATS: Final = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "float64": "fp64"}


@dataclass(frozen=True, repr=False)
class AmpProfile(DisplayedOnce):
    """A cell measured under each precision mode.

    Attributes
    ----------
    found
        The complete profile; :meth:`to_dict` returns the documented shape.
    number
        Its number among the stored results; ``None`` if it was not stored.
    """

    wide: ClassVar[bool] = True

    found: Profile
    number: int | None = None

    @property
    def recommended(self) -> str | None:
        """The mode to use, such as ``bf16`` or ``bf16+compile``; the cell's current mode if no other is faster."""
        return self.found.recommended

    @property
    def code(self) -> str:
        """The cell rewritten for the recommended mode; empty if nothing needs to change."""
        return self.found.code

    @property
    def modes(self) -> Mapping[str, dict[str, Any]]:
        """Mode → its figures."""
        return MappingProxyType({each.mode: asdict(each) for each in self.found.modes})

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt the figures, and anything unusual about the measurement."""
        return tuple(self.found.warnings)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented shape: new, plain data, ready for JSON."""
        return self.found.to_dict()

    def terminal_name(self) -> str:
        """Return the name shown in a terminal."""
        return NAME

    def blocks(self) -> Iterator[Block]:
        """Yield the summary, a row per mode, the loss curves, the recommended code, and what limits the gain."""
        profile = self.found
        yield Heading(profile.sentence)
        yield Table(rows(profile), looks=LOOKS, head=HEAD)
        yield Drawing(_curves(profile))
        yield Items(Message("Limits"), profile.why_not_more)
        if profile.code:
            yield Code(profile.code, "The cell for this mode:")
        yield Items(Message("Next"), profile.next_steps)
        for each in profile.warnings:
            yield Line(Message("Careful: {warning}", warning=each), "warning")
        yield Line(_run(profile), "quiet")


def rows(profile: Profile) -> list[Sequence[Cell]]:
    """Return a row per mode, preceded by the cell's current mode if it is none of them."""
    all_modes = measured(profile)
    times = [each.step_seconds["value"] for each in all_modes if each.step_seconds]
    return [_row(profile, each, max(times, default=0)) for each in all_modes]


def measured(profile: Profile) -> list[ModeOutcome]:
    """Return the cell's current mode, if it is not one of the modes, followed by the modes."""
    return [each for each in (profile.now, *profile.modes) if each is not None]


def _row(profile: Profile, outcome: ModeOutcome, slowest: float) -> Sequence[Cell]:
    name = outcome.mode
    if name == profile.same_as_now:
        name = Message("{mode} (now)", mode=name)
    if outcome.step_seconds is None:
        return name, Rest(outcome.failure or Message("Not measured."))
    gain = outcome.speedup_over_now or outcome.speedup
    return (
        name,
        Bar(outcome.step_seconds["value"] / slowest),
        *format_interval(Interval(**outcome.step_seconds), "seconds"),
        *((MISSING, "") if gain is None else format_interval(Interval(**gain), "×")),
        format_quantity(outcome.peak_allocated_bytes, "bytes"),
        _formats(outcome),
        _numbers(outcome),
    )


def _formats(outcome: ModeOutcome) -> str:
    shares = (outcome.dtypes or {}).get("flop_shares") or {}
    parts = [
        f"{100 * share:.0f} % {FORMATS.get(name, name)}"
        for name, share in shares.items()
        if share >= 0.005
    ]
    kernels, active = outcome.kernels or {}, outcome.tensor_active_ratio
    if (ratio := kernels.get("tensor_core_ratio")) is not None:
        parts.append(Message("tensor-core kernels {percent:.0f} %", percent=100 * ratio))
    if active is not None:
        parts.append(Message("tensor cores busy {percent:.0f} %", percent=100 * active))
    return _listed(parts) or MISSING


def _numbers(outcome: ModeOutcome) -> str:
    parts = [(outcome.numerics or {}).get("sentence", "")]
    if skipped := outcome.steps_skipped:
        parts.append(
            Message.counted(
                "scaler skipped {count} step", "scaler skipped {count} steps", count=skipped
            )
        )
    compiled = outcome.compiled or {}
    if compiled:
        parts.append(Message("compiled in {seconds:.1f} s", seconds=compiled["compile_seconds"]))
    if (count := compiled.get("graphs")) is not None:
        parts.append(Message.counted("{count} graph", "{count} graphs", count=count))
    if (count := compiled.get("graph_breaks")) is not None:
        parts.append(Message.counted("{count} graph break", "{count} graph breaks", count=count))
    if (count := compiled.get("recompilations")) is not None:
        parts.append(
            Message.counted("{count} recompilation", "{count} recompilations", count=count)
        )
    if outcome.energy_joules is not None:
        parts.append(Message("{joules:.3g} J per step", joules=outcome.energy_joules["value"]))
    return _listed(parts) or MISSING


def _listed(parts: Iterable[str]) -> str:
    return Message("{parts}", parts=[*filter(None, parts)])


def _curves(profile: Profile) -> str:
    """Draw the loss curves of all modes in one plot; equal curves overlap."""
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
    for index, (mode, losses) in enumerate(curves):
        dash = STROKES[index % len(STROKES)]
        points = _points(losses, low, (high - low) or 1.0)
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5" '
            f'stroke-dasharray="{dash}"/>'
        )
        legend.append(
            f'<svg width="28" height="8" aria-hidden="true"><line x1="0" y1="4" x2="28" y2="4" '
            f'stroke="currentColor" stroke-width="1.5" stroke-dasharray="{dash}"/></svg> {html.escape(mode)}'
        )
    steps = len(curves[0][1])
    title = Message(
        "Loss over {steps} steps, {low:.4g} to {high:.4g}", steps=steps, low=low, high=high
    )
    label = html.escape(translated(title))
    return (
        f'<figure style="margin:4px 0"><svg width="{CURVE_WIDTH}" height="{CURVE_HEIGHT}" role="img" '
        f'aria-label="{label}">{"".join(lines)}</svg>'
        f"<figcaption {style.QUIET}>{label}: {' · '.join(legend)}</figcaption></figure>"
    )


def _points(losses: Sequence[float], low: float, span: float) -> str:
    width, height = CURVE_WIDTH - 4, CURVE_HEIGHT - 4
    return " ".join(
        f"{2 + width * index / (len(losses) - 1):.1f},{2 + height * (1 - (value - low) / span):.1f}"
        for index, value in enumerate(losses)
        if math.isfinite(value)
    )


def _run(profile: Profile) -> str:
    environment = profile.environment
    device = next((str(environment[name]) for name in DEVICE_NAMES if environment.get(name)), "")
    parts = [device, f"torch {environment.get('torch', '')}"]
    if profile.steps_per_run > 1:
        parts.append(Message("{steps} steps per run", steps=profile.steps_per_run))
    if profile.numerics_steps:
        parts.append(Message("losses over {steps} steps", steps=profile.numerics_steps))
    parts.append(Message("profiled in {seconds:.0f} s", seconds=profile.seconds))
    return _listed(parts)
