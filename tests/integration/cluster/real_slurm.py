"""A Slurm cluster of two nodes on loopback: its controller, and a daemon for each node."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from waiting import wait_until

CONFIGURATION = """
ClusterName=tests
SlurmctldHost=localhost
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MinJobAge=10
KillWait=2
SlurmdParameters=config_overrides
NodeName=node[1-2] NodeHostname=localhost Port=[{ports[1]}-{ports[2]}] CPUs=4 Boards=1 Sockets=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=100
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
"""
PROGRAMS = ("munged", "slurmctld", "slurmd", "srun")
END_SECONDS = 20


@dataclass
class Cluster:
    """Submits and cancels jobs."""

    environment: dict[str, str]

    def ask(self, *command: str) -> str:
        """Run a command of Slurm; return what it prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def submit(self, nodes: int, seconds: int = 600) -> str:
        """Start a job that only sleeps; return its number once it runs."""
        options = ("--parsable", f"--nodes={nodes}", "--output=/dev/null", "--chdir=/")
        number = self.ask("sbatch", *options, f"--wrap=sleep {seconds}").strip()
        wait_until(
            lambda: self.ask("squeue", "-h", "-j", number, "-o", "%T").strip() == "RUNNING",
            "A job's start",
        )
        return number

    def cancel(self, number: str) -> None:
        """End a job."""
        self.ask("scancel", number)


def free_ports(count: int) -> list[int]:
    """Return free ports in a row: Slurm takes the nodes' ports as a range."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            rest = [first + i for i in range(1, count)]
            for port in rest:
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return [first, *rest]


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster whose files are in a folder; end all of it."""
    folder.chmod(0o755)
    (folder / "state").mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    configuration = folder / "slurm.conf"
    ports = free_ports(3)
    configuration.write_text(CONFIGURATION.format(folder=folder, user=user, ports=ports))
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    environment = {**os.environ, "PATH": path, "SLURM_CONF": str(configuration)}
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log"}
    munge = [f"--{option}={folder}/munge.{end}" for option, end in files.items()]
    with contextlib.ExitStack() as stack:

        def start(*command: str) -> None:
            log = stack.enter_context((folder / f"{command[0]}.out").open("ab"))
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            stack.callback(ended, process)

        start("munged", "-F", "--force", *munge, f"--seed-file={folder}/munge.seed")
        wait_until((folder / "munge.socket").exists, "munged's start")
        start("slurmctld", "-D")
        for name in ("node1", "node2"):
            start("slurmd", "-D", "-N", name)
        cluster = Cluster(environment)
        stack.callback(end_all_jobs, cluster)
        wait_until(lambda: is_idle(cluster), "The cluster's start")
        yield cluster


def is_idle(cluster: Cluster) -> bool:
    """Return whether both nodes wait for jobs."""
    try:
        return cluster.ask("sinfo", "-h", "-o", "%D %t").strip() == "2 idle"
    except subprocess.CalledProcessError:
        return False


def end_all_jobs(cluster: Cluster) -> None:
    """Cancel the jobs, and wait until no process of theirs is left."""
    cluster.ask("scancel", "--state=RUNNING")
    wait_until(lambda: not cluster.ask("squeue", "-h").strip(), "The jobs' end")


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a daemon."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
