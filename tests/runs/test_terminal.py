"""What a run writes beside its script: in one row of a terminal that is its own, in any encoding, and never waiting."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios

import pytest
from script_runs import GPUPERF, PATIENCE_SECONDS, command, environment, run
from waiting import wait_until

from jupyter_gpuperf.runs.error_output import ErrorOutput
from jupyter_gpuperf.runs.terminal import StatusLine

REGION = "\x1b[1;{}r"
WHOLE = "\x1b[r"
COUNTS_CTRL_C = """
import time
count = 0
while not count:
    try:
        print("begun", flush=True)
        time.sleep(100)
    except KeyboardInterrupt:
        count += 1
try:
    time.sleep(0.5)
except KeyboardInterrupt:
    count += 1
print("interrupts:", count, flush=True)
raise KeyboardInterrupt
"""


class Written(ErrorOutput):
    """Keeps what is written."""

    def __init__(self):
        super().__init__()
        self.text = ""

    def write(self, text, *, is_dropped=True):
        self.text += text

    def take(self):
        text, self.text = self.text, ""
        return text


@pytest.fixture
def terminal():
    """A terminal without a job, as (its own descriptor, that of programs in it)."""
    ends = pty.openpty()
    yield ends
    for each in ends:
        os.close(each)


def resize(descriptor, rows, columns):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def test_the_last_row_is_kept_while_the_terminal_is_large_enough(terminal):
    own, inner = terminal
    output = Written()
    line = StatusLine(output, inner)
    resize(own, 24, 20)
    line.show("train.py\n\x1b[2Jstep · 一二三四五六七八", 1.0)
    text = output.take()
    assert REGION.format(23) in text
    shown = re.search(r"\x1b\[7m(.*)\x1b\[0m", text)[1]
    assert shown == "train.py step · 一…"
    line.show("again", 2.0)
    assert REGION.format(23) not in output.take()
    resize(own, 30, 20)
    line.show("again", 3.0)
    assert REGION.format(29) in output.take()
    resize(own, 3, 20)
    line.show("again", 4.0)
    assert WHOLE in output.take()
    line.show("again", 5.0)
    line.close()
    assert output.take() == ""


class Shell:
    """An interactive shell in a terminal, with job control."""

    def __init__(self, folder):
        pid, self._descriptor = pty.fork()
        if pid == 0:
            os.chdir(folder)
            settings = environment(PS1="$ ", TERM="xterm", HISTFILE="/dev/null", LC_ALL="C.UTF-8")
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], settings)
        self._pid, self.text = pid, ""
        resize(self._descriptor, 24, 80)
        os.set_blocking(self._descriptor, False)

    def type(self, text):
        """Type, and forget what was shown before."""
        self.text = ""
        os.write(self._descriptor, text.encode())

    def see(self, text):
        """Wait until the terminal was sent this text."""

        def is_there():
            with contextlib.suppress(BlockingIOError):
                self.text += os.read(self._descriptor, 1 << 16).decode(errors="replace")
            return text in self.text

        wait_until(is_there, f"Seeing {text!r} in {self.text!r}")

    def close(self):
        os.close(self._descriptor)  # hangs up, which ends the shell and its jobs
        os.waitpid(self._pid, 0)


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def test_job_control_is_as_without_a_run(shell, tmp_path):
    (tmp_path / "count.py").write_text(COUNTS_CTRL_C)
    started = " ".join([*GPUPERF, "count.py"])
    shell.type(f"{started}\n")
    shell.see("no steps yet")
    assert REGION.format(23) in shell.text
    shell.type("\x1a")
    shell.see("Stopped")
    assert WHOLE in shell.text.partition("Stopped")[0]
    shell.type("fg\n")
    shell.see("no steps yet")
    shell.type("\x03")
    shell.see("interrupts: 1")
    shell.see("exit status 130")
    assert WHOLE in shell.text.partition("exit status")[0]
    # All streams are redirected: Ctrl-C reaches the script from the terminal all the same, and once. The loop ends.
    shell.type(f"for i in 1 2; do {started} < /dev/null >> out 2>> errors; done; echo $?-end\n")
    wait_until(lambda: (tmp_path / "out").exists() and (tmp_path / "out").read_text(), "The script")
    shell.type("\x03")
    wait_until(lambda: "interrupts" in (tmp_path / "out").read_text(), "The interrupt")
    wait_until(lambda: "exit status" in (tmp_path / "errors").read_text(), "The summary")
    assert "interrupts: 1" in (tmp_path / "out").read_text()
    shell.type("echo $((20+3))\n")
    shell.see("23")
    assert (tmp_path / "out").read_text().count("begun") == 1


@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_signal_comes_once_whether_the_run_or_its_whole_group_got_it(tmp_path, send):
    process = subprocess.Popen(
        command(tmp_path, COUNTS_CTRL_C),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "begun\n"
    send(process.pid, signal.SIGINT)  # a notebook's interrupt goes to the group of its kernel
    assert process.communicate(timeout=PATIENCE_SECONDS)[0] == "interrupts: 1\n"
    assert process.returncode == -signal.SIGINT  # as without a run: shells know it as 130


def test_an_exit_status_that_looks_like_a_signal_is_none(tmp_path):
    assert run(tmp_path, "raise SystemExit(130)").returncode == 130


def test_nobody_reads_what_a_run_writes(tmp_path):
    """A pipe that is full must neither hide the script's end nor lose the files; a signal ends the wait."""
    reading, writing = os.pipe()
    code = """
import os
os.set_blocking(2, False)
try:
    while True:
        os.write(2, bytes(4096))
except BlockingIOError:
    pass
os.set_blocking(2, True)
"""
    process = subprocess.Popen(
        command(tmp_path, code, "--save", "run.json"),
        cwd=tmp_path,
        env=environment(),
        stderr=writing,
    )
    os.close(writing)
    saved = tmp_path / "run.json"
    wait_until(lambda: saved.exists() and saved.read_bytes().endswith(b"}\n"), "The file")
    with pytest.raises(subprocess.TimeoutExpired):  # a reader may come yet
        process.wait(0.3)
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 0
    os.close(reading)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-"])
def test_a_closed_stream_is_as_without_a_run(tmp_path, closed):
    (tmp_path / "train.py").write_text("import sys; sys.exit(3)")
    ended = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *GPUPERF, "train.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 3
    assert "Traceback" not in ended.stderr
    assert ("train.py" in ended.stderr) == (closed != "2>&-")


def test_what_an_encoding_lacks_is_replaced(tmp_path):
    ended = run(tmp_path, "import sys; sys.exit(4)", PYTHONIOENCODING="ascii:strict")
    assert ended.stderr.startswith("train.py  ")
    assert " ? exit status 4" in ended.stderr
    assert "\\x" not in ended.stderr


def test_a_parent_that_ignores_its_children_does_not_lose_the_status(tmp_path):
    ignored = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            ["bash", "-c", '"$@"; echo $?', "bash", *command(tmp_path, "raise SystemExit(5)")],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.communicate(timeout=PATIENCE_SECONDS)[0] == "5\n"
    finally:
        signal.signal(signal.SIGCHLD, ignored)
