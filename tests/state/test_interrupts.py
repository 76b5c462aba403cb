"""What must run at the end runs once, however often the user interrupts."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from jupyter_gpuperf.state import interrupts
from jupyter_gpuperf.state.interrupts import run_afterwards

HERE = Path(interrupts.__file__).name


class InterruptAt:
    """Raises an interrupt before one line of the module, counted from the body's end."""

    def __init__(self, at):
        self._left = at

    def __call__(self, frame, event, arg):
        if not frame.f_code.co_filename.endswith(HERE):
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                signal.raise_signal(signal.SIGINT)
        return self


@pytest.fixture(autouse=True)
def python_s_interrupts():
    before, traced = signal.signal(signal.SIGINT, signal.default_int_handler), sys.gettrace()
    yield
    sys.settrace(traced)
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("at", range(1, 25))
def test_a_second_interrupt_at_any_line_loses_nothing(at):
    done, context = [], run_afterwards(lambda: done.append("restored"))
    context.__enter__()
    tracer = InterruptAt(at)
    context.gen.gi_frame.f_trace = tracer  # the generator runs already
    sys.settrace(tracer)
    try:
        context.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    assert done == ["restored"]


def test_an_error_of_the_body_is_passed_on_after_the_action():
    done = []
    with pytest.raises(ValueError, match="mine"), run_afterwards(lambda: done.append(1)):
        raise ValueError("mine")
    assert done == [1]
