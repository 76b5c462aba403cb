from __future__ import annotations

import sys
import threading

import pytest

from jupyter_gpuperf.tuning.safety import suppressing_iterator_errors


class HalfMadeDataLoaderIter:
    def __del__(self):
        raise AttributeError("_workers_status")


class Other:
    def __del__(self):
        raise AttributeError("anything")


def test_what_torch_complains_of_is_not_heard_and_all_else_is(monkeypatch):
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: heard.append(str(what.exc_value)))
    with suppressing_iterator_errors():
        HalfMadeDataLoaderIter()
        Other()
    assert heard == ["anything"]


def raised(error, *, before=None):
    """Return a thread that raises, as the one does that takes batches over."""

    def _pin_memory_loop():
        if before is not None:
            before.wait(10)
        raise error

    thread = threading.Thread(target=_pin_memory_loop)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("error", "is_heard"),
    [(ConnectionResetError(), False), (EOFError(), False), (KeyError(), True)],
)
def test_a_connection_that_ends_with_its_worker_is_not_heard(monkeypatch, error, is_heard):
    heard = []
    monkeypatch.setattr(threading, "excepthook", lambda what: heard.append(what.exc_value))
    with suppressing_iterator_errors():
        raised(error).join()
    assert bool(heard) is is_heard


def test_what_happens_to_the_users_own_loader_meanwhile_is_heard(monkeypatch):
    heard, begins = [], threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda what: heard.append(what.exc_value))
    own = raised(ConnectionResetError(), before=begins)
    with suppressing_iterator_errors():
        begins.set()
        own.join()
    assert len(heard) == 1
