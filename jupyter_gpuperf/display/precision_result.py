"""The result of ``%%amp_profile`` and ``gpuperf.amp_profile``: a summary, a table with bars, loss curves, code."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.document import (
    CAREFUL,
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
from jupyter_gpuperf.display.numbers import MISSING, interval_words, quantity_words
from jupyter_gpuperf.display.result import DEVICE_NAMES
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.schemas import Interval

NAME: Final = "amp_profile"
HEAD: Final = ("mode", "", "step", "", "speed-up", "", "peak memory", "computed in", "numbers")
LOOKS: Final[Sequence[str]] = (
    *("name", "bar", "value", "quiet", "value", "quiet", "value", "sentence", "sentence"),
)
CURVE_WIDTH, CURVE_HEIGHT = 320, 72
STROKES: Final = ("", "6 3", "2 2", "8 2 2 2")
COMPILED: Final = {"graphs": "graphs", "graph_breaks": "breaks", "recompilations": "recompiled"}
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
        return MappingProxyType({each.mode: each.to_dict() for each in self.found.modes})

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt the figures, and anything unusual about the measurement."""
        return tuple(self.found.warnings)

    def to_dict(self) -> dict[str, Any]:
        """Return the documented shape: new, plain data, ready for JSON."""
        return self.found.to_dict()

    def above(self) -> str:
        """Return the name shown in a terminal."""
        return NAME

    def blocks(self) -> Iterator[Block]:
        """Yield the summary, a row per mode, the loss curves, the recommended code, and what limits the gain."""
        found = self.found
        yield Heading(found.sentence)
        yield Table(rows(found), looks=LOOKS, head=HEAD)
        yield Drawing(_curves(found))
        yield Items("Why not more", found.why_not_more)
        if found.code:
            yield Code(found.code, title="The cell for it:")
        yield Items("Next", found.next_steps)
        yield from (Line(CAREFUL + each, "warning") for each in found.warnings)
        yield Line(_where(found), "quiet")


def rows(profile: Profile) -> list[Sequence[Cell]]:
    """Return a row per mode, preceded by the cell's current mode if it is none of them."""
    all_modes = measured(profile)
    times = [each.step_seconds["value"] for each in all_modes if each.step_seconds]
    return [_row(profile, each, max(times, default=0)) for each in all_modes]


def measured(profile: Profile) -> list[ModeOutcome]:
    """Return the cell's current mode, if it is not one of the modes, followed by the modes."""
    return [each for each in (profile.now, *profile.modes) if each is not None]


def _row(profile: Profile, outcome: ModeOutcome, slowest: float) -> Sequence[Cell]:
    name = outcome.mode + (" (now)" if outcome.mode == profile.same_as_now else "")
    if outcome.step_seconds is None:
        error = outcome.error or {}
        said = " ".join(filter(None, (error.get("message"), error.get("hint"))))
        return (name, Rest(said or "It was not measured."))
    gain = outcome.speedup_over_now or outcome.speedup
    return (
        name,
        Bar(outcome.step_seconds["value"] / slowest),
        *interval_words(Interval(**outcome.step_seconds), "seconds"),
        *((MISSING, "") if gain is None else interval_words(Interval(**gain), "×")),
        quantity_words(outcome.peak_allocated_bytes, "bytes"),
        _formats(outcome),
        _numbers(outcome),
    )


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
    if outcome.compiled is not None:
        parts.append(_compiled_words(outcome.compiled))
    if outcome.energy_joules is not None:
        parts.append(f"{outcome.energy_joules['value']:.3g} J a step.")
    return " ".join(filter(None, parts)) or MISSING


def _compiled_words(compiled: dict[str, Any]) -> str:
    said = f"Compiling took {compiled['compile_seconds']:.1f} s"
    for key, words in COMPILED.items():
        if compiled.get(key) is not None:
            said += f", {words} {compiled[key]}"
    return f"{said}."


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
