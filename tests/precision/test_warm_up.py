"""What a first run has to prepare, such as compiled code, does not make a variant look long."""

from __future__ import annotations

import time

import pytest
import torch
from namespaces import notebook

from jupyter_gpuperf.precision.mode_context import CURRENT_MODE
from jupyter_gpuperf.precision.session import ProfiledCode, ProfileSession
from jupyter_gpuperf.precision.timing import CellStopwatch, Variant


@pytest.fixture
def session():
    names = notebook()
    code = compile("helper()", "<cell>", "exec")
    subject = ProfiledCode(body=lambda: exec(code, names), namespace=names, code=code)
    session = ProfileSession(torch, subject)
    session.ordinary_run()
    yield session
    session.close()


def with_runs_of(session, *seconds):
    """Return a variant whose runs take so long, the last of them as often as wanted; and the times of its runs."""
    runs = []

    def run():
        runs.append(seconds[min(len(runs), len(seconds) - 1)])
        time.sleep(runs[-1])

    def prepare():
        session.subject.body = run

    return Variant("slept", CURRENT_MODE, prepare=prepare), runs


def test_a_run_that_prepares_something_is_followed_by_another(session):
    stopwatch, own = CellStopwatch(session), Variant("own", CURRENT_MODE)
    stopwatch.warm_up(own)
    variant, runs = with_runs_of(session, 0.6, 0.001)
    stopwatch.warm_up(variant)
    assert variant.run_seconds < 0.1
    assert len(runs) == 2


def test_a_cell_that_is_always_long_is_run_once(session):
    stopwatch, (variant, runs) = CellStopwatch(session), with_runs_of(session, 0.55)
    stopwatch.warm_up(variant)
    stopwatch.warm_up(variant)
    assert len(runs) == 2
    assert variant.run_seconds > 0.5


def test_what_compiles_settles_first(session):
    variant, runs = with_runs_of(session, 0.6, 0.6, 0.6, 0.001)
    CellStopwatch(session).warm_up(variant, fewest_runs=4)
    assert variant.run_seconds < 0.1
    assert len(runs) == 4
