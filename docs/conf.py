"""Sphinx's configuration. The reference pages are generated from the declarations before each build."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from benchmark_pages import linked_pages, write_benchmark_pages
from doctor_pages import write_doctor_pages
from reference_pages import write_reference_pages

import jupyter_gpuperf
from jupyter_gpuperf.benchmarks import BENCHMARKS
from jupyter_gpuperf.rules import RULES

project = "jupyter_gpuperf"
copyright = "the jupyter_gpuperf maintainers"
release = version = str(jupyter_gpuperf.__version__)

extensions = ["myst_nb"]  # it includes myst_parser
notes = [f"benchmarks/{each.name}.md" for each in BENCHMARKS]  # part of the generated pages
exclude_patterns = ["_build", "jupyter_execute", *notes]
html_theme = "furo"
html_title = "jupyter_gpuperf"
html_static_path = ["static"]
html_css_files = ["notebook.css"]
nitpicky = True
nb_execution_mode = "off"  # the outputs come from run_notebook.py, on a real GPU
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
suppress_warnings = ["misc.highlighting_failure"]

write_reference_pages(HERE / "reference")
write_benchmark_pages(HERE / "reference" / "benchmarks")
write_doctor_pages(HERE / "reference" / "doctor")


def link_generated(_app: Any, name: str, source: list[str]) -> None:
    """Link findings and benchmarks to their pages, which exist only in the built documentation."""
    if not name.startswith("reference/"):
        source[0] = linked_pages(source[0])
        codes = "|".join(re.escape(rule.code) for rule in RULES if not rule.notify)
        source[0] = re.sub(rf"`({codes})`", r"[\1](/reference/findings/\1.md)", source[0])


def setup(app: Any) -> None:
    """Connect the functions that change the sources while Sphinx reads them."""
    app.connect("source-read", link_generated)
