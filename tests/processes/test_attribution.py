"""Which notebook a process belongs to: on real processes, and on a /proc of a container's making."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import psutil
import pytest

from jupyter_gpuperf.kernel_link.memory_reports import ReportedMemory
from jupyter_gpuperf.processes.attribution import Attribution, RunningKernel
from jupyter_gpuperf.processes.pid_namespace import INITIAL_PID_NAMESPACE
from jupyter_gpuperf.processes.process_table import ProcessTable
from jupyter_gpuperf.schemas import KernelInfo, ListedProcess

GPU = "GPU-0000"
GIB = float(1 << 30)


def on_device(pid: int) -> dict:
    process = ListedProcess(
        pid=pid, kinds=("compute",), memory_used_bytes=GIB, sm_utilization_percent=50.0
    )
    return {GPU: [process]}


def held_by(pid: int, reserved_bytes: float) -> ReportedMemory:
    return ReportedMemory(pid=pid, device=GPU, allocated_bytes=GIB, reserved_bytes=reserved_bytes)


def kernel(pid: int | None, kernel_id: str = "k1", path: str | None = "train.ipynb"):
    info = KernelInfo(
        kernel_id=kernel_id,
        kernel_name="python3",
        execution_state="busy",
        idle_seconds=None,
        notebook_path=path,
        session_name=path,
    )
    return RunningKernel(info=info, pid=pid)


def attributed(table, pid, *kernels, **options):
    found = Attribution(table=table, **options).of(on_device(pid), list(kernels))
    (process,) = found.devices[GPU].processes
    return process


class MachineTable(ProcessTable):
    """The real /proc, taken for the machine's own: tests may run in a container."""

    is_nested = False


@pytest.fixture
def run():
    """Run Python in a process of its own session, as Jupyter starts kernels; return it and its first line."""
    started = []

    def run(code, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process, int(process.stdout.readline())

    yield run
    for process in started:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()
        process.stdout.close()


def end(pid):
    psutil.Process(pid).kill()


CHILD = """
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(child.pid, flush=True)
    time.sleep(60)
"""
ORPHAN = """
    import os, time
    if os.fork() == 0:
        if os.fork() == 0:
            print(os.getpid(), flush=True)
            time.sleep(60)
        os._exit(0)
    os.wait()
    time.sleep(60)
"""
DAEMON = """
    import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print(os.getpid(), flush=True)
            time.sleep(60)
        os._exit(0)
    os.wait()
    time.sleep(60)
"""


def test_a_child_of_a_kernel_belongs_to_its_notebook(run):
    started, child = run(CHILD)
    process = attributed(MachineTable(), child, kernel(4, "other"), kernel(started.pid))
    assert (process.kernel.kernel_id, process.kernel.notebook_path) == ("k1", "train.ipynb")
    assert process.kernel_found_by == "process_tree"
    assert process.pid == process.driver_pid == child


def test_the_kernel_itself_belongs_to_its_notebook(run):
    started, _ = run("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    assert attributed(MachineTable(), started.pid, kernel(started.pid)).kernel is not None


def test_an_orphan_is_known_by_the_session_that_it_stayed_in(run):
    started, orphan = run(ORPHAN)
    try:
        assert psutil.Process(orphan).ppid() != started.pid
        assert attributed(MachineTable(), orphan, kernel(started.pid)).kernel is not None
    finally:
        end(orphan)


def test_a_daemon_is_known_by_the_notebook_in_its_environment(run):
    started, daemon = run(DAEMON, JPY_SESSION_NAME="/srv/notebooks/train.ipynb")
    try:
        assert attributed(MachineTable(), daemon, kernel(started.pid)).kernel is not None
        other = kernel(started.pid, path="other.ipynb")
        assert attributed(MachineTable(), daemon, other).kernel is None
    finally:
        end(daemon)


def test_a_process_of_nobody_here_has_no_notebook(run):
    _, child = run(CHILD)
    process = attributed(MachineTable(), child, kernel(4))
    assert process.kernel is process.kernel_found_by is None
    assert process.pid == child


def test_people_see_who_runs_what_but_no_arguments_that_may_be_secret(run):
    started, _ = run("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    process = attributed(MachineTable(), started.pid)
    assert process.command.endswith(" -c")
    assert process.user == psutil.Process().username()
    assert process.started_seconds == psutil.Process(started.pid).create_time()


def test_a_process_that_is_gone_is_said_to_be_unseen():
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    process = attributed(MachineTable(), gone.pid, kernel(gone.pid))
    assert process.pid is process.user is process.kernel is None
    assert process.memory_used_bytes == GIB  # what the driver says still holds


def test_a_reason_stays_a_reason():
    found = Attribution(table=MachineTable()).of({GPU: "not_answering"}, [])
    assert (found.devices[GPU].processes, found.devices[GPU].reason) == ([], "not_answering")


class TestContainers:
    """A /proc as a container sees it: numbers here are not the machine's."""

    @pytest.fixture
    def proc(self, tmp_path):
        def process(pid, *, parent=1, session=1, opens=(), ns_pids=()):
            folder = tmp_path / str(pid)
            (folder / "fd").mkdir(parents=True)
            for number, target in enumerate(opens):
                (folder / "fd" / str(number)).symlink_to(target)
            (folder / "stat").write_text(
                f"{pid} (python (x)) S {parent} {pid} {session} " + "0 " * 20
            )
            (folder / "status").write_text(
                f"Name:\tpython\nNSpid:\t{' '.join(map(str, ns_pids))}\n"
            )
            (folder / "environ").write_bytes(b"")

        def namespace(name):
            (tmp_path / "self" / "ns").mkdir(parents=True)
            (tmp_path / "self" / "ns" / "pid").symlink_to(name)

        namespace("pid:[4026999999]")
        process.root = tmp_path
        return process

    def test_a_number_of_ours_that_has_no_gpu_open_is_not_taken_for_the_drivers(self, proc):
        proc(420, opens=["/dev/null"])
        process = attributed(ProcessTable(proc.root), 420, kernel(420))
        assert process.pid is process.kernel is None

    def test_a_number_of_ours_that_has_a_gpu_open_is_the_drivers(self, proc):
        proc(420, opens=["/dev/null", "/dev/nvidia0"])
        process = attributed(ProcessTable(proc.root), 420, kernel(420))
        assert (process.pid, process.kernel_found_by) == (420, "process_tree")

    def test_the_machines_number_is_translated_where_both_are_shown(self, proc):
        proc(17, parent=5, ns_pids=(99_420, 17))
        proc(5, ns_pids=(99_400, 5))
        process = attributed(ProcessTable(proc.root), 99_420, kernel(5))
        assert (process.pid, process.driver_pid) == (17, 99_420)
        assert process.kernel_found_by == "namespace_pid"

    def test_what_a_kernel_says_stands_beside_a_list_that_cannot_be_matched(self, proc):
        proc(6)
        said = [held_by(6, 3 * GIB)]
        table = ProcessTable(proc.root)
        found = Attribution(table=table, reports=lambda: said).of(
            on_device(99_420), [kernel(5), kernel(6, "k2")]
        )
        (process,), (report,) = found.devices[GPU].processes, found.devices[GPU].reports
        assert (process.pid, process.kernel) == (None, None)
        assert (report.pid, report.kernel.kernel_id, report.reserved_bytes) == (6, "k2", 3 * GIB)

    def test_what_a_kernel_says_is_left_out_where_the_list_knows_better(self, proc):
        proc(420, opens=["/dev/nvidia0"])
        said = [held_by(420, GIB)]
        found = Attribution(table=ProcessTable(proc.root), reports=lambda: said).of(
            on_device(420), [kernel(420)]
        )
        assert found.devices[GPU].processes[0].kernel is not None
        assert found.devices[GPU].reports == []

    def test_a_process_that_is_no_kernel_of_ours_is_not_heard(self, proc):
        proc(7)
        said = [held_by(7, GIB)]
        found = Attribution(table=ProcessTable(proc.root), reports=lambda: said).of(
            on_device(99_420), [kernel(5)]
        )
        assert found.devices[GPU].reports == []

    def test_what_kernels_say_is_told_even_where_the_driver_lists_nothing(self, proc):
        proc(6)
        found = Attribution(table=ProcessTable(proc.root), reports=lambda: [held_by(6, GIB)]).of(
            {GPU: "no_permission"}, [kernel(6)]
        )
        assert found.devices[GPU].reason == "no_permission"
        assert [each.pid for each in found.devices[GPU].reports] == [6]

    def test_the_machine_itself_is_told_from_a_container(self, tmp_path):
        (tmp_path / "self" / "ns").mkdir(parents=True)
        (tmp_path / "self" / "ns" / "pid").symlink_to(INITIAL_PID_NAMESPACE)
        assert not ProcessTable(tmp_path).is_nested

    def test_a_real_namespace_is_noticed(self):
        code = (
            "from jupyter_gpuperf.processes.process_table import ProcessTable;"
            "print(ProcessTable().is_nested)"
        )
        inside = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc",
             sys.executable, "-c", code],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if inside.returncode != 0:
            pytest.skip(f"this machine allows no namespaces: {inside.stderr.strip()}")
        assert inside.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (
            ["/usr/bin/python3", "-u", "/srv/notebooks/train.py", "--token", "s3cret"],
            "python3 train.py",
        ),
        (["python", "-m", "torch.distributed.run", "x.py"], "python -m torch.distributed.run"),
        (["python", "-c", "password = 1"], "python -c"),
        (["/opt/bin/server"], "server"),
        ([], None),
    ],
)
def test_a_command_is_the_program_and_its_script(arguments, command):
    from jupyter_gpuperf.processes.process_table import _command

    assert _command(arguments) == command
