"""What the source reads is what nvidia-smi shows at the same time."""

from __future__ import annotations

import time

import pytest

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.sources.nvml import NvmlDriver

MIB = 2**20


@pytest.fixture
def source():
    source = NvmlDriver(METRICS)
    source.open()
    yield source
    source.close()


@pytest.fixture
def some_memory_in_use():
    torch = pytest.importorskip("torch")
    held = torch.zeros(2**30, dtype=torch.uint8, device="cuda")
    torch.cuda.synchronize()
    return held


LACKING_ON_SOME = ("nvlink_", "retired_pages_count", "xid_last_code")
"""What a healthy device may lack: links, the old way to retire pages, an error."""


def test_every_reading_of_a_real_device_has_a_value(source):
    source.read()
    time.sleep(0.2)  # rates need two readings
    for readings in source.read().values():
        missing = {name: value for name, value in readings.items() if isinstance(value, str)}
        assert {
            name: missing[name] for name in missing if not name.startswith(LACKING_ON_SOME)
        } == {}


def test_devices_are_those_of_nvidia_smi(source, nvidia_smi):
    listed = nvidia_smi("name", "memory.total", "enforced.power.limit", "clocks.max.sm")
    devices = source.devices()
    assert devices.reason is None
    assert {device.uuid for device in devices.devices} == set(listed)
    for device in devices.devices:
        name, memory_mib, limit_watts, clock_mhz = listed[device.uuid]
        assert device.name == name
        assert device.memory_total_bytes == int(memory_mib) * MIB
        assert device.power_limit_watts == pytest.approx(float(limit_watts))
        assert device.clock_sm_max_mhz == int(clock_mhz)


def test_readings_agree_with_nvidia_smi(source, nvidia_smi, some_memory_in_use):
    fields = ("memory.used", "temperature.gpu", "clocks.mem", "power.draw.average")
    before = nvidia_smi(*fields)
    readings = source.read()
    after = nvidia_smi(*fields)
    for uuid, values in readings.items():
        ranges = zip(before[uuid], after[uuid], strict=True)
        memory, temperature, clock, power = [
            sorted(float(value) for value in pair) for pair in ranges
        ]
        assert memory[0] - 1 <= values["memory_used_bytes"] / MIB <= memory[1] + 1
        assert temperature[0] - 2 <= values["temperature_celsius"] <= temperature[1] + 2
        assert clock[0] <= values["clock_memory_mhz"] <= clock[1]
        assert 0.7 * power[0] <= values["power_watts"] <= 1.3 * power[1]
