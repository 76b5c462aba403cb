"""``demo``: open JupyterLab with the example notebook."""

from __future__ import annotations

import argparse
from typing import Any

from jupyter_gpuperf.cli.answers import add_command


def add(commands: Any) -> None:  # argparse keeps the type private
    """Add ``demo`` to the commands of ``jupyter gpuperf``."""
    meaning = "open JupyterLab with an example notebook; without a GPU, on a recorded H100"
    parser = add_command(commands, "demo", _demo, has_json=False, help=meaning)
    meaning = "folder for the copy of the notebook"
    parser.add_argument("folder", metavar="FOLDER", nargs="?", help=meaning)
    parser.add_argument("--source", help="as c.GpuPerf.source: auto, nvml, replay:FILE[,FILE...]")
    parser.add_argument("--port", type=int, help="JupyterLab's port")
    parser.add_argument("--no-browser", action="store_true", help="don't open a browser")


def _demo(parsed: argparse.Namespace) -> int:
    from pathlib import Path

    from jupyter_gpuperf.demo import FOLDER, demo

    folder = Path(parsed.folder or FOLDER)
    return demo(folder, source=parsed.source, port=parsed.port, browser=not parsed.no_browser)
