"""What tests of sources share."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.sources import nvml


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """On a busy machine a thread of a device that answers at once may take longer than a tick has."""
    monkeypatch.setattr(nvml, "PATIENCE_SECONDS", 30.0)
