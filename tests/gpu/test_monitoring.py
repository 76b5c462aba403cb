"""Readings of a real device against what a known load does to it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sources.nvml import NvmlDriver

MATMUL = """
import time, torch
a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
b = torch.empty_like(a)
print("ready", flush=True)
while True:
    for _ in range(20):
        torch.matmul(a, a, out=b)
    torch.cuda.synchronize()
"""
COPY = """
import time, torch
host = torch.empty(1 << 28, dtype=torch.uint8).pin_memory()
device = torch.empty_like(host, device="cuda")
torch.cuda.synchronize()
print("ready", flush=True)
while True:
    began = time.perf_counter()
    for _ in range(40):
        device.copy_(host, non_blocking=True)
    torch.cuda.synchronize()
    print(40 * (1 << 28) / (time.perf_counter() - began), flush=True)
"""
IDLE_HOLDER = """
import time, torch
held = torch.zeros(1 << 30, dtype=torch.uint8, device="cuda")
torch.cuda.synchronize()
print("ready", flush=True)
time.sleep(60)
"""
BAD_POINTER = """
import torch, triton, triton.language as tl

@triton.jit
def write_far_away(pointer, offset, BLOCK: tl.constexpr):
    places = offset + tl.arange(0, BLOCK)
    tl.store(pointer + places, places.to(tl.float32))

here = torch.zeros(16, device="cuda")
write_far_away[(1,)](here, 1 << 40, BLOCK=128)
torch.cuda.synchronize()
"""


@pytest.fixture
def source(nvidia_smi):
    source = NvmlDriver(METRICS)
    source.open()
    yield source
    source.close()


@contextlib.contextmanager
def running(code):
    """Run ``code`` in a process of its own, from its first line on."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def over(source, seconds):
    """Read at 10 Hz; return the values of each metric of the first device."""
    found = {}
    ended_at = time.monotonic() + seconds
    while time.monotonic() < ended_at:
        for name, value in next(iter(source.read().values())).items():
            found.setdefault(name, []).append(value)
        time.sleep(0.1)
    return {
        name: [value for value in values if isinstance(value, float)]
        for name, values in found.items()
    }


def mean(values):
    return sum(values) / len(values)


@pytest.fixture
def note():
    """Write a figure down for the documents."""

    def note(name, **figures):
        path = Path(os.environ.get("GPUPERF_FIGURES", os.devnull))
        with path.open("a") as lines:
            lines.write(json.dumps({"figure": name, **figures}) + "\n")

    return note


def test_matrix_work_shows_on_the_tensor_cores(source, note):
    with running(MATMUL):
        time.sleep(2)
        found = over(source, 4)
    note("matmul", **{name: round(mean(values), 3) for name, values in found.items() if values})
    assert mean(found["tensor_half_percent"][2:]) > 50
    assert mean(found["sm_active_percent"][2:]) > 80
    assert mean(found["tensor_integer_percent"]) < 1
    assert max(found["power_instant_watts"]) > 300
    assert 0 <= mean(found["clock_lost_power_cap_ratio"]) <= 1


def test_energy_grows_by_the_power_drawn(source):
    with running(MATMUL):
        time.sleep(2)
        found = over(source, 13)
    joules = sorted(set(found["energy_joules"]))
    per_second = (joules[-1] - joules[0]) / (5 * (len(joules) - 1))  # read every 5 s
    assert per_second == pytest.approx(mean(found["power_instant_watts"]), rel=0.15)


def test_copies_show_on_the_link_with_their_rate(source, note):
    with running(COPY) as process:
        time.sleep(1)
        found = over(source, 4)
        told = float(process.stdout.readline())
    counted = mean(found["pcie_receive_bytes_per_second"][2:])
    note("pcie", counted_bytes_per_second=counted, copied_bytes_per_second=told)
    assert counted == pytest.approx(told, rel=0.15)
    assert mean(found["pcie_transmit_bytes_per_second"]) < counted / 4


def test_a_process_is_listed_with_its_memory_and_share(source, note):
    with running(IDLE_HOLDER) as idle, running(MATMUL) as busy:
        time.sleep(3)
        (processes,) = source.read_processes().values()
        note("processes", processes=[repr(process) for process in processes])
        by_pid = {process.pid: process for process in processes}
        assert by_pid[idle.pid].memory_used_bytes > 1 << 30
        assert by_pid[idle.pid].sm_utilization_percent == 0.0
        assert by_pid[busy.pid].sm_utilization_percent > 30
        assert by_pid[busy.pid].kinds == ("compute",)


def test_an_illegal_access_is_counted_as_an_xid(source, note, tmp_path):
    (uuid,) = source.read()
    assert source.read()[uuid]["xid_count"] == 0
    script = tmp_path / "bad_pointer.py"
    script.write_text(BAD_POINTER)  # triton reads its source from a file
    failed = subprocess.run(
        [sys.executable, str(script)], check=False, capture_output=True, text=True
    )
    assert "illegal memory access" in failed.stderr
    deadline = time.monotonic() + 10
    while source.read()[uuid]["xid_count"] == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    readings = source.read()[uuid]
    note("xid", count=readings["xid_count"], code=readings["xid_last_code"])
    assert readings["xid_count"] >= 1
    assert readings["xid_last_code"] in (13.0, 31.0)
