"""Listing the threads' stacks must not collect garbage: a finalizer that waits would hold a lock that all threads need."""

from __future__ import annotations

import gc
import sys
import threading

import pytest

from jupyter_gpuperf.measure.stacks import current_frames


def test_no_garbage_is_collected_while_the_threads_are_listed(monkeypatch):
    original, collects = sys._current_frames, []

    def listed():
        collects.append(gc.isenabled())
        return original()

    monkeypatch.setattr(sys, "_current_frames", listed)
    assert threading.get_ident() in current_frames()
    assert collects == [False]
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off():
    gc.disable()
    try:
        current_frames()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_error_leaves_the_collector_on(monkeypatch):
    monkeypatch.setattr(sys, "_current_frames", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        current_frames()
    assert gc.isenabled()
