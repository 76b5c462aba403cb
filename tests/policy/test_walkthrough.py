"""The notebooks of the documentation have the outputs of a real GPU in every cell."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
ERRORS = {"walkthrough": [], "memory_walkthrough": ["OutOfMemoryError"]}
"""Notebook → the errors that it shows."""
HOW = "python docs/run_notebook.py docs/NAME.ipynb, on a machine with a GPU"
DEVICE = re.compile(r"\bNVIDIA [\w ]*\d")


def cells_of(name: str) -> list[dict]:
    """Return the code cells of a notebook."""
    notebook = json.loads((DOCS / f"{name}.ipynb").read_text())
    return [each for each in notebook["cells"] if each["cell_type"] == "code"]


@pytest.fixture(scope="module", params=ERRORS)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def cells(name) -> list[dict]:
    return cells_of(name)


def text_of(output: dict) -> str:
    """Return an output as text."""
    lines = output.get("text") or output.get("data", {}).get("text/plain") or []
    return "".join(lines)


def test_every_cell_was_run_once_and_in_order(cells):
    counts = [each["execution_count"] for each in cells]
    assert counts == list(range(1, len(cells) + 1)), HOW


def test_what_asks_for_an_answer_has_one(cells):
    silent = [
        source
        for each in cells
        if (source := "".join(each["source"])).startswith("%") or "print(" in source
        if not any(map(text_of, each["outputs"]))
    ]
    assert silent == [], HOW


def test_nothing_else_failed_in_a_thread_neither(cells, name):
    outputs = [output for each in cells for output in each["outputs"]]
    assert [each["ename"] for each in outputs if each["output_type"] == "error"] == ERRORS[name]
    assert [said for output in outputs if "Traceback (most" in (said := text_of(output))] == []


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("walkthrough", "gpuperf.tune("),
        ("walkthrough", "%%amp_profile"),
        ("memory_walkthrough", "properties.name"),
    ],
)
def test_what_was_measured_says_on_which_gpu(name, asked):
    (cell,) = (each for each in cells_of(name) if asked in "".join(each["source"]))
    assert any(DEVICE.search(text_of(output)) for output in cell["outputs"]), HOW
