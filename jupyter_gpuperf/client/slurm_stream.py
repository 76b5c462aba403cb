"""Write the streams of the nodes of the user's running Slurm jobs as one.

It runs in a process of its own, as ``python -m jupyter_gpuperf.client.slurm_stream [COMMAND]``, until its input is closed.
In each job, ``srun`` runs the command as a step that overlaps with the job's own, so it takes nothing from them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec

from jupyter_gpuperf.client.end_of_input import set_at_end_of_input
from jupyter_gpuperf.recordings.recording_format import FORMAT
from jupyter_gpuperf.schemas import Devices, NoDevices, encode
from jupyter_gpuperf.sources.streams.child import ChildStream
from jupyter_gpuperf.sources.streams.messages import END, NotAStream, one_line

POLL_SECONDS: Final = 15.0
"""Between two questions to Slurm's controller, which serves a whole cluster."""
SQUEUE_SECONDS: Final = 30.0
COMMAND: Final = (sys.executable, "-m", "jupyter_gpuperf", "stream")
"""By default, the same environment: clusters have shared file systems."""
KEPT: Final = ("SLURM_CONF",)
MOST_JOBS: Final = 32
OURS: Final = "slurm"
"""The machine that has no devices, and says why."""


class Output:
    """Writes whole lines from several threads. Once nobody reads them, an event is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop, self._lock = stop, threading.Lock()

    def write(self, *lines: bytes) -> None:
        """Write lines, given without their ends."""
        try:
            with self._lock:
                sys.stdout.buffer.writelines(line + b"\n" for line in lines)
                sys.stdout.buffer.flush()
        except OSError:
            self._stop.set()


class Job:
    """The stream of one job."""

    def __init__(self, number: str, nodes: str, command: Sequence[str], output: Output) -> None:
        self._number, self._output = number, output
        self._machines: set[str] = set()
        options = (f"--jobid={number}", f"--nodes={nodes}", "--ntasks-per-node=1", "--overlap")
        start = ["srun", *options, "--mpi=none", "--quiet", "--", *command]
        self.stream = ChildStream(start, self._take)

    @property
    def why_nothing(self) -> str:
        """Why nothing comes; empty while something does."""
        return f"job {self._number}: {self.stream.reason}" if self.stream.reason else ""

    def stop(self) -> None:
        """End the stream, and say so of its machines."""
        self.stream.stop()
        self._output.write(*(encode({"machine": each, "type": END}) for each in self._machines))

    def _take(self, line: bytes) -> bool:
        """Pass a line on. The machine's name gets the job's number: two jobs may run on one node."""
        try:
            message: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise NotAStream(one_line(str(error))) from error
        name = message.get("machine") or message.get("host") or ""
        message["machine"] = f"{name}#{self._number}"
        self._machines.add(message["machine"])
        self._output.write(encode(message))
        return message.get("type") == "frame"


class Follower:
    """Follows the jobs: new ones are read, ended ones left."""

    def __init__(self, command: Sequence[str], output: Output) -> None:
        self._command, self._output = command, output
        self._jobs: dict[str, Job] = {}

    def update(self, running: Mapping[str, str]) -> None:
        """Take in the running jobs: number → number of nodes."""
        ended = [self._jobs.pop(each) for each in set(self._jobs) - set(running)]
        self._stop(ended)
        for number, nodes in [*running.items()][:MOST_JOBS]:
            if number not in self._jobs:
                job = self._jobs[number] = Job(number, nodes, self._command, self._output)
                job.stream.start()
        for each in self._jobs.values():
            each.stream.look()
        self._output.write(*self._explanation())

    def close(self) -> None:
        """End all."""
        self._stop([*self._jobs.values()])

    def _explanation(self) -> Iterator[bytes]:
        """Say why there may be no devices. It also shows that this process is alive."""
        reasons = [each.why_nothing for each in self._jobs.values() if each.why_nothing]
        message = "You have no running Slurm job." if not self._jobs else "; ".join(reasons)
        reason = NoDevices(
            code="no_jobs" if not self._jobs else "stream_ended",
            message=message or "Waiting for the nodes of your Slurm jobs.",
            hint="Jobs are looked for by squeue; each node needs jupyter_gpuperf.",
        )
        devices = Devices(devices=[], reason=reason)
        yield encode({"format": FORMAT, "host": OURS})
        yield encode({"machine": OURS, "type": "devices", "devices": devices})

    @staticmethod
    def _stop(jobs: Sequence[Job]) -> None:
        if jobs:
            with ThreadPoolExecutor(len(jobs)) as threads:
                list(threads.map(Job.stop, jobs))


def running_jobs() -> dict[str, str]:
    """Return the user's running jobs: number → number of nodes.

    Raises
    ------
    OSError
        There is no ``squeue``.
    subprocess.SubprocessError
        It failed.
    """
    options = (f"--user={os.getuid()}", "--states=RUNNING", "--noheader", "--format=%A %D")
    done = subprocess.run(
        ["squeue", *options], capture_output=True, text=True, check=True, timeout=SQUEUE_SECONDS
    )
    return dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)


def main() -> int:
    """Follow the jobs until the input is closed; return the exit code."""
    stop = threading.Event()
    set_at_end_of_input(stop)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    for name in [each for each in os.environ if each.startswith("SLURM_") and each not in KEPT]:
        del os.environ[name]  # of the job in which the server may run
    follower = Follower(sys.argv[1:] or COMMAND, Output(stop))
    running: dict[str, str] | None = None
    with contextlib.closing(follower):
        while not stop.is_set():
            try:
                running = running_jobs()
            except (OSError, subprocess.SubprocessError) as error:
                print(_reason(error), file=sys.stderr)  # noqa: T201  (the server shows it)
                if running is None:
                    return 1
            follower.update(running)
            stop.wait(POLL_SECONDS)
    return 0


def _reason(error: OSError | subprocess.SubprocessError) -> str:
    said = getattr(error, "stderr", "") or ""
    return one_line(said) or f"squeue: {error}"


if __name__ == "__main__":
    sys.exit(main())
