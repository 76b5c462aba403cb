"""The notebook lines in the README run from top to bottom without an error."""

from __future__ import annotations

import subprocess
import sys

from printed_lines import MAGICS, PYTHON


def test_the_readmes_notebook_runs_from_top_to_bottom(tmp_path):
    lines = [line for line in (*MAGICS, *PYTHON) if line.place.startswith("README")]
    ordered = sorted(lines, key=lambda line: int(line.place.rpartition(":")[2]))
    notebook = tmp_path / "readme.ipy"
    notebook.write_text("\n".join(line.text for line in ordered) + "\nprint('to the end')\n")
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", notebook.name],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "to the end" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Error" not in done.stdout + done.stderr
