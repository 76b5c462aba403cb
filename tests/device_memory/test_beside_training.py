"""A search in a thread while the main thread trains: what torch's C++ code holds is read between its operations."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from jupyter_gpuperf.device_memory import main_thread
from jupyter_gpuperf.device_memory.main_thread import MainThreadBusy, call_in_main_thread

BESIDE = """
import sys, threading, time
import torch
from IPython.core.interactiveshell import InteractiveShell
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.device_memory.pace import InSlices
from jupyter_gpuperf.device_memory.report import memory_report

shell = InteractiveShell.instance()
shell.run_cell('''
import torch
model = torch.nn.Sequential(*[torch.nn.Linear(50, 50) for _ in range(5)])
optimizer = torch.optim.Adam(model.parameters())
x, losses = torch.randn(8, 50), []
def step():
    optimizer.zero_grad()
    loss = model(x).square().sum()
    losses[:] = losses[-10:] + [model(x).square().sum()]
    loss.backward()
    optimizer.step()
''')
found, stopping = set(), threading.Event()
def search():
    while not stopping.is_set():
        for each in memory_report(Notebook(shell), None, InSlices()).owners:
            found.add(each.kind)
thread = threading.Thread(target=search)
thread.start()
step, began = shell.user_ns["step"], time.monotonic()
wanted = {"gradient", "activation", "optimizer", "parameter"}
while (seconds := time.monotonic() - began) < 5 or (seconds < 60 and not wanted <= found):
    step()
stopping.set()
thread.join()
print(sorted(found & wanted))
"""


def test_training_goes_on_and_gradients_and_graphs_are_seen():
    """Read in the thread itself, gradients ended such a process after some ten searches."""
    done = subprocess.run(
        [sys.executable, "-c", BESIDE], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "['activation', 'gradient', 'optimizer', 'parameter']"


def in_thread(function):
    """Call a function in a thread while this one runs Python code; return what it returned, or the error."""
    answers = []

    def run():
        try:
            answers.append(function())
        except Exception as error:  # noqa: BLE001
            answers.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, answers


def test_a_function_runs_in_the_main_thread_beside_its_code():
    thread, answers = in_thread(lambda: call_in_main_thread(threading.current_thread))
    while thread.is_alive():
        pass
    assert answers == [threading.main_thread()]


def test_an_error_is_that_of_who_asked():
    thread, answers = in_thread(lambda: call_in_main_thread(lambda: 1 / 0))
    while thread.is_alive():
        pass
    assert isinstance(answers[0], ZeroDivisionError)


def test_a_long_call_in_the_main_thread_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(main_thread, "LONGEST_WAIT_SECONDS", 0.05)
    called = []
    begun = threading.Event()

    def ask():
        begun.wait()
        time.sleep(0.1)  # the main thread sleeps by now, and runs no Python code
        return call_in_main_thread(lambda: called.append(1))

    thread, answers = in_thread(ask)
    begun.set()
    time.sleep(0.5)
    thread.join()
    assert isinstance(answers[0], MainThreadBusy)
    assert called == []  # not later either


def test_an_interrupt_that_comes_meanwhile_is_the_cells():
    def interrupted():
        raise KeyboardInterrupt

    def cell():
        until = time.monotonic() + 30
        while time.monotonic() < until:
            time.sleep(0.001)

    thread, answers = in_thread(lambda: call_in_main_thread(interrupted))
    with pytest.raises(KeyboardInterrupt):
        cell()
    thread.join()
    assert isinstance(answers[0], MainThreadBusy)
