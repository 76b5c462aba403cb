"""How the magics' HTML looks: attributes for its elements, in the theme's own colours.

Inline, because an output may not bring a style sheet; through Lab's variables, so that light and
dark themes both fit; with ``inherit`` or ``currentColor`` where they are missing, as in VS Code.
"""

from __future__ import annotations

import html
from typing import Final


def _style(rules: str) -> str:
    return f'style="{html.escape(rules)}"'


_QUIET: Final = "color:var(--jp-ui-font-color2,inherit);"

BOX: Final = _style(
    "font-family:var(--jp-ui-font-family,inherit);font-size:var(--jp-ui-font-size1,inherit);"
    "line-height:1.5;color:var(--jp-ui-font-color1,inherit);padding:4px 8px;max-width:60em"
)
WIDE_BOX: Final = _style(
    "font-family:var(--jp-ui-font-family,inherit);font-size:var(--jp-ui-font-size1,inherit);"
    "line-height:1.5;color:var(--jp-ui-font-color1,inherit);padding:4px 8px;max-width:80em"
)
SCROLLED: Final = _style("overflow-x:auto")
TABLE: Final = _style(
    "border-collapse:collapse;border:0;margin:4px 0;width:auto;font-size:inherit;"
    "font-variant-numeric:tabular-nums"
)
_CELL: Final = "border:0;background:none;padding:2px 1.5em 2px 0;vertical-align:baseline;"
LABEL: Final = _style(f"{_CELL}text-align:left")
VALUE: Final = _style(f"{_CELL}text-align:right;font-weight:600;white-space:nowrap")
NUMBER: Final = _style(f"{_CELL}text-align:right;white-space:nowrap")
QUIET_NUMBER: Final = _style(
    f"{_CELL}text-align:right;white-space:nowrap;font-weight:normal;{_QUIET}"
)
QUIET_CELL: Final = _style(f"{_CELL}text-align:left;white-space:nowrap;font-weight:normal;{_QUIET}")
CODE_CELL: Final = _style(
    f"{_CELL}text-align:left;white-space:nowrap;font-family:var(--jp-code-font-family,monospace)"
)
CODE: Final = _style(
    "font-family:var(--jp-code-font-family,monospace);font-size:var(--jp-code-font-size,inherit);"
    "background:var(--jp-layout-color2,rgba(128,128,128,.12));padding:4px 8px;margin:4px 0;"
    "white-space:pre-wrap;word-break:normal"
)
QUIET: Final = _style(f"{_QUIET}")
WARNING: Final = _style(
    "border-left:3px solid var(--jp-warn-color1,#b26a00);padding-left:8px;margin:4px 0"
)
TRACK: Final = _style(
    "height:6px;border-radius:3px;background:var(--jp-border-color2,rgba(128,128,128,.35));"
    "max-width:30em;margin:4px 0;overflow:hidden"
)
BAR_TRACK: Final = _style(
    "width:6em;height:8px;border-radius:2px;background:var(--jp-border-color2,rgba(128,128,128,.35));"
    "overflow:hidden"
)
NAME_CELL: Final = LABEL.replace("text-align:left", "text-align:left;white-space:nowrap")
# Beside cells that don't break, a sentence would otherwise be left a word a line.
SENTENCE_CELL: Final = LABEL.replace("text-align:left", "text-align:left;min-width:22em")


def fill(ratio: float) -> str:
    """Return the attribute of a bar's filled part, ``ratio`` (0 to 1) of its track."""
    percent = round(100 * min(1.0, max(0.0, ratio)))
    return _style(f"height:100%;width:{percent}%;background:var(--jp-brand-color1,#1976d2)")
