"""Two devices: one server on both, and figures that are kept at once.

    GPUPERF_FIGURES=figures.json GPUPERF_KEEP=folder python -m pytest tests/gpu/two_devices
    GPUPERF_DRY=1 python -m pytest tests/gpu/two_devices      on the CPU, with replayed devices: is the plumbing sound?

Where not all is installed that the other tests need: ``--confcutdir=tests/gpu -c /dev/null``. Figures are written as soon
as they are known, and recordings are kept in $GPUPERF_KEEP: a machine that is lent may be taken back.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent)]  # test modules import what is beside them by name

from looking import DRY
from real_server import serving
from replayed import at_work_all_the_time

FIRST_THINGS_FIRST = ("readings", "straggler", "allreduce", "contention", "cost")
"""Should the time be over before the end."""

os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as the driver counts
os.environ["NCCL_NVLS_ENABLE"] = "0"  # NVLink multicast is left off


def pytest_collection_modifyitems(items):
    items.sort(key=_turn)


def _turn(item):
    if item.path.parent != Path(__file__).parent:
        return -1
    name = item.path.stem.removeprefix("test_two_")
    return FIRST_THINGS_FIRST.index(name)


@pytest.fixture(scope="session", autouse=True)
def _two_devices(nvidia_smi):
    if not DRY and len(nvidia_smi("index")) < 2:
        pytest.skip("there are fewer than two NVIDIA GPUs on this machine")


@pytest.fixture(autouse=True)
def _limit(request):
    """Each test ends by itself, so that the next one has its turn."""
    seconds = request.node.get_closest_marker("seconds").args[0]

    def late(_signal, _frame):
        raise TimeoutError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def note():
    """Keep a figure for people to read, at once."""
    figures = {}

    def note(name, value):
        figures[name] = value
        sys.stdout.write(f"{name}: {json.dumps(value)[:2000]}\n")
        if path := os.environ.get("GPUPERF_FIGURES"):
            Path(path).write_text(json.dumps(figures, indent=1))

    return note


@pytest.fixture(scope="session")
def server(tmp_path_factory, note):
    home = tmp_path_factory.mktemp("s")
    source = f"replay:{at_work_all_the_time(home / 'two.jsonl.gz')}" if DRY else None
    with serving(home, source) as server:
        devices = sorted(server.ask("gpuperf/devices")["devices"], key=lambda each: each["index"])
        note("devices", [[each["index"], each["name"]] for each in devices])
        server.uuids = [each["uuid"] for each in devices[:2]]
        yield server
