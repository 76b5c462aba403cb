"""Loss curves, drawn as SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Final

from jupyter_gpuperf.display import style
from jupyter_gpuperf.display.blocks import Drawing
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated

CURVE_WIDTH, CURVE_HEIGHT = 320, 72
DASH_PATTERNS: Final = ("", "6 3", "2 2", "8 2 2 2")
"""One per curve, as in SVG's ``stroke-dasharray``."""


def loss_curves(losses_of: Mapping[str, Sequence[float]]) -> Drawing:
    """Draw loss curves, name → losses, in one plot; equal curves overlap. Without two of them, draw nothing."""
    curves = [(name, losses) for name, losses in losses_of.items() if len(losses) > 2]
    finite = [value for _, losses in curves for value in losses if math.isfinite(value)]
    if len(curves) < 2 or not finite:
        return Drawing("")
    low, high = min(finite), max(finite)
    lines, legend = [], []
    for index, (name, losses) in enumerate(curves):
        dash = DASH_PATTERNS[index % len(DASH_PATTERNS)]
        points = _points(losses, low, (high - low) or 1.0)
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5" '
            f'stroke-dasharray="{dash}"/>'
        )
        legend.append(
            f'<svg width="28" height="8" aria-hidden="true"><line x1="0" y1="4" x2="28" y2="4" '
            f'stroke="currentColor" stroke-width="1.5" stroke-dasharray="{dash}"/></svg> {html.escape(translated(name))}'
        )
    steps = len(curves[0][1])
    title = Message(
        "Loss over {steps} steps, {low:.4g} to {high:.4g}", steps=steps, low=low, high=high
    )
    label = html.escape(translated(title))
    return Drawing(
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
