"""A real Jupyter server with the extension, on replayed H100s: a fixture for the tests that ask one."""

from __future__ import annotations

import pytest


@pytest.fixture
def jp_server_config(training_recording, starved_recording):
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_gpuperf": True},
            # Every route must say who may use it; an undecorated one is an error at start.
            "allow_unauthenticated_access": False,
            # Their socket is undecorated, and not ours to test.
            "terminals_enabled": False,
        },
        "GpuPerf": {"source": f"replay:{training_recording},{starved_recording}"},
    }
