"""Notebooks for the browser tests: create their files, open and run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden)"
"""The visible notebook."""
SETTLED = """path => {
    const shown = window.jupyterapp?.shell.currentWidget;
    const session = shown?.context?.path === path ? shown.sessionContext : null;
    const kernel = session?.session?.kernel;
    return Boolean(session?.isReady)
        && kernel?.connectionStatus === 'connected'
        && kernel.status === 'idle';
}"""


def open_notebook(open_page: Callable[..., Page], server, name: str, *cells: str) -> Page:
    """Write a notebook, open it, and return the page once its kernel can run cells.

    It opens in its own workspace; otherwise JupyterLab would restore the earlier notebooks, and run one of those.
    """
    file = f"{name}.ipynb"
    write_notebook(server.folder / file, *cells)
    page = open_page(server.page(f"lab/workspaces/{name}/tree/{file}"))
    wait_for_kernel(page, file)
    return page


def wait_for_kernel(page: Page, path: str) -> None:
    """Wait until the notebook ``path`` is visible and its kernel answers.

    JupyterLab itself is asked, because the page can't show this. While JupyterLab restores a workspace, another
    notebook whose kernel already runs may be visible for a second. A cell that runs while the kernel starts is lost, or
    opens a dialog.
    """
    page.wait_for_function(SETTLED, arg=path, timeout=60_000)


def run_all_cells(page: Page) -> None:
    """Run the visible notebook."""
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
