"""Kernels other than ipykernel, no IPython at all, threads, and the workers of a cluster."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import types

import pytest

from jupyter_gpuperf.client.failures import BenchmarkCancelled, BenchmarkError
from jupyter_gpuperf.display import clicks
from jupyter_gpuperf.display.progress import HtmlView, best_view
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.kernel_link.address import SERVER_PID_VARIABLE, kernel_id, runtime_directories


@pytest.fixture
def stand_in(monkeypatch):
    """What xeus-python puts into ``sys.modules``: an ipykernel that has nothing but ``comm``."""
    for name in [each for each in sys.modules if each.partition(".")[0] == "ipykernel"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))


def test_a_stand_in_for_ipykernel_is_not_taken_for_it(stand_in, monkeypatch):
    assert len(runtime_directories()) == 1
    monkeypatch.delenv(SERVER_PID_VARIABLE, raising=False)
    assert kernel_id() is None
    assert clicks.click_watch("comm") is None


def test_widgets_that_cannot_be_made_leave_html(stand_in, monkeypatch):
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setattr("jupyter_gpuperf.display.progress.running_shell", lambda: shell)

    def fails(*_):
        raise TypeError("this kernel has no comms")

    monkeypatch.setattr("jupyter_gpuperf.display.progress.WidgetView", fails)
    assert type(best_view()) is HtmlView


def test_a_kernel_that_is_no_ipykernel_finds_its_id_in_its_own_command_line():
    program = "import time, jupyter_gpuperf.kernel_link.address as a; print(a.kernel_id())"
    ran = subprocess.run(
        [sys.executable, "-c", program, "-f", "/run/user/kernel-12ab.json"],
        env={"PATH": "", SERVER_PID_VARIABLE: "1", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "12ab\n"


def test_another_thread_does_not_read_the_main_threads_queue(monkeypatch):
    kernel = pytest.importorskip("ipykernel.kernelbase")
    monkeypatch.setattr(kernel.Kernel, "initialized", lambda: True)
    monkeypatch.setattr(kernel.Kernel, "instance", lambda: None)
    monkeypatch.setattr(clicks, "ClickWatch", lambda *_: "a watch")
    assert clicks.click_watch("comm") == "a watch"
    found = []
    thread = threading.Thread(target=lambda: found.append(clicks.click_watch("comm")))
    thread.start()
    thread.join()
    assert found == [None]


WITHOUT_IPYTHON = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("IPython", "ipykernel", "ipywidgets", "comm"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import jupyter_gpuperf as gpuperf
from jupyter_gpuperf.client import watch_session, doctor
from jupyter_gpuperf.display.progress import best_view
loader = gpuperf.watch([[1.0, 2.0]] * 5)
print(len(list(loader)), [loop.count for loop in watch_session.session().loops()])
print(type(best_view()).__name__)
gpuperf.tune, gpuperf.bench, gpuperf.doctor, gpuperf.amp_profile, gpuperf.headroom
"""


def test_a_script_needs_no_ipython():
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_IPYTHON], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "5 [5]\nProgressView\n"


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("code", "{name} is wrong.", "Change {name}.", name="x"),
        BenchmarkError("code", "It failed.", "Repair it.", "the log"),
        BenchmarkCancelled("blas"),
    ],
)
def test_errors_come_whole_from_the_workers_of_a_process_pool(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    assert copy.to_dict() == error.to_dict()
