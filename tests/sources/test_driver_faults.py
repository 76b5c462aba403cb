"""What the driver does when it does wrong: each a clear state, and no other device loses a tick."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fake_nvml import FakeNvml, Hang, NVMLError

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sources import nvml as nvml_source
from jupyter_gpuperf.sources.auto import AutoDriver
from jupyter_gpuperf.sources.local import LocalSource
from jupyter_gpuperf.sources.nvml import NvmlDriver

FIRST, SECOND = "GPU-0000", "GPU-0001"
LOST, NO_PERMISSION, NOT_SUPPORTED = 15, 4, 3


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened():
    """Open a source on a stand-in for the driver; closed after the test."""
    sources = []

    def opened(nvml, clock=None, **options):
        arguments = {"clock": clock} if clock else {}
        source = NvmlDriver(METRICS, load=lambda: nvml, **arguments, **options)
        sources.append(source)
        source.open()
        return source

    yield opened
    for source in sources:
        source.close()


def states(source):
    return {device.uuid: device.state for device in source.devices().devices}


def test_a_call_that_hangs_holds_up_its_own_device_alone(opened, monkeypatch):
    monkeypatch.setattr(nvml_source, "PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(nvml_source, "HANG_SECONDS", 0.0)
    nvml = FakeNvml(count=2)
    source = opened(nvml)
    source.read()
    hang = nvml.answers[0, "nvmlDeviceGetPowerUsage"] = Hang()
    try:
        for busy in (63, 64, 65):
            nvml.answers[1, "nvmlDeviceGetUtilizationRates"] = SimpleNamespace(gpu=busy, memory=1)
            assert source.read()[SECOND]["utilization_percent"] == busy
        assert set(source.read()[FIRST].values()) == {"not_answering"}
        assert states(source) == {FIRST: "not_answering", SECOND: "ok"}
        assert source.read_processes()[FIRST] == "not_answering"
    finally:
        hang.released.set()
    del nvml.answers[0, "nvmlDeviceGetPowerUsage"]
    while states(source)[FIRST] != "ok":
        source.read()
    assert source.read()[FIRST]["power_watts"] == pytest.approx(542.1)


def test_a_device_that_is_late_keeps_its_reading_for_a_moment(opened, monkeypatch):
    nvml = FakeNvml()
    source = opened(nvml)
    source.read()
    monkeypatch.setattr(nvml_source, "PATIENCE_SECONDS", 0.1)
    hang = nvml.answers[0, "nvmlDeviceGetPowerUsage"] = Hang()
    try:
        assert source.read()[FIRST]["power_watts"] == pytest.approx(542.1)
        assert states(source) == {FIRST: "ok"}
    finally:
        hang.released.set()


def test_a_library_that_hangs_when_it_is_opened_is_said_and_waited_for(opened):
    nvml = FakeNvml()
    hang = nvml.init_error = Hang()
    source = opened(nvml, open_seconds=0.01)
    try:
        assert source.devices().reason.code == "driver_not_answering"
        (sample,) = LocalSource(source, METRICS).read()
        assert sample.devices == {}
        assert isinstance(sample.machine["host_memory_total_bytes"], float)
    finally:
        hang.released.set()
    while source.devices().reason is not None:
        source.read()
    assert source.read()[FIRST]["utilization_percent"] == 63


def test_a_lost_device_shows_no_reading_of_before(opened, clock):
    nvml = FakeNvml(count=2)
    source = opened(nvml, clock)
    assert source.read()[FIRST]["power_limit_watts"] == 700
    nvml.answers[0, "nvmlDeviceGetUtilizationRates"] = NVMLError(LOST)
    readings = source.read()
    assert set(readings[FIRST].values()) == {"device_lost"}
    assert readings[SECOND]["utilization_percent"] == 63
    assert states(source) == {FIRST: "device_lost", SECOND: "ok"}


def test_a_device_that_is_not_listed_any_more_is_shown_as_lost(opened, clock):
    nvml = FakeNvml(count=2)
    source = opened(nvml, clock)
    nvml.answers[1, "nvmlDeviceGetHandleByIndex"] = NVMLError(LOST)
    source.close()
    source.open()
    assert states(source) == {FIRST: "ok", SECOND: "device_lost"}
    assert set(source.read()[SECOND].values()) == {"device_lost"}
    nvml.answers[1, "nvmlDeviceGetHandleByIndex"] = 1
    source.close()
    source.open()
    assert states(source) == {FIRST: "ok", SECOND: "ok"}
    assert source.read()[SECOND]["utilization_percent"] == 63


def test_a_driver_that_was_loaded_anew_is_opened_anew(opened, clock):
    nvml = FakeNvml()
    source = AutoDriver(opened(nvml, clock), clock)
    source.open()
    for function in ("nvmlDeviceGetUtilizationRates", "nvmlDeviceGetPowerUsage"):
        nvml.answers[0, function] = NVMLError(1)  # uninitialised
    assert set(source.read()[FIRST].values()) == {"device_lost"}
    nvml.answers.clear()
    clock.now += 16
    assert source.read()[FIRST]["utilization_percent"] == 63


def test_a_device_that_is_added_appears(opened, clock, tmp_path):
    (tmp_path / "gpus" / "0000:00:06.0").mkdir(parents=True)
    nvml = FakeNvml(count=1)
    source = AutoDriver(opened(nvml, clock), clock, device_folders=tmp_path / "gpus")
    source.open()
    nvml.count = 2
    (tmp_path / "gpus" / "0000:00:07.0").mkdir()
    clock.now += 16
    assert set(source.read()) == {FIRST, SECOND}


def test_a_field_that_is_not_supported_is_not_asked_for_again(opened, clock):
    nvml = FakeNvml()
    nvml.answers[0, "nvmlDeviceGetPowerUsage"] = NVMLError(NOT_SUPPORTED)
    source = opened(nvml, clock)
    assert source.read()[FIRST]["power_watts"] == "not_supported"
    nvml.calls.clear()
    assert source.read()[FIRST]["power_watts"] == "not_supported"
    assert (0, "nvmlDeviceGetPowerUsage") not in nvml.calls
    del nvml.answers[0, "nvmlDeviceGetPowerUsage"]
    clock.now += 301  # but not never: a driver may be set up anew
    assert source.read()[FIRST]["power_watts"] == pytest.approx(542.1)


@pytest.mark.parametrize(
    ("function", "answer", "metric"),
    [
        ("nvmlDeviceGetUtilizationRates", SimpleNamespace(gpu=4_294_967_295, memory=0), "utilization_percent"),
        ("nvmlDeviceGetTemperature", 4_294_967_295, "temperature_celsius"),
        ("nvmlDeviceGetPowerUsage", 4_294_967_295, "power_watts"),
        ("nvmlDeviceGetPowerUsage", float("nan"), "power_watts"),
        ("nvmlDeviceGetTotalEnergyConsumption", 9_223_372_036_854_775_794 * 1000, "energy_joules"),
    ],
)  # fmt: skip
def test_garbage_that_comes_with_success_is_no_reading(opened, function, answer, metric):
    nvml = FakeNvml()
    nvml.answers[0, function] = answer
    readings = opened(nvml).read()[FIRST]
    assert readings[metric] == "implausible"
    assert readings["clock_sm_mhz"] == 1755


def test_gpm_that_is_refused_is_no_zero_and_pcie_falls_back_to_its_counters(opened, clock):
    nvml = FakeNvml()
    nvml.answers[0, "nvmlGpmSampleGet"] = NVMLError(NO_PERMISSION)
    nvml.fields[0, 197] = 4_294_900_000
    source = opened(nvml, clock)
    readings = source.read()[FIRST]
    assert readings["tensor_active_percent"] == "no_permission"
    assert readings["pcie_transmit_bytes_per_second"] == "not_yet"
    nvml.fields[0, 197] = 132_704  # it has 32 bits, and began again
    clock.now += 0.06
    rate = source.read()[FIRST]["pcie_transmit_bytes_per_second"]
    assert rate == pytest.approx(200_000 / 0.06)


def test_a_counter_that_may_have_wrapped_twice_is_unknown(opened, clock):
    nvml = FakeNvml()
    nvml.answers[0, "nvmlGpmQueryDeviceSupport"] = NVMLError(NOT_SUPPORTED)
    nvml.fields[0, 197] = 1_000
    source = opened(nvml, clock)
    source.read()
    clock.now += 1.0  # 63 GB could have passed, the counter tells 4 GiB
    nvml.fields[0, 197] = 2_000
    assert source.read()[FIRST]["pcie_transmit_bytes_per_second"] == "not_supported"


def test_the_share_of_time_lost_is_the_growth_of_the_counter(opened, clock):
    nvml = FakeNvml()
    source = opened(nvml, clock)
    source.read()
    nvml.fields[0, 74] = 450_000_000  # ns
    clock.now += 0.5
    assert source.read()[FIRST]["clock_lost_power_cap_ratio"] == pytest.approx(0.9)
    clock.now += 0.5
    assert source.read()[FIRST]["clock_lost_power_cap_ratio"] == 0.0


def test_gpm_covers_the_time_since_the_tick_before(opened, clock):
    nvml = FakeNvml()
    nvml.gpm[5] = 42.0
    source = opened(nvml, clock)
    clock.now += 1.0
    assert source.read()[FIRST]["tensor_active_percent"] == 42.0
    nvml.gpm[5] = 0.0  # what an H100 answers for samples 10 ms apart
    clock.now += 0.01
    assert source.read()[FIRST]["tensor_active_percent"] == 42.0
    source.close()
    assert nvml.gpm_samples == 0  # all given back


def test_mig_instances_are_devices_of_their_own_and_say_what_they_lack(opened, clock):
    nvml = FakeNvml()
    nvml.answers[0, "nvmlDeviceGetMigMode"] = [1, 1]
    nvml.answers[0, "nvmlDeviceGetMaxMigDeviceCount"] = 2
    nvml.answers[0, "nvmlDeviceGetMigDeviceHandleByIndex"] = lambda place: (
        "mig" if place == 0 else _raise(NVMLError(6))
    )
    nvml.answers["mig", "nvmlDeviceGetUUID"] = "MIG-0001"
    nvml.answers["mig", "nvmlDeviceGetName"] = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    nvml.answers["mig", "nvmlDeviceGetGpuInstanceId"] = 7
    nvml.answers["mig", "nvmlDeviceGetUtilizationRates"] = NVMLError(NOT_SUPPORTED)
    nvml.answers[0, "nvmlGpmMigSampleGet"] = lambda instance, sample: sample
    nvml.gpm[2] = 33.0
    source = opened(nvml, clock)
    _, instance = source.devices().devices
    assert (instance.parent_uuid, instance.name) == (FIRST, "NVIDIA H100 80GB HBM3 MIG 1g.10gb")
    clock.now += 1.0
    readings = source.read()["MIG-0001"]
    assert readings["utilization_percent"] == "not_supported"
    assert readings["sm_active_percent"] == 33.0
    assert (0, "nvmlGpmMigSampleGet") in nvml.calls


def test_memory_that_belongs_to_the_machine_is_told_apart(opened):
    nvml = FakeNvml()
    nvml.answers[0, "nvmlDeviceGetMemoryInfo"] = NVMLError(NOT_SUPPORTED)
    source = opened(nvml)
    assert source.devices().devices[0].unified_memory
    (sample,) = LocalSource(source, METRICS).read()
    readings = sample.devices[FIRST]
    assert readings["memory_total_bytes"] == sample.machine["host_memory_total_bytes"]
    assert readings["memory_reserved_bytes"] == "not_supported"


def test_a_virtual_gpu_shows_what_it_has(opened):
    nvml = FakeNvml()
    for function in (
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetTemperature",
        "nvmlDeviceGetCurrPcieLinkGeneration",
        "nvmlDeviceGetMarginTemperature",
    ):
        nvml.answers[0, function] = NVMLError(NOT_SUPPORTED)
    source = opened(nvml)
    readings = source.read()[FIRST]
    assert readings["power_watts"] == readings["temperature_celsius"] == "not_supported"
    assert readings["utilization_percent"] == 63
    assert states(source) == {FIRST: "ok"}


def test_an_xid_error_is_counted_for_its_device(opened):
    nvml = FakeNvml(count=2)
    source = opened(nvml)
    assert source.read()[SECOND]["xid_count"] == 0
    assert source.read()[SECOND]["xid_last_code"] == "not_yet"
    nvml.tell_xid(1, 31)
    while source.read()[SECOND]["xid_count"] == 0:
        pass
    readings = source.read()
    assert (readings[SECOND]["xid_count"], readings[SECOND]["xid_last_code"]) == (1, 31)
    assert readings[FIRST]["xid_count"] == 0


def test_a_driver_that_tells_no_events_is_no_healthy_device(opened):
    nvml = FakeNvml()
    nvml.answers[0, "nvmlDeviceRegisterEvents"] = NVMLError(NOT_SUPPORTED)
    assert opened(nvml).read()[FIRST]["xid_count"] == "not_supported"


def _raise(error):
    raise error
