"""Benchmark of start-up times: JupyterLab's server, its extensions and page, importing torch, and the shell.

The server starts with the user's own configuration and extensions, on a free local port and in an empty folder. Its
time ends when it responds. An extension's share is the time between its line in the server's log and the line before.
If Chromium is installed, it opens the page with an empty cache; this time ends when the splash screen is gone.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import re
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.browser import Browser, find_browser
from jupyter_gpuperf.benchmarks.workloads.child import last_line, run_program
from jupyter_gpuperf.errors import GpuPerfError, Unavailable
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import median_interval
from jupyter_gpuperf.messages import Message

TIMEOUT_SECONDS: Final = 120.0
SHELL_RUNS_PER_ROUND: Final = 3
LOG_LINE: Final = re.compile(r"^\[\w (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) \S+\] (.*)$")
EXTENSION_LINE: Final = re.compile(r"^(\S+) \| extension was successfully (?:linked|loaded)")
PAGE_IS_READY: Final = (
    "document.querySelector('#jp-main-dock-panel') && !document.querySelector('#jupyterlab-splash')"
)
IMPORT_TORCH_PROGRAM: Final = """
began = time.perf_counter()
import torch
answer(seconds=time.perf_counter() - began)
"""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure each start-up time in several rounds; see the module docstring."""
    starters = _starters(parameters, context)
    samples: dict[str, list[float]] = {}
    rounds = parameters["rounds"]
    for number in range(rounds):
        for index, (name, starter) in enumerate(starters.items()):
            message = "{name}, round {number} of {rounds}"
            progress = Message(message, name=Message(name), number=number + 1, rounds=rounds)
            context.progress((number + index / len(starters)) / rounds, progress)
            for figure, seconds in starter().items():
                samples.setdefault(f"{figure}_seconds", []).append(seconds)
    context.warn("The first round reads from disk; the others find the files in memory.")
    # Order of the figures: the slowest first, extensions last.
    ordered = sorted(samples, key=lambda name: (name.startswith("extension"), -samples[name][-1]))
    complete = [name for name in ordered if len(samples[name]) == rounds]
    return Measured(
        unit="seconds",
        figures={name: median_interval(samples[name]) for name in complete},
        samples=samples,
        environment={**describe(), "shell": os.environ.get("SHELL")},
    )


def _starters(
    parameters: Mapping[str, Any], context: Context
) -> dict[str, Callable[[], Mapping[str, float]]]:
    """Return what can be started here: name → function that starts it and returns the seconds per figure."""
    starters: dict[str, Callable[[], Mapping[str, float]]] = {}
    if parameters["server"]:
        if importlib.util.find_spec("jupyterlab"):
            program = find_browser() if parameters["page"] else None
            if parameters["page"] and program is None:
                context.warn("Skipped opening the page: no Chromium found.")
            starters["server"] = functools.partial(_time_server, program)
        else:
            context.warn("Skipped JupyterLab: not installed in this environment.")
    if importlib.util.find_spec("torch"):
        starters["torch"] = _time_torch_import
    else:
        context.warn("Skipped torch: not installed in this environment.")
    shell = os.environ.get("SHELL", "")
    if shell and Path(shell).exists():
        starters["shell"] = lambda: _time_shell(shell)
    if not starters:
        nothing = "Found no JupyterLab, torch or shell."
        raise Unavailable("nothing_to_start", nothing, "Use an environment that has one.")
    return starters


def _time_server(browser: str | None) -> dict[str, float]:
    """Start JupyterLab, wait until it responds, open its page, and stop it; return the seconds per figure."""
    with tempfile.TemporaryDirectory(prefix="gpuperf-startup-") as folder:
        home = Path(folder)
        token = secrets.token_hex(16)
        log, runtime = home / "log", home / "runtime"
        began = time.perf_counter()
        with log.open("w") as output:
            process = subprocess.Popen(
                _server_command(home),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | {"JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": str(runtime)},
                start_new_session=True,
            )
        try:
            address = _wait_until_ready(process, runtime, token, log)
            seconds = time.perf_counter() - began
            page = _time_page(browser, f"{address}lab?token={token}", home) if browser else {}
        finally:
            _stop_server(process)
        shares = extension_seconds(log.read_text(errors="replace").splitlines())
        return {"server": seconds, **page, **shares}


def _server_command(home: Path) -> list[str]:
    root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0"),
        *("--ServerApp.ip=127.0.0.1", "--ServerApp.log_level=INFO"),
        *(f"--ServerApp.root_dir={home}", *root),
    ]


def _wait_until_ready(
    process: subprocess.Popen[bytes], runtime: Path, token: str, log: Path
) -> str:
    hint = "Start it in a terminal to see why."
    ends_at = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < ends_at:
        if process.poll() is not None:
            raise GpuPerfError(
                "server_did_not_start",
                "JupyterLab exited with code {exit_code}: {last_line}",
                hint,
                exit_code=process.returncode,
                last_line=last_line(log.read_text(errors="replace")),
            )
        for file in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                address = json.loads(file.read_text())["url"]
                request = urllib.request.Request(
                    f"{address}api/status", headers={"Authorization": f"token {token}"}
                )
                with urllib.request.urlopen(request, timeout=5):
                    return str(address)
        time.sleep(0.005)
    message = "JupyterLab did not respond within {seconds:.0f} s."
    raise GpuPerfError("server_did_not_start", message, hint, seconds=TIMEOUT_SECONDS)


def _time_page(program: str, address: str, home: Path) -> dict[str, float]:
    with contextlib.closing(Browser(program, str(home / "profile"))) as browser:
        browser.attach(TIMEOUT_SECONDS)
        return {"page": browser.open_until(address, PAGE_IS_READY, TIMEOUT_SECONDS)}


def _stop_server(process: subprocess.Popen[bytes]) -> None:
    """Stop the server, and kill its child processes, which are in its process group."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with contextlib.suppress(OSError, AttributeError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def extension_seconds(lines: Sequence[str]) -> dict[str, float]:
    """Return the seconds per extension, from the lines of a server's log: linking (which imports it) plus loading."""
    shares: dict[str, float] = {}
    before: datetime | None = None
    for line in lines:
        matched = LOG_LINE.match(line)
        if not matched:
            continue
        now = datetime.strptime(matched[1], "%Y-%m-%d %H:%M:%S.%f")
        extension = EXTENSION_LINE.match(matched[2])
        if extension and before is not None:
            name = f"extension_{re.sub('[^A-Za-z0-9]+', '_', extension[1])}"
            shares[name] = shares.get(name, 0.0) + max(0.0, (now - before).total_seconds())
        before = now
    return shares


def _time_torch_import() -> dict[str, float]:
    answer = run_program(
        IMPORT_TORCH_PROGRAM,
        error_code="import_failed",
        package="torch",
        hint="Reinstall torch.",
        limit_seconds=TIMEOUT_SECONDS,
    )
    return {"import_torch": answer["seconds"]}


def _time_shell(shell: str) -> dict[str, float]:
    samples = []
    for _ in range(SHELL_RUNS_PER_ROUND):
        began = time.perf_counter()
        try:
            subprocess.run(
                [shell, "-i", "-c", "exit"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                timeout=TIMEOUT_SECONDS,
                start_new_session=True,  # an interactive shell would take over our terminal
            )
        except subprocess.TimeoutExpired:
            raise GpuPerfError(
                "shell_did_not_start",
                "{shell} did not start within {seconds:g} s.",
                "Run {shell} -i -c exit in a terminal to see what it waits for.",
                shell=shell,
                seconds=TIMEOUT_SECONDS,
            ) from None
        samples.append(time.perf_counter() - began)
    return {"shell": statistics.median(samples)}


BENCHMARK = Benchmark(
    name="startup",
    label="Start-up",
    help="Time to start JupyterLab's server, with each extension's share; to open its page; to import torch; and to "
    "open the shell.",
    parameters=(
        Parameter.integer("rounds", 5, (2, 50), "Number of starts."),
        Parameter.boolean("server", True, "Start JupyterLab too, not only torch and the shell."),
        Parameter.boolean("page", True, "Open JupyterLab's page in headless Chromium, if found."),
    ),
    run=run,
)
