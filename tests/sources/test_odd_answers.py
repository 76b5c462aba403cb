"""Odd answers of drivers: what can't be read is missing alone, and everything else is shown."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from fake_nvml import FakeNvml, Hang, NVMLError

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sources.nvml import NvmlDriver
from jupyter_gpuperf.sources.nvml_devices import NO_NAME
from jupyter_gpuperf.sources.nvml_processes import processes_of

FIRST, SECOND = "GPU-0000", "GPU-0001"
NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND, LOST, UNKNOWN = 3, 4, 13, 15, 999
NOT_UTF8 = UnicodeDecodeError("utf-8", b"\xf8\xff", 0, 1, "invalid start byte")


class NoText(NVMLError):
    """An error for which pynvml can't get the driver's text."""

    def __str__(self):
        raise NOT_UTF8


def raises(error):
    def call(*_):
        raise error

    return call


@pytest.fixture
def nvml():
    return FakeNvml(count=2)


@pytest.fixture
def opened():
    drivers = []

    def opened(nvml, **options):
        drivers.append(NvmlDriver(METRICS, load=lambda: nvml, **options))
        drivers[-1].open()
        return drivers[-1]

    yield opened
    for driver in drivers:
        driver.close()


def listed(driver):
    return {device.uuid: device.name for device in driver.devices().devices}


@pytest.mark.parametrize("answer", [NOT_UTF8, b"\xf8\xff", "", NVMLError(UNKNOWN)])
def test_a_name_that_cannot_be_read_says_so(nvml, opened, answer):
    nvml.answers[0, "nvmlDeviceGetName"] = answer
    assert listed(opened(nvml)) == {FIRST: NO_NAME, SECOND: "NVIDIA H100 80GB HBM3"}


@pytest.mark.parametrize("answer", [NOT_UTF8, b"\xf8\xff", "", SECOND])
def test_without_a_uuid_of_its_own_a_device_is_named_by_its_index(nvml, opened, answer):
    nvml.answers[0, "nvmlDeviceGetUUID"] = answer
    driver = opened(nvml)
    assert len(listed(driver)) == 2
    assert [readings["utilization_percent"] for readings in driver.read().values()] == [63, 63]


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        ("nvmlDeviceGetPciInfo", NOT_UTF8),
        ("nvmlDeviceGetCudaComputeCapability", ValueError("odd")),
        ("nvmlDeviceGetMemoryInfo", ValueError("odd")),
        ("nvmlDeviceGetMigMode", [1, 1]),  # and the number of instances is refused
        ("nvmlDeviceRegisterEvents", OSError("odd")),
        ("nvmlDeviceGetPowerUsage", NoText(UNKNOWN)),
        ("nvmlDeviceGetPowerUsage", [1]),
        ("nvmlDeviceGetUtilizationRates", SimpleNamespace(gpu="63", memory=b"1")),
    ],
)
def test_one_odd_answer_hides_nothing_else(nvml, opened, function, answer):
    nvml.answers[0, function] = answer
    driver = opened(nvml)
    assert set(listed(driver)) == {FIRST, SECOND}
    readings = driver.read()
    assert readings[FIRST]["temperature_celsius"] == readings[SECOND]["temperature_celsius"] == 48


def test_an_xid_error_of_a_device_without_a_uuid_is_counted(nvml, opened):
    nvml.answers[0, "nvmlDeviceGetUUID"] = NOT_UTF8
    nvml.answers[0, "nvmlDeviceGetIndex"] = 0
    driver = opened(nvml)
    nvml.tell_xid(0, 31)
    while driver.read()["0"]["xid_count"] == 0:
        pass
    assert driver.read()[SECOND]["xid_count"] == 0


def test_a_driver_version_that_cannot_be_read_is_unknown(nvml, opened):
    nvml.nvmlSystemGetDriverVersion = raises(NOT_UTF8)
    devices = opened(nvml).devices().devices
    assert [device.driver_version for device in devices] == [None, None]


def test_a_mig_instance_that_cannot_be_read_hides_no_other(nvml, opened):
    nvml.answers[0, "nvmlDeviceGetMigMode"] = [1, 1]
    nvml.answers[0, "nvmlDeviceGetMaxMigDeviceCount"] = 3
    nvml.answers[0, "nvmlDeviceGetMigDeviceHandleByIndex"] = lambda place: f"mig{place}"
    for place, uuid in enumerate((NOT_UTF8, NVMLError(LOST), "MIG-2")):
        nvml.answers[f"mig{place}", "nvmlDeviceGetUUID"] = uuid
        nvml.answers[f"mig{place}", "nvmlDeviceGetName"] = NOT_UTF8
    assert set(listed(opened(nvml))) == {FIRST, f"{FIRST}/0", "MIG-2", SECOND}


@pytest.mark.parametrize(
    ("error", "code"), [(LOST, "device_lost"), (NO_PERMISSION, "no_permission")]
)
def test_if_no_device_opens_the_reason_is_the_drivers(opened, error, code):
    nvml = FakeNvml(count=1)
    nvml.answers[0, "nvmlDeviceGetHandleByIndex"] = NVMLError(error)
    driver = opened(nvml)
    assert driver.devices().reason.code == code
    driver.close()
    assert nvml.initialised == 0


def test_an_error_without_a_text_is_still_a_reason(opened):
    nvml = FakeNvml()
    nvml.nvmlInit = raises(NoText(UNKNOWN))
    assert "nvmlReturn_t 999" in opened(nvml).devices().reason.message


def test_a_device_that_hangs_when_it_is_first_read_hides_no_other(nvml, opened):
    hang = nvml.answers[0, "nvmlDeviceGetPowerUsage"] = Hang()
    driver = opened(nvml, open_seconds=0.1)
    try:
        assert set(listed(driver)) == {FIRST, SECOND}
        assert driver.devices().devices[0].memory_total_bytes == "not_yet"
    finally:
        hang.released.set()
    while driver.devices().devices[0].memory_total_bytes == "not_yet":
        driver.read()
    assert driver.devices().devices[0].memory_total_bytes == 85_520_809_984


def test_a_driver_without_devices_is_shut_down_too(opened):
    nvml = FakeNvml(count=0)
    opened(nvml).close()
    assert nvml.initialised == 0


class NVMLLibraryMismatchError(Exception):
    """What pynvml raises where the driver lacks the newest version of some functions."""


@pytest.mark.parametrize(
    "error", [NVMLError(FUNCTION_NOT_FOUND), NVMLError(25), NVMLLibraryMismatchError()]
)
def test_memory_and_processes_of_an_old_driver_are_read_by_its_own_calls(nvml, opened, error):
    def memory(version=None):
        if version:
            raise error
        return SimpleNamespace(total=11e9, used=1e9, free=10e9)

    nvml.answers[0, "nvmlDeviceGetMemoryInfo"] = memory
    nvml.answers[0, "nvmlDeviceGetComputeRunningProcesses"] = error
    nvml.answers[0, "nvmlDeviceGetComputeRunningProcesses_v2"] = [
        SimpleNamespace(pid=5, usedGpuMemory=7)
    ]
    driver = opened(nvml)
    readings = driver.read()[FIRST]
    assert (readings["memory_used_bytes"], readings["memory_total_bytes"]) == (1e9, 11e9)
    assert readings["memory_reserved_bytes"] == "not_supported"
    assert [each.memory_used_bytes for each in driver.read_processes()[FIRST]] == [7]


# --- GPM ------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self):
        self.now += 1.0
        return self.now


@pytest.mark.parametrize("function", ["nvmlGpmSampleGet", "nvmlGpmMetricsGet"])
def test_refused_samples_are_freed(opened, function):
    nvml = FakeNvml()
    setattr(nvml, function, raises(NVMLError(NO_PERMISSION)))
    driver = opened(nvml, clock=Clock())
    for _ in range(5):
        readings = driver.read()[FIRST]
    assert readings["sm_active_percent"] == "no_permission"
    assert nvml.gpm_samples <= 4  # two for each of the two cadences
    driver.close()
    assert nvml.gpm_samples == 0


def test_a_lost_device_does_not_keep_the_library_open(nvml, opened):
    nvml.nvmlGpmSampleFree = raises(NVMLError(LOST))
    driver = opened(nvml)
    driver.close()
    assert nvml.initialised == 0


def test_pcie_that_gpm_does_not_know_comes_from_its_counters(opened):
    nvml = FakeNvml()

    def evaluate(request):
        for metric in request.metrics[: request.numMetrics]:
            metric.nvmlReturn = NOT_SUPPORTED if metric.metricId in (20, 21) else 0
            metric.value = math.nan if metric.metricId == 2 else 12.5

    nvml.nvmlGpmMetricsGet = evaluate
    nvml.fields[0, 197] = 1_000
    driver = opened(nvml, clock=Clock())
    driver.read()
    readings = driver.read()[FIRST]
    # In the seconds between two readings the counter may have wrapped.
    assert readings["pcie_transmit_bytes_per_second"] == "not_supported"
    assert readings["sm_active_percent"] == "implausible"
    assert readings["dram_bandwidth_percent"] == 12.5


# --- processes ------------------------------------------------------------------------------


def used(pid, memory):
    return SimpleNamespace(pid=pid, usedGpuMemory=memory)


@pytest.mark.parametrize("refused", ["Compute", "Graphics"])
@pytest.mark.parametrize("error", [NVMLError(NOT_SUPPORTED), ValueError("odd")])
def test_one_list_of_processes_does_not_hide_the_other(nvml, refused, error):
    for kind in ("Compute", "Graphics"):
        answer = error if kind == refused else [used(5, 7)]
        nvml.answers[0, f"nvmlDeviceGet{kind}RunningProcesses"] = answer
    assert [(each.pid, each.memory_used_bytes) for each in processes_of(nvml, 0)] == [(5, 7)]


def test_processes_that_share_a_pid_are_added_up_and_odd_sizes_are_unknown(nvml):
    nvml.answers[0, "nvmlDeviceGetComputeRunningProcesses"] = [
        *(used(0, None), used(0, 7), used(0, 8)),
        *(used(4_294_967_295, 2**64 - 1), used(6, -1)),
    ]
    nvml.answers[0, "nvmlDeviceGetGraphicsRunningProcesses"] = [used(0, 15)]
    found = {each.pid: each for each in processes_of(nvml, 0)}
    memory = {pid: each.memory_used_bytes for pid, each in found.items()}
    assert memory == {0: 15, 4_294_967_295: "not_supported", 6: "not_supported"}
    # Nothing is known about the share of a process without a pid.
    shares = {pid: each.sm_utilization_percent for pid, each in found.items()}
    assert shares == {0: "not_supported", 4_294_967_295: "not_supported", 6: 0.0}


def test_processes_are_listed_without_their_shares(nvml):
    nvml.answers[0, "nvmlDeviceGetComputeRunningProcesses"] = [used(5, 7)]
    nvml.answers[0, "nvmlDeviceGetProcessesUtilizationInfo"] = TypeError("odd")
    (process,) = processes_of(nvml, 0)
    assert (process.memory_used_bytes, process.sm_utilization_percent) == (7, "not_supported")
