"""Notebooks for the browser tests: their files, and running them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, expect

SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden)"
"""The notebook in front: Lab opens those of before again, behind it."""
RUN: Final = re.compile(r"\[(\*|\d+)\]:")
TRIES: Final = 5


def run_all_cells(page: Page) -> None:
    """Run the notebook in front, once its kernel is there; again, if that was lost while Lab's session settled."""
    expect(page.locator(f"{SHOWN} .jp-Toolbar-kernelName")).to_contain_text(
        "Python 3", timeout=60_000
    )
    idle = page.locator(f"{SHOWN} .jp-Notebook-ExecutionIndicator[data-status=idle]")
    expect(idle).to_be_visible(timeout=60_000)
    prompt = page.locator(f"{SHOWN} .jp-InputPrompt").first
    for _ in range(TRIES):
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        try:
            expect(prompt).to_have_text(RUN, timeout=8_000)
        except AssertionError:
            continue
        return
    expect(prompt).to_have_text(RUN)


def write_notebook(path: Path, *cells: str) -> None:
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{index}",
                "metadata": {},
                "outputs": [],
                "source": source,
            }
            for index, source in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            }
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook))
