from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace

import psutil
import pytest

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sources.host import HostReader

Times = namedtuple("Times", "user nice system idle iowait guest")


class FakeHost:
    """psutil with a clock that the test moves."""

    def __init__(self) -> None:
        self.times = Times(user=10.0, nice=0.0, system=5.0, idle=100.0, iowait=2.0, guest=3.0)

    def cpu_times(self, percpu=False):
        return [self.times, self.times._replace(user=0.0)] if percpu else self.times

    def virtual_memory(self):
        return SimpleNamespace(total=1000, available=400)


def test_cpu_is_a_rate_and_has_no_value_before_its_second_sample():
    host = FakeHost()
    source = HostReader(METRICS, host)
    assert source.read()["host_cpu_percent"] == "not_yet"
    host.times = host.times._replace(user=11.0, idle=102.0, iowait=3.0, guest=4.0)
    # 1 s of work in 4 s: waiting for a disk is not work, and guest time is in user already.
    assert source.read()["host_cpu_percent"] == pytest.approx(25.0)


def test_too_short_an_interval_keeps_the_value_instead_of_making_noise():
    host = FakeHost()
    source = HostReader(METRICS, host)
    source.read()
    host.times = host.times._replace(user=12.0, idle=102.0)
    assert source.read()["host_cpu_percent"] == pytest.approx(50.0)
    host.times = host.times._replace(user=12.01)
    assert source.read()["host_cpu_percent"] == pytest.approx(50.0)


def test_memory_in_use_is_what_others_cannot_get():
    readings = HostReader(METRICS, FakeHost()).read()
    assert readings["host_memory_used_bytes"] == 600
    assert readings["host_memory_total_bytes"] == 1000


def test_what_a_platform_lacks_is_not_supported():
    readings = HostReader(METRICS, SimpleNamespace()).read()
    # All but what the control group's files tell.
    asked = {name for name in readings if not name.startswith("host_c") or "cpu_percent" in name}
    assert {readings[name] for name in asked} == {"not_supported"}


def test_the_real_machine_answers():
    readings = HostReader(METRICS, psutil).read()
    assert readings["host_memory_total_bytes"] == psutil.virtual_memory().total
