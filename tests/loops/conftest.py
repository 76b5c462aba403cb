"""A watch of its own for each test, and loaders that are real."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from jupyter_gpuperf.loops import LoopWatch
from jupyter_gpuperf.loops.loop_watch import silence_in_child


@pytest.fixture
def watching():
    watching = LoopWatch()
    yield watching
    watching.stop()


@pytest.fixture
def loader():
    """Make a DataLoader of so many items."""
    torch = pytest.importorskip("torch")

    def make(items=12, batch_size=4, **options):
        data = torch.utils.data.TensorDataset(torch.arange(float(items)))
        return torch.utils.data.DataLoader(data, batch_size=batch_size, **options)

    return make


@pytest.fixture
def forking(watching):
    os.register_at_fork(after_in_child=lambda: silence_in_child(watching))
    return watching


class Monitoring:
    """Like ``sys.monitoring``, of the threads that have :meth:`profile` as their profile function.

    Before Python 3.12, it reports the calls of single functions.
    """

    events = SimpleNamespace(NO_EVENTS=0, PY_START=1, PY_RESUME=2, PY_RETURN=4, PY_YIELD=8)

    def __init__(self):
        self.tools, self.codes, self.callbacks = {}, {}, {}

    def get_tool(self, number):
        return self.tools.get(number)

    def use_tool_id(self, number, name):
        assert number not in self.tools
        self.tools[number] = name

    def free_tool_id(self, number):
        del self.tools[number]

    def register_callback(self, number, event, callback):
        assert number in self.tools
        self.callbacks[event] = callback

    def set_local_events(self, number, code, events):
        assert number in self.tools
        self.codes[code] = events

    def profile(self, frame, event, argument):
        """Report calls and returns; a generator's are called so, too."""
        if self.codes.get(frame.f_code):
            if event == "call":
                self.callbacks[self.events.PY_START](frame.f_code, 0)
            elif event == "return":
                self.callbacks[self.events.PY_RETURN](frame.f_code, 0, argument)


@pytest.fixture
def monitoring(monkeypatch):
    """Return ``sys.monitoring``, or the stand-in."""
    real = getattr(sys, "monitoring", None)
    if real is not None:
        return real
    monitoring = Monitoring()
    monkeypatch.setattr(sys, "monitoring", monitoring, raising=False)
    return monitoring
