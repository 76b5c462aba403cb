"""One thread each: these tests run beside others."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from namespaces import one_thread

__all__ = ["one_thread"]
