from __future__ import annotations

import gzip
import json

import pytest

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording
from jupyter_gpuperf.sources import source_from
from jupyter_gpuperf.sources.replay import ReplaySource


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def replay(*paths):
    clock = Clock()
    source = ReplaySource(paths, METRICS, clock=clock)
    source.open()
    return source, clock


def devices_of(source):
    (sample,) = source.read()
    return sample.devices


def test_readings_are_those_recorded_at_that_moment(training_recording):
    with gzip.open(training_recording, "rt") as file:
        lines = [json.loads(line) for line in file]
    source, clock = replay(training_recording)
    (uuid,) = devices_of(source)
    for line in lines[1::50]:
        clock.seconds = 100.0 + line["t"] + 1e-6
        readings = devices_of(source)[uuid]
        assert readings["utilization_percent"] == line["utilization_gpu"]
        assert readings["power_watts"] == pytest.approx(line["power_mw"] / 1000)
        assert readings["memory_used_bytes"] == line["memory_used"]
        assert readings["clock_event_flags"] == line["event_reasons"]


def test_the_recording_loops(training_recording):
    source, clock = replay(training_recording)
    recording = load_recording(training_recording, METRICS)
    (first,) = source.read()
    clock.seconds += recording.seconds[-1] + 0.1001
    (again,) = source.read()
    assert (again.devices, again.machine) == (first.devices, first.machine)
    assert [*again.played_seconds.values()] == [pytest.approx(0.0, abs=0.01)]


def test_the_passes_of_a_recording_that_is_too_short_to_be_judged_count_as_one(
    training_recording, tmp_path
):
    with gzip.open(training_recording, "rt") as file:
        header, *lines = file
    short = tmp_path / "short.jsonl"
    short.write_text("".join((header, *(each for each in lines if json.loads(each)["t"] < 7.0))))
    source, clock = replay(short)
    clock.seconds += 20.0
    (sample,) = source.read()
    assert [*sample.played_seconds.values()] == [pytest.approx(20.0)]


def test_each_file_is_a_device_also_the_same_file_twice(training_recording, idle_recording):
    source, _ = replay(training_recording, idle_recording, idle_recording)
    devices = source.devices().devices
    assert len({device.uuid for device in devices}) == 3
    assert set(devices_of(source)) == {device.uuid for device in devices}
    assert {device.name for device in devices} == {"NVIDIA H100 80GB HBM3"}
    assert all(device.replayed for device in devices)


def test_the_host_is_the_recorded_one_and_what_was_not_recorded_is_said(training_recording):
    source, clock = replay(training_recording)
    clock.seconds += 20
    host = source.read()[0].machine
    assert isinstance(host["host_cpu_percent"], float)
    assert host["host_memory_total_bytes"] == "not_recorded"


def test_a_reading_that_the_driver_refused_is_not_zero(tmp_path):
    path = tmp_path / "trace.jsonl"
    header = {"trace": "partial", "static": {"name": "GPU", "power_limit_mw": None}}
    reading = {"t": 0.0, "utilization_gpu": None, "power_mw": 90_000}
    path.write_text(f"{json.dumps(header)}\n{json.dumps(reading)}\n")
    source, _ = replay(path)
    (readings,) = devices_of(source).values()
    assert readings["utilization_percent"] == "not_recorded"
    assert readings["power_limit_watts"] == "not_recorded"
    assert readings["power_watts"] == 90
    assert "temperature_celsius" in readings


@pytest.mark.parametrize(
    "content",
    [b"", b"not json\n", b"{}\n", b'{"trace": "x", "static": {}}\n', b"\x1f\x8b broken gzip"],
)
def test_a_file_that_is_no_recording_is_a_reason_not_a_crash(tmp_path, content):
    path = tmp_path / "broken.jsonl.gz"
    path.write_bytes(content if content.startswith(b"\x1f") else gzip.compress(content))
    source, _ = replay(path)
    reason = source.devices().reason
    assert reason is not None
    assert reason.code == "recording_unreadable"
    assert str(path) in reason.message
    assert devices_of(source) == {}


def test_a_missing_file_is_a_reason(tmp_path):
    source, _ = replay(tmp_path / "nowhere.jsonl.gz")
    reason = source.devices().reason
    assert reason is not None
    assert reason.code == "recording_unreadable"


def test_packaged_recordings_are_found_by_name():
    source = source_from("replay:h100_healthy_resnet50_bf16.jsonl.gz", METRICS)
    source.open()
    assert len(source.devices().devices) == 1


def test_the_source_none_says_that_it_is_a_setting():
    source = source_from("none", METRICS)
    source.open()
    reason = source.devices().reason
    assert reason is not None
    assert reason.code == "switched_off"
    assert isinstance(source.read()[0].machine["host_memory_total_bytes"], float)


def test_what_covers_a_tick_is_the_mean_of_what_was_recorded_since(starved_recording):
    """A sampler that comes once a second misses no burst of work; nor does its replay."""
    source, clock = replay(starved_recording)
    shares = []
    clock.seconds += 13
    for _second in range(8):
        clock.seconds += 1
        (readings,) = devices_of(source).values()
        shares.append(readings["sm_active_percent"])
    assert min(shares[1:]) > 1.0  # at 10 Hz, seven of ten readings are 0
    assert max(shares[1:]) < 5.0  # and the others up to 10
