"""Run a notebook's cells in a real Jupyter server with the extension, and save their outputs in it.

    python docs/run_notebook.py docs/walkthrough.ipynb [--record FILE] [--pause SECONDS]

It runs as a user would run it: the kernel belongs to the server, so the step clock reports to the server, and with
``--record`` the recording has the devices, the processes and the notebook's training. It needs jupyter_server and
ipykernel, but not JupyterLab. ``--pause`` waits before each cell, so that a recording shows the cells separately.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "gpu")]
from real_server import opened, serving  # in the tests' folder

CELL_SECONDS = 300.0
LONGEST_OUTPUT_CHARACTERS = 100_000
LEFT_OUT = "[…]"
FILE_ENTRY = re.compile(r"(\x1b\[[\d;]*m)*File ")
"""How IPython begins the entry of a traceback for a file, with or without colours; for a cell, it says ``Cell``."""


def main() -> None:
    """Run the notebook that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS")
    options = parser.parse_args()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit("ended from outside")
    )  # finished cells are still saved
    notebook = nbformat.read(options.notebook, as_version=4)
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server:
        recording = server.ask("gpuperf/recordings", {}) if options.record else None
        try:
            with opened(server, options.notebook.name) as kernel:
                for cell in notebook.cells:
                    if cell.cell_type == "code":
                        time.sleep(options.pause)
                        run_cell(kernel, cell)
        finally:
            if recording is not None:
                server.ask(f"gpuperf/recordings/{recording['id']}", method="DELETE")
                options.record.write_bytes(server.fetch(f"gpuperf/recordings/{recording['id']}"))
            nbformat.write(notebook, options.notebook)


def run_cell(kernel: BlockingKernelClient, cell: nbformat.NotebookNode) -> None:
    """Run one cell and store its final outputs; stop at a cell that raises, unless its tags say that it does."""
    cell.outputs, shown = [], {}
    print(f"--- {cell.source.partition(chr(10))[0]}", flush=True)

    def heard(message: dict[str, Any]) -> None:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "update_display_data":
            for output in shown.get(content["transient"]["display_id"], ()):
                output.data, output.metadata = content["data"], content["metadata"]
        elif kind == "clear_output":
            cell.outputs.clear()
        elif kind in ("stream", "display_data", "execute_result", "error"):
            keep(cell, nbformat.v4.output_from_msg(message), shown, content)

    answer = kernel.execute_interactive(
        cell.source, output_hook=heard, timeout=CELL_SECONDS, allow_stdin=False
    )
    cell.execution_count = answer["content"].get("execution_count")
    for output in cell.outputs:
        print(*text_of(output).splitlines()[:40], sep="\n", flush=True)
    expected = "raises-exception" in cell.metadata.get("tags", ())  # as nbclient has it
    if answer["content"]["status"] != "ok" and not expected:
        sys.exit(f"This cell failed:\n{cell.source}")


def keep(
    cell: nbformat.NotebookNode,
    output: nbformat.NotebookNode,
    shown: dict[str, list[nbformat.NotebookNode]],
    content: dict[str, Any],
) -> None:
    """Append an output to those of a cell; consecutive text is merged into one output."""
    if output.output_type == "error":
        output.traceback = shortened(output.traceback)
    last = cell.outputs[-1] if cell.outputs else None
    if output.output_type == "stream" and last is not None and last.get("name") == output.name:
        last.text = (last.text + output.text)[-LONGEST_OUTPUT_CHARACTERS:]
        return
    cell.outputs.append(output)
    if name := content.get("transient", {}).get("display_id"):
        shown.setdefault(name, []).append(output)


def shortened(traceback: list[str]) -> list[str]:
    """Return a traceback without the source lines of libraries: for the reader, the notebook's own are enough."""
    kept: list[str] = []
    for entry in traceback:
        if not FILE_ENTRY.match(entry):
            kept.append(entry)
        elif kept[-1:] != [LEFT_OUT]:
            kept.append(LEFT_OUT)
    return kept


def text_of(output: nbformat.NotebookNode) -> str:
    """Return an output as text."""
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.data.get("text/plain", ""))


if __name__ == "__main__":
    main()
