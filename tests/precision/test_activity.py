"""The tensor cores' share of time, from a driver that is faked at its edge."""

from __future__ import annotations

import pytest
from fake_nvml import FakeNvml

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.precision.activity import METRIC, TensorActivity
from jupyter_gpuperf.sources.local import LocalSource
from jupyter_gpuperf.sources.nvml import NvmlDriver
from jupyter_gpuperf.sources.nvml_errors import NOT_SUPPORTED


class Time:
    """A clock that a run of the cell moves by 50 ms."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.runs = 0

    def __call__(self) -> float:
        return self.seconds

    def run(self) -> None:
        self.runs += 1
        self.seconds += 0.05


@pytest.fixture
def nvml():
    return FakeNvml()


@pytest.fixture
def activity_of(nvml):
    made = []

    def make(uuid, time):
        metrics = tuple(each for each in METRICS if each.name == METRIC)
        driver = NvmlDriver(metrics, load=lambda: nvml, clock=time)
        made.append(TensorActivity(uuid, LocalSource(driver, metrics)))
        return made[-1]

    yield make
    for each in made:
        each.close()
    assert nvml.initialised == 0
    assert nvml.gpm_samples == 0


def test_the_counter_covers_the_cells_runs(activity_of):
    time = Time()
    assert activity_of("GPU-0000", time).ratio(time.run, time) == 0.125
    assert time.runs >= 8


def test_a_device_without_the_counter_has_no_share_rather_than_none_at_work(nvml, activity_of):
    nvml.answers[(0, "nvmlGpmQueryDeviceSupport")] = nvml.NVMLError(NOT_SUPPORTED)
    time = Time()
    assert activity_of("GPU-0000", time).ratio(time.run, time) is None


def test_a_device_that_the_driver_does_not_list_is_not_read(activity_of):
    time = Time()
    assert activity_of("GPU-of-another-container", time).ratio(time.run, time) is None
    assert time.runs == 0
