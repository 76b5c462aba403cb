"""Notebooks for the browser tests: their files, and running them."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page, expect

SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden)"
"""The notebook in front: Lab opens those of before again, behind it."""


def run_all_cells(page: Page) -> None:
    """Run the notebook in front, once its kernel is there: what is run while it starts may be lost."""
    expect(page.locator(f"{SHOWN} .jp-Toolbar-kernelName")).to_contain_text(
        "Python 3", timeout=60_000
    )
    idle = page.locator(f"{SHOWN} .jp-Notebook-ExecutionIndicator[data-status=idle]")
    expect(idle).to_be_visible(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


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
