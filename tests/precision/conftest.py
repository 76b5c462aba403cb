"""One thread each: these tests run beside others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from namespaces import one_thread

__all__ = ["one_thread"]

sys.path.insert(0, str(Path(__file__).parent))
