from __future__ import annotations

import pytest
from fake_nvml import FakeNvml, NVMLError

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sources.auto import AutoDriver
from jupyter_gpuperf.sources.nvml import NvmlDriver

UUID = "GPU-0000"


def opened(nvml: FakeNvml) -> NvmlDriver:
    source = NvmlDriver(METRICS, load=lambda: nvml)
    source.open()
    return source


def test_readings_are_in_base_units():
    readings = opened(FakeNvml()).read()[UUID]
    assert readings["utilization_percent"] == 63
    assert readings["memory_used_bytes"] == 13_200_000_000
    assert readings["power_watts"] == pytest.approx(542.1)
    assert readings["power_limit_watts"] == 700
    assert readings["temperature_celsius"] == 48
    assert (readings["clock_sm_mhz"], readings["clock_sm_max_mhz"]) == (1755, 1980)
    assert readings["clock_event_flags"] == 4


def test_devices_carry_their_limits_and_are_keyed_by_uuid():
    devices = opened(FakeNvml(count=2)).devices()
    assert devices.reason is None
    assert [device.uuid for device in devices.devices] == ["GPU-0000", "GPU-0001"]
    first = devices.devices[0]
    assert (first.index, first.name, first.driver_version) == (
        0,
        "NVIDIA H100 80GB HBM3",
        "580.159.04",
    )
    assert (first.power_limit_watts, first.clock_sm_max_mhz) == (700, 1980)
    assert not first.replayed


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (3, "not_supported"),
        (13, "not_supported"),
        (4, "no_permission"),
        (10, "not_answering"),
        (999, "driver_error"),
    ],
)
def test_a_reading_that_fails_is_a_reason_and_the_others_go_on(error, reason):
    nvml = FakeNvml()
    nvml.answers[0, "nvmlDeviceGetPowerUsage"] = NVMLError(error)
    readings = opened(nvml).read()[UUID]
    assert readings["power_watts"] == reason
    assert readings["utilization_percent"] == 63


def test_limits_are_read_rarely_because_they_are_dear():
    nvml, now = FakeNvml(), 100.0
    source = NvmlDriver(METRICS, load=lambda: nvml, clock=lambda: now)
    source.open()
    nvml.calls.clear()
    nvml.answers[0, "nvmlDeviceGetEnforcedPowerLimit"] = 500_000
    assert source.read()[UUID]["power_limit_watts"] == 700
    assert (0, "nvmlDeviceGetMaxClockInfo") not in nvml.calls
    now = 131.0  # but they are not read once for all: an administrator may change them
    assert source.read()[UUID]["power_limit_watts"] == 500


def test_a_lost_device_leaves_the_other_alone():
    nvml = FakeNvml(count=2)
    now = 0.0
    source = NvmlDriver(METRICS, load=lambda: nvml, clock=lambda: now)
    source.open()
    now = 60.0
    for function in {name for _, name in nvml.calls} | {
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetTemperature",
        "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetClockInfo",
    }:
        nvml.answers[0, function] = NVMLError(15)
    readings = source.read()
    assert set(readings["GPU-0000"].values()) == {"device_lost"}
    assert readings["GPU-0001"]["utilization_percent"] == 63


def test_a_device_that_cannot_be_opened_does_not_hide_the_others():
    nvml = FakeNvml(count=2)
    nvml.answers[0, "nvmlDeviceGetHandleByIndex"] = NVMLError(15)
    assert [device.index for device in opened(nvml).devices().devices] == [1]


def test_a_call_that_serves_two_metrics_is_made_once_per_tick():
    nvml = FakeNvml()
    source = opened(nvml)
    nvml.calls.clear()
    source.read()
    assert nvml.calls.count((0, "nvmlDeviceGetUtilizationRates")) == 1
    assert nvml.calls.count((0, "nvmlDeviceGetMemoryInfo")) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (12, "no_driver_library"),
        (9, "driver_not_loaded"),
        (18, "driver_mismatch"),
        (4, "no_permission"),
        (999, "driver_error"),
    ],
)
def test_a_driver_that_cannot_be_opened_says_why_and_what_to_do(error, code):
    source = opened(FakeNvml(init_error=error))
    devices = source.devices()
    assert devices.devices == []
    assert devices.reason is not None
    assert devices.reason.code == code
    assert devices.reason.hint
    assert source.read() == {}


def test_a_driver_without_devices_says_so():
    reason = opened(FakeNvml(count=0)).devices().reason
    assert reason is not None
    assert reason.code == "no_gpu"


def test_a_module_that_is_not_nvidias_is_named():
    def wrong() -> FakeNvml:
        raise ImportError("/site-packages/pynvml.py is another module")

    source = NvmlDriver(METRICS, load=wrong)
    source.open()
    reason = source.devices().reason
    assert reason is not None
    assert reason.code == "no_nvml_module"
    assert "nvidia-ml-py" in reason.hint


def test_a_driver_that_comes_later_is_found():
    now = 0.0
    nvml = FakeNvml(init_error=9)
    source = AutoDriver(NvmlDriver(METRICS, load=lambda: nvml), clock=lambda: now)
    source.open()
    assert source.kind == "none"
    nvml.init_error = None
    source.read()
    assert source.kind == "none"  # not before the pause is over
    now = 16.0
    source.read()
    assert source.kind == "nvml"
    assert source.read()[UUID]["utilization_percent"] == 63


def test_closing_releases_the_library():
    nvml = FakeNvml()
    source = opened(nvml)
    source.close()
    source.close()
    assert nvml.initialised == 0
