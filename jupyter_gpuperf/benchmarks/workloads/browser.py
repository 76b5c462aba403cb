"""Control a headless Chromium through pipes, without a port or another package. Standard library only.

Uses the DevTools protocol: JSON messages, each followed by a null byte.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any, Final

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.messages import Message

PROGRAM_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS: Final = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LAUNCHER: Final = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
for place, pipe in zip((3, 4), pipes):
    os.dup2(pipe, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads from file descriptor 3 and writes to 4; this program moves our pipes there, then starts it."""
POLL_SECONDS: Final = 0.01


def find_browser() -> str | None:
    """Return the path of Chromium: ``GPUPERF_BROWSER``, else the first one on the PATH; ``None`` if there is none."""
    names = (os.environ.get("GPUPERF_BROWSER", ""), *PROGRAM_NAMES)
    return next((path for name in names if name and (path := shutil.which(name))), None)


class Browser:
    """A browser with one page.

    Parameters
    ----------
    program
        Path of the Chromium executable.
    profile
        Path of an empty folder for the profile, so that nothing is cached.
    """

    def __init__(self, program: str, profile: str) -> None:
        from_us, self._to_browser = os.pipe()
        self._from_browser, from_browser = os.pipe()
        root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        command = [program, *FLAGS, *root, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", LAUNCHER, str(from_us), str(from_browser), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(from_us, from_browser),
            start_new_session=True,
        )
        os.close(from_us)
        os.close(from_browser)
        self._number, self._session, self._received = 0, "", b""

    def close(self) -> None:
        """Kill the browser and all its child processes."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._to_browser)
        os.close(self._from_browser)

    def attach(self, limit_seconds: float) -> None:
        """Wait for the browser to start, and attach to a new page.

        Raises
        ------
        GpuPerfError
            ``browser_failed``: the browser did not answer in time, or exited.
        """
        ends_at = time.monotonic() + limit_seconds
        target = self._call("Target.createTarget", ends_at, url="about:blank")["targetId"]
        answer = self._call("Target.attachToTarget", ends_at, targetId=target, flatten=True)
        self._session = answer["sessionId"]

    def open_until(self, address: str, condition: str, limit_seconds: float) -> float:
        """Open ``address``, and return the seconds until the JavaScript ``condition`` is true.

        Raises
        ------
        GpuPerfError
            ``browser_failed``: the condition did not become true in time, or the browser exited.
        """
        began = time.monotonic()
        ends_at = began + limit_seconds
        self._call("Page.navigate", ends_at, url=address)
        while True:
            answer = self._call("Runtime.evaluate", ends_at, expression=f"Boolean({condition})")
            if answer.get("result", {}).get("value") is True:
                return time.monotonic() - began
            time.sleep(POLL_SECONDS)

    def _call(self, method: str, ends_at: float, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        try:
            os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        except OSError as error:
            raise _browser_error(Message("it exited")) from error
        while (answer := self._next(ends_at)).get("id") != self._number:
            pass  # an event, or a late answer
        if "error" in answer:
            raise _browser_error(str(answer["error"].get("message", "")))
        return dict(answer.get("result", {}))

    def _next(self, ends_at: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            left_seconds = max(0.0, ends_at - time.monotonic())
            readable, _, _ = select.select([self._from_browser], [], [], left_seconds)
            if not readable:
                raise _browser_error(Message("the page was not ready in time"))
            chunk = os.read(self._from_browser, 1 << 16)
            if not chunk:
                raise _browser_error(Message("it exited"))
            self._received += chunk
        line, _, self._received = self._received.partition(b"\0")
        return dict(json.loads(line))


def _browser_error(reason: str) -> GpuPerfError:
    return GpuPerfError(
        "browser_failed",
        "The browser could not show the page: {reason}.",
        "Open JupyterLab in this browser to see why, or set GPUPERF_BROWSER to another browser.",
        reason=reason,
    )
