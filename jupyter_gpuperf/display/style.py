"""Styles of the magics' HTML, as ``style`` attributes in the theme's colours.

They are inline, because an output can't include a style sheet. They use JupyterLab's variables, so that
light and dark themes both work. Each has a fallback for front ends without these variables, such as VS Code.
"""

from __future__ import annotations

from typing import Final

from markupsafe import Markup


def _style(*rules: str) -> Markup:
    return Markup('style="{}"').format("".join(rules))


_QUIET: Final = "color:var(--jp-ui-font-color2,inherit);"
_TRACK: Final = "background:var(--jp-border-color2,rgba(128,128,128,.35));overflow:hidden;"
_BOX: Final = (
    "font-family:var(--jp-ui-font-family,inherit);font-size:var(--jp-ui-font-size1,inherit);"
    "line-height:1.5;color:var(--jp-ui-font-color1,inherit);padding:4px 8px;"
)
_CELL: Final = "border:0;background:none;padding:2px 1.5em 2px 0;vertical-align:baseline;"
_LEFT: Final = f"{_CELL}text-align:left;"
_RIGHT: Final = f"{_CELL}text-align:right;white-space:nowrap;"
_NO_WRAP: Final = "white-space:nowrap;"
_MONOSPACE: Final = "font-family:var(--jp-code-font-family,monospace);"

BOX: Final = _style(_BOX, "max-width:60em")
WIDE_BOX: Final = _style(_BOX, "max-width:80em")
SCROLLED: Final = _style("overflow-x:auto")
TABLE: Final = _style(
    "border-collapse:collapse;border:0;margin:4px 0;width:auto;font-size:inherit;"
    "font-variant-numeric:tabular-nums"
)
CELLS: Final = {
    "label": _style(_LEFT),
    "name": _style(_LEFT, _NO_WRAP),
    "quiet": _style(_LEFT, _NO_WRAP, "font-weight:normal;", _QUIET),
    "code": _style(_LEFT, _NO_WRAP, _MONOSPACE),
    # Next to cells that don't wrap, a sentence would otherwise shrink to one word per line.
    "sentence": _style(_LEFT, "min-width:22em"),
    "value": _style(_RIGHT, "font-weight:600"),
    "number": _style(_RIGHT),
    "quiet_number": _style(_RIGHT, "font-weight:normal;", _QUIET),
    "bar": _style(_LEFT),
}
CODE: Final = _style(
    _MONOSPACE,
    "font-size:var(--jp-code-font-size,inherit);"
    "background:var(--jp-layout-color2,rgba(128,128,128,.12));padding:4px 8px;margin:4px 0;"
    "white-space:pre-wrap;word-break:normal",
)
QUIET: Final = _style(_QUIET)
WARNING: Final = _style(
    "border-left:3px solid var(--jp-warn-color1,#b26a00);padding-left:8px;margin:4px 0"
)
LINES: Final = {
    "plain": Markup(""),
    "strong": _style("font-weight:600"),
    "quiet": QUIET,
    "small": _style(_QUIET, "font-size:smaller"),
    "warning": WARNING,
}
LIST: Final = _style("margin:0 0 4px;padding-left:1.5em")
TRACK: Final = _style(_TRACK, "height:6px;border-radius:3px;max-width:30em;margin:4px 0")
BAR_TRACK: Final = _style(_TRACK, "width:6em;height:8px;border-radius:2px")


def fill(ratio: float) -> Markup:
    """Return the style attribute of a bar's filled part; ``ratio`` is its share of the track, 0 to 1."""
    percent = round(100 * min(1.0, max(0.0, ratio)))
    return _style(f"height:100%;width:{percent}%;background:var(--jp-brand-color1,#1976d2)")
