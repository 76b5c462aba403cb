"""The GPUs of a machine that ssh reaches, over a real server of OpenSSH on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from waiting import wait_until

from jupyter_gpuperf.recordings.load import PACKAGED_FOLDER

SBIN = f"{os.environ['PATH']}:/usr/sbin:/sbin"
FILES = ",".join(map(str, sorted(PACKAGED_FOLDER.glob("*.jsonl.gz"))))
SERVER = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
SetEnv PATH={path} JUPYTER_GPUPERF_SOURCE=replay:{files}
"""
CLIENT = """
Host *
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    StrictHostKeyChecking accept-new
Host node7
    HostName 127.0.0.1
    Port {port}
Host refused
    HostName 127.0.0.1
    Port {closed_port}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a server's configuration and keys, while the server runs."""
    sshd = shutil.which("sshd", path=SBIN)
    if not sshd or not shutil.which("ssh"):
        pytest.skip("not installed: openssh-server or openssh-client")
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host_key", "key"):
        make = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        subprocess.run(make, check=True)
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        ports = {"port": one.getsockname()[1], "closed_port": two.getsockname()[1]}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    texts = {"folder": folder, "path": path, "files": FILES, **ports}
    (folder / "sshd_config").write_text(SERVER.format(**texts))
    (folder / "config").write_text(CLIENT.format(**texts))
    wrapper = folder / "bin" / "ssh"  # reads no file of the person who runs the tests
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n')
    wrapper.chmod(0o755)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = (folder / "sshd.log").open("wb")
    server = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    wait_until((folder / "sshd.pid").exists, "The server's start")
    yield folder
    server.terminate()
    server.wait()
    log.close()


@pytest.fixture(autouse=True)
def _path(folder, monkeypatch):
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")


def has_readings(source):
    """Return whether readings have come that are no marks of missing ones."""
    return any(
        isinstance(value, float)
        for sample in source.read()
        for each in sample.devices.values()
        for value in each.values()
    )


def clients():
    """Return the ssh processes of this one."""
    return [each for each in psutil.Process().children(recursive=True) if each.name() == "ssh"]


def remote():
    """Return the processes that write streams, on the other end: those of the server's sessions."""
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if "stream" in (line := each.info["cmdline"] or []) and "gpuperf" in " ".join(line)
    ]


def test_a_session_that_was_killed_is_begun_again(opened):
    source = opened("ssh:node7")
    wait_until(lambda: has_readings(source), "The first readings")
    assert {each.state for each in source.devices().devices} == {"ok"}
    (client,) = clients()
    client.send_signal(signal.SIGKILL)
    client.wait()
    list(source.read())
    wait_until(lambda: has_readings(source), "New readings")
    assert clients()[0].pid != client.pid


def test_nothing_is_left_on_the_other_machine(opened):
    source = opened("ssh:node7")
    wait_until(lambda: has_readings(source), "The first readings")
    assert remote()
    source.close()
    wait_until(lambda: not remote(), "The end of the command there")
    assert not clients()


def test_a_refused_connection_is_said(opened):
    source = opened("ssh:refused")
    wait_until(lambda: source.devices().reason.code == "stream_ended", "The end of the command")
    reason = source.devices().reason.message
    assert reason.startswith("No readings from ssh:refused: ")
    assert "Connection refused" in reason
