"""What it costs to watch two devices."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from looking import DRY, environment
from real_server import ROOT
from replayed import HEALTHY


@pytest.mark.seconds(40)
def test_what_one_sample_of_both_costs(note):
    source = f"replay:{HEALTHY},{HEALTHY}" if DRY else "nvml"
    figures = _script("sample_cost.py", "--source", source, "--samples", "200" if DRY else "1500")
    note("one sample", figures)
    assert figures["devices"] >= 2


@pytest.mark.seconds(90)
def test_what_32_clients_cost_the_servers_other_requests(note):
    source = ("--devices", "2") if DRY else ("--source", "nvml")
    few = (
        ("--clients", "4", "--requests", "40") if DRY else ("--clients", "32", "--requests", "300")
    )
    figures = _script("server_latency.py", "--rounds", "1", *few, *source)
    note("latency with 32 clients", figures)
    assert figures["with_clients_p99_ms"] > 0


def _script(name, *arguments):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "perf" / name), "--json", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=80,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
