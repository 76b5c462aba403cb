"""The GPUs of the nodes of Slurm jobs, on a real Slurm of two nodes."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

import psutil
import pytest
from real_slurm import PROGRAMS, running_cluster
from waiting import wait_until

from jupyter_gpuperf.recordings.load import PACKAGED_FOLDER

FILES = ",".join(map(str, sorted(PACKAGED_FOLDER.glob("*.jsonl.gz"))))
SBIN = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def stream(*options):
    """Return a command that streams recorded devices."""
    words = (sys.executable, "-m", "jupyter_gpuperf", "stream", *options, "--source")
    return shlex.join([*words, f"replay:{FILES}"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    missing = [each for each in PROGRAMS if not shutil.which(each, path=SBIN)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    with running_cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _asks_the_cluster(cluster, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])


def hosts(source):
    """Return the machines whose devices answer."""
    return {each.host for each in source.devices().devices if each.state != "not_answering"}


def hosts_read(source):
    """Return the machines of which new readings have come."""
    return {
        sample.host
        for sample in source.read()
        if any(
            isinstance(value, float) for each in sample.devices.values() for value in each.values()
        )
    }


def sruns():
    """Return the processes of srun that this one started, also by others."""
    return [each for each in psutil.Process().children(recursive=True) if each.name() == "srun"]


def test_the_nodes_of_running_jobs_are_followed(cluster, opened):
    source = opened(f"slurm:{stream()}")
    wait_until(lambda: source.devices().reason.code == "no_jobs", "The reason")
    assert source.devices().reason.message == "You have no running Slurm job."
    number = cluster.submit(nodes=2)
    wait_until(lambda: hosts(source) == {"node1", "node2"}, "The nodes' devices")
    seen = set()
    wait_until(lambda: seen.update(hosts_read(source)) or seen == {"node1", "node2"}, "Readings")
    other = cluster.submit(nodes=1)  # on a node that is seen already: its devices count once
    listed = source.devices().devices
    assert len({each.uuid for each in listed}) == len(listed)
    cluster.cancel(number)
    wait_until(lambda: len(hosts(source)) == 1, "The end of the first job")
    cluster.cancel(other)
    wait_until(lambda: not source.devices().devices, "The end of the second job")
    assert not sruns()


def test_closing_the_source_ends_what_runs_on_the_nodes(cluster, opened):
    number = cluster.submit(nodes=2)
    source = opened(f"slurm:{stream()}")
    wait_until(lambda: hosts(source) == {"node1", "node2"}, "The nodes' devices")
    assert sruns()
    source.close()
    assert not sruns()
    steps = ("squeue", "--steps", "-h", "-j", number, "-o", "%i")
    wait_until(
        lambda: all(each.endswith((".batch", ".extern")) for each in cluster.ask(*steps).split()),
        "The steps' end",
    )
    cluster.cancel(number)


def test_long_lines_of_several_nodes_are_not_mixed(cluster, opened):
    number = cluster.submit(nodes=2)
    options = "--nodes=2 --ntasks-per-node=1 --overlap --quiet"
    source = opened(f"exec:srun --jobid={number} {options} {stream('--interval-ms', '100')}")
    counts = {"node1": 0, "node2": 0}

    def both_delivered():
        for sample in source.read():
            counts[sample.host] += len(sample.devices) > 0
        return min(counts.values()) >= 40

    wait_until(both_delivered, "Forty readings of each node")
    assert source._child.reason == ""  # it never ended for a line that is none
    assert sum(counts.values()) < 3 * min(counts.values())
    cluster.cancel(number)


def test_without_slurm_the_reason_is_said(opened, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", "/nowhere/slurm.conf")
    source = opened("slurm:")
    wait_until(lambda: "slurm" in source.devices().reason.message.lower(), "The reason")
    wait_until(lambda: source.devices().reason.code == "stream_ended", "The end of the command")
