"""The driver's lists of processes, which don't always speak of the same numbers."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from fake_nvml import FakeNvml, NVMLError

from jupyter_gpuperf.sources.nvml_processes import processes_of

GIB = 1 << 30


def listed(*processes):
    return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in processes]


def sample(pid, share, age_seconds=0.1):
    return SimpleNamespace(pid=pid, smUtil=share, timeStamp=int((time.time() - age_seconds) * 1e6))


@pytest.fixture
def nvml():
    nvml = FakeNvml()
    nvml.answers[0, "nvmlDeviceGetComputeRunningProcesses"] = listed((420, GIB), (421, 2 * GIB))
    return nvml


def shares(nvml, *samples):
    nvml.answers[0, "nvmlDeviceGetProcessesUtilizationInfo"] = lambda since: list(samples)
    return {each.pid: each.sm_utilization_percent for each in processes_of(nvml, 0)}


def test_memory_and_share_come_together_by_pid(nvml):
    assert shares(nvml, sample(420, 75)) == {420: 75.0, 421: 0.0}
    assert [each.memory_used_bytes for each in processes_of(nvml, 0)] == [GIB, 2 * GIB]


def test_lists_that_number_processes_differently_are_not_joined(nvml):
    # Seen in containers: the one list has the container's numbers, the other the machine's.
    assert shares(nvml, sample(99_420, 75)) == {420: "not_supported", 421: "not_supported"}


def test_bogus_and_old_samples_are_dropped(nvml):
    found = shares(nvml, sample(420, 4_000_000), sample(421, 50, age_seconds=60))
    assert found == {420: 0.0, 421: 0.0}


def test_nobody_worked_is_told_as_an_error_and_means_zero(nvml):
    nvml.answers[0, "nvmlDeviceGetProcessesUtilizationInfo"] = NVMLError(6)
    assert {each.sm_utilization_percent for each in processes_of(nvml, 0)} == {0.0}


def test_shares_that_cannot_be_had_are_no_zero(nvml):
    nvml.answers[0, "nvmlDeviceGetProcessesUtilizationInfo"] = NVMLError(3)
    nvml.answers[0, "nvmlDeviceGetProcessUtilization"] = NVMLError(3)
    assert {each.sm_utilization_percent for each in processes_of(nvml, 0)} == {"not_supported"}


def test_memory_that_the_driver_does_not_know_is_no_zero(nvml):
    nvml.answers[0, "nvmlDeviceGetComputeRunningProcesses"] = listed((420, None))
    (process,) = processes_of(nvml, 0)
    assert process.memory_used_bytes == "not_supported"


def test_a_process_in_both_lists_is_one(nvml):
    nvml.answers[0, "nvmlDeviceGetGraphicsRunningProcesses"] = listed((420, GIB))
    kinds = {each.pid: each.kinds for each in processes_of(nvml, 0)}
    assert kinds == {420: ("compute", "graphics"), 421: ("compute",)}
