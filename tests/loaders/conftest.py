"""What the tests of loaders share."""

from __future__ import annotations

import multiprocessing

import pytest


@pytest.fixture(autouse=True)
def workers_are_forked(monkeypatch):
    """Since Python 3.14 they are not by default, and can't be sent what a test defines."""
    default = multiprocessing.context._default_context
    monkeypatch.setattr(default, "_actual_context", multiprocessing.get_context("fork"))
