"""``jupyter gpuperf demo``: open JupyterLab with the live panel and a notebook that measures this machine.

If no device responds, recordings of an H100 are replayed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from jupyter_gpuperf.config import SOURCE_VARIABLE
from jupyter_gpuperf.errors import BadRequest, Unavailable
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import translated
from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.recordings.load import PACKAGED_FOLDER
from jupyter_gpuperf.sources import Source, source_from

NOTEBOOK: Final = Path(__file__).with_name("demo.ipynb")
FOLDER: Final = "gpuperf-demo"
PACKAGES: Final = ("jupyterlab", "ipykernel", "torch", "numpy", "PIL")


def demo(
    folder: Path,
    *,
    source: str | None = None,
    port: int | None = None,
    browser: bool = True,
    run: Callable[[Sequence[str], Mapping[str, str]], int] | None = None,
) -> int:
    """Copy the demo notebook to ``folder``, open it in JupyterLab, and return JupyterLab's exit code.

    An existing copy is kept, because it may contain the user's changes.

    Parameters
    ----------
    source
        The source of the readings, as in :attr:`Settings.source`; by default :func:`demo_source`.
    port
        The port of the server; by default JupyterLab chooses it.
    browser
        Whether to open a browser.
    run
        Runs a command with an environment, and returns its exit code.

    Raises
    ------
    Unavailable
        ``package_missing``: JupyterLab or a package of the notebook is not installed in this environment.
    BadRequest
        ``folder_not_writable``: the notebook could not be copied. ``unknown_source``, or why the source has no device.
    """
    missing = [each for each in PACKAGES if importlib.util.find_spec(each) is None]
    if missing:
        message = "The demo needs {packages}; not installed for {python}."
        hint = "Run: {python} -m pip install 'jupyter_gpuperf[demo]'"
        values = {"packages": missing, "python": sys.executable}
        raise Unavailable("package_missing", message, hint, **values)
    asked = source or os.environ.get(SOURCE_VARIABLE)
    if asked and asked not in ("auto", "none"):
        _check(asked)
    notebook = _copy_into(folder)
    chosen = asked or demo_source()
    if chosen != "auto" and not asked:
        replays = "No GPU found: the panel replays recordings of an H100, host included."
        print(translated(Message(replays)))  # noqa: T201
    print(translated(Message("Source: {source}", source=chosen)))  # noqa: T201
    print(translated(Message("Notebook: {path}", path=notebook)), flush=True)  # noqa: T201
    root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    command = [
        *(sys.executable, "-m", "jupyterlab", *root),
        *([] if browser else ["--no-browser"]),
        *([] if port is None else [f"--port={port}"]),
        f"--ServerApp.root_dir={folder.absolute()}",
        f"--LabApp.default_url=/lab/tree/{NOTEBOOK.name}",
        "--GpuPerf.open_panel=True",
    ]
    return (run or _run)(command, {**os.environ, SOURCE_VARIABLE: chosen})


def demo_source(make: Callable[[], Source] | None = None) -> str:
    """Return ``auto`` if a device responds, otherwise the packaged recordings, one per device."""
    source = make() if make is not None else source_from("nvml", all_metrics())
    source.open()
    try:
        has_device = bool(source.devices().devices)
    finally:
        source.close()
    files = ",".join(str(path) for path in sorted(PACKAGED_FOLDER.glob("*.gz")))
    return "auto" if has_device else f"replay:{files}"


def _check(address: str) -> None:
    """Refuse a source without devices here: JupyterLab would show the reason only in the panel."""
    source = source_from(address, all_metrics())
    source.open()
    try:
        found = source.devices()
    finally:
        source.close()
    if found.reason is not None and not found.devices:
        raise BadRequest(found.reason.code, found.reason.message, found.reason.hint)


def _copy_into(folder: Path) -> Path:
    copy = folder / NOTEBOOK.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            shutil.copyfile(NOTEBOOK, copy)
    except OSError as error:
        message, hint = "Can't write to {folder}: {error}.", "Choose another folder."
        raise BadRequest(
            "folder_not_writable", message, hint, folder=folder, error=error.strerror or error
        ) from error
    return copy


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    if os.name == "posix":  # replace this process, so that ending it ends the server
        os.execve(command[0], list(command), dict(environment))
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:  # the server was interrupted too, and has asked for confirmation
        return 0
