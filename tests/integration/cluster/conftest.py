"""What the tests of clusters share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jupyter_gpuperf.metrics import all_metrics
from jupyter_gpuperf.sources import source_from

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def opened():
    """Return a function that opens a source; all are closed at the end."""
    sources = []

    def open_source(address):
        source = source_from(address, all_metrics())
        sources.append(source)
        source.open()
        return source

    yield open_source
    for each in sources:
        each.close()
