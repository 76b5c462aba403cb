"""Recordings: what was read comes back as it was, and nothing that was recorded is lost."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import sys
import threading
import zlib
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest
from waiting import wait_until

from jupyter_gpuperf.errors import BadRequest, NotFound, Unavailable
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recorder.recorder import MOST_WAITING, Recorder
from jupyter_gpuperf.recorder.store import RecordingStore, start_recorder
from jupyter_gpuperf.recordings.load import load_recording
from jupyter_gpuperf.sampling import HistoryStore, Sampler, Subscribers
from jupyter_gpuperf.sampling.subscribers import FINDINGS
from jupyter_gpuperf.schemas import Frame, ListedProcess, RecordingRequest, encode
from jupyter_gpuperf.sources import source_from
from jupyter_gpuperf.sources.replay import ReplaySource

UUID = "GPU-0000"
FAST = RecordingRequest(interval_ms=100)


@pytest.fixture
def sampled(training_recording, starved_recording):
    """A sampler on two recorded H100s."""
    subscribers = Subscribers()
    sampler = Sampler(
        source_from(f"replay:{training_recording},{starved_recording}", METRICS),
        history=HistoryStore(
            seconds=1, shortest_interval_seconds=0.1, device_metrics=(), host_metrics=()
        ),
        subscribers=subscribers,
        idle_interval_ms=60_000,
    )
    sampler.start()
    assert sampler.wait_for_tick(10)
    yield sampler, subscribers
    sampler.stop()


@pytest.fixture
def shelf(sampled, tmp_path):
    sampler, subscribers = sampled
    shelf = RecordingStore(tmp_path / "kept", sampler=sampler, subscribers=subscribers)
    yield shelf
    shelf.close()


def recorder(path, subscribers, **options):
    return Recorder(
        path,
        header=encode({"format": "gpuperf-recording", "format_version": 1, "devices": []}),
        first_messages=(),
        subscribers=subscribers,
        interval_ms=100,
        **options,
    )


def frame(place: int, reading: object = 1.0) -> bytes:
    readings = {"power_watts": reading}
    return encode(
        Frame(
            time_seconds=1000.0 + place, devices={UUID: readings}, host={}, host_cores_percent=[5.0]
        )
    )


def publish(subscribers, *messages):
    for place, message in enumerate(messages):
        subscribers.publish(lambda message=message: message, 1000.0 + place)


def test_what_was_found_is_left_out_since_it_names_notebooks(tmp_path):
    subscribers = Subscribers()
    running = recorder(tmp_path / "a.jsonl.gz", subscribers)
    publish(subscribers, frame(0))
    subscribers.announce(b'{"type":"findings","findings":[{"notebook":"secret.ipynb"}]}', FINDINGS)
    subscribers.announce(b'{"type":"alerts","alerts":[]}', "alerts")
    running.stop()
    written = gzip.decompress(running.path.read_bytes()).decode()
    assert '"alerts"' in written  # what came after it was written
    assert "secret" not in written


def test_what_was_read_is_what_replays(sampled, tmp_path):
    sampler, subscribers = sampled
    heard: list[Frame] = []
    subscribers.add(
        lambda message, topic: (
            topic == "frames" and heard.append(msgspec.json.decode(message, type=Frame))
        ),
        100,
    )
    path = tmp_path / "a.jsonl.gz"
    running = start_recorder(path, FAST, sampler=sampler, subscribers=subscribers)
    wait_until(lambda: running.frames_count >= 12)
    running.stop()
    assert running.error is None

    recording = load_recording(path, METRICS)
    by_time = {each.time_seconds: each for each in heard}
    with gzip.open(path, "rt") as lines:
        recorded = [msgspec.json.decode(line) for line in lines]
    times = [line["time_seconds"] for line in recorded if line.get("type") == "frame"]
    assert len(times) == len(recording.seconds) == running.frames_count
    compared = 0
    for seconds, moment in zip(recording.seconds, times, strict=True):
        assert seconds == pytest.approx(moment - times[0])
        if moment in by_time:
            assert recording.read(seconds) == by_time[moment].devices
            assert recording.read_host(seconds) == by_time[moment].host
            compared += 1
    assert compared >= 10
    assert [each.name for each in recording.devices(0.0)] == ["NVIDIA H100 80GB HBM3"] * 2


def test_a_replayed_recording_shows_the_devices_it_was_taken_of(sampled, tmp_path):
    sampler, subscribers = sampled
    path = tmp_path / "a.jsonl.gz"
    running = start_recorder(path, FAST, sampler=sampler, subscribers=subscribers)
    wait_until(lambda: running.frames_count >= 3)
    running.stop()
    source = ReplaySource([path, path], METRICS)
    source.open()
    devices = source.devices().devices
    assert [device.index for device in devices] == [0, 1, 2, 3]
    assert len({device.uuid for device in devices}) == 4
    assert set(source.read()[0].devices) == {device.uuid for device in devices}
    assert all(device.replayed for device in devices)


def test_reasons_are_recorded_and_what_was_not_there_is_said(tmp_path):
    subscribers = Subscribers()
    path = tmp_path / "a.jsonl.gz"
    running = recorder(path, subscribers)
    publish(subscribers, frame(0, "not_yet"), frame(1, 250.0), frame(2, "device_lost"))
    wait_until(lambda: running.frames_count == 3)
    running.stop()
    recording = load_recording(path, METRICS)
    readings = [recording.read(seconds)[UUID] for seconds in (0.0, 1.0, 2.0)]
    assert [each["power_watts"] for each in readings] == ["not_yet", 250.0, "device_lost"]
    assert {each["temperature_celsius"] for each in readings} == {"not_recorded"}
    assert recording.read_host_cores(1.0) == [5.0]


def test_a_clock_set_back_while_recording_keeps_the_order(tmp_path):
    subscribers = Subscribers()
    path = tmp_path / "a.jsonl.gz"
    running = recorder(path, subscribers)
    for place, message in enumerate([frame(100), frame(101), frame(3), frame(4)]):
        subscribers.publish(lambda message=message: message, float(place))
    wait_until(lambda: running.frames_count == 4)
    running.stop()
    seconds = list(load_recording(path, METRICS).seconds)
    assert seconds == sorted(set(seconds))
    assert seconds[-1] == pytest.approx(2.0, abs=0.01)


def test_processes_are_recorded_without_names_and_belong_to_no_kernel_here(tmp_path):
    listed: Future = Future()
    listed.set_result(
        {
            UUID: [
                ListedProcess(
                    pid=1,
                    kinds=("compute",),
                    memory_used_bytes=5.0,
                    sm_utilization_percent="not_supported",
                )
            ]
        }
    )
    subscribers = Subscribers()
    path = tmp_path / "a.jsonl.gz"
    running = recorder(path, subscribers, list_processes=lambda: listed)
    publish(subscribers, frame(0))
    wait_until(lambda: b"processes" in gzip_so_far(path))
    publish(subscribers, frame(1), frame(2))
    wait_until(lambda: running.frames_count >= 2)
    running.stop()
    recording = load_recording(path, METRICS)
    (process,) = recording.read_processes(recording.seconds[-1])[UUID]
    assert (process.pid, process.memory_used_bytes) == (1, 5.0)
    assert process.elsewhere


def gzip_so_far(path: Path) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(path.read_bytes())


def test_the_readers_of_the_product_own_no_more_than_the_file(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    running = recorder(path, Subscribers())
    running.stop()
    assert path.stat().st_mode & 0o777 == 0o600


KILLED = """
import sys, time
from pathlib import Path
sys.path[:0] = {tests!r}
from test_recordings import frame, recorder
from jupyter_gpuperf.sampling import Subscribers
subscribers = Subscribers()
recorder(Path({path!r}), subscribers)
place = 0
while True:
    subscribers.publish(lambda: frame(place), float(place))
    place += 1
    print(place, flush=True)
    time.sleep(0.01)
"""


def test_a_kill_takes_the_last_seconds_alone(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    script = KILLED.format(
        tests=[str(Path(__file__).parent), str(Path(__file__).parents[1])], path=str(path)
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        # Written while it runs, some times: what is on the disk by now is not the last seconds' alone.
        if int(line) % 20 == 0 and path.exists() and gzip_so_far(path).count(b"\n") > 150:
            process.kill()
            written = int(line)
            break
    process.wait()
    process.stdout.close()
    assert 150 <= len(load_recording(path, METRICS).seconds) <= written + 1


def test_a_full_disk_ends_the_recording_and_keeps_it(tmp_path):
    free = [10**12]
    subscribers = Subscribers()
    path = tmp_path / "a.jsonl.gz"
    running = recorder(path, subscribers, free_bytes=lambda _path: free[0])
    publish(subscribers, frame(0), frame(1))
    wait_until(lambda: running.frames_count == 2)
    free[0] = 10**6
    wait_until(lambda: running.state == "failed")
    assert running.error.code == "recording_disk_full"
    assert "saved" in running.error.message
    assert subscribers.shortest_interval_ms() is None  # nobody is sampled for any more
    assert len(load_recording(path, METRICS).seconds) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_write_that_fails_ends_it_and_the_ticks_go_on(tmp_path, monkeypatch):
    # A file on a disk without any room: the system itself says so.
    monkeypatch.setattr(
        Recorder,
        "_create_file",
        staticmethod(lambda _path: open("/dev/full", "wb")),  # noqa: SIM115
    )
    subscribers = Subscribers()
    running = recorder(tmp_path / "a.jsonl.gz", subscribers)
    wait_until(lambda: running.state == "failed")
    assert running.error.code == "recording_disk_full"
    assert os.strerror(errno.ENOSPC) in running.error.message
    heard = []
    subscribers.add(lambda message, _topic: heard.append(message), 100)
    publish(subscribers, frame(0))
    assert heard == [frame(0)]


def test_a_disk_that_stalls_delays_no_tick_and_says_what_was_lost(tmp_path, monkeypatch):
    moves = threading.Event()

    class Stalled:
        def __init__(self):
            self.file = (tmp_path / "a.jsonl.gz").open("wb")

        def write(self, data):
            moves.wait()
            return self.file.write(data)

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

    monkeypatch.setattr(Recorder, "_create_file", staticmethod(lambda _path: Stalled()))
    subscribers = Subscribers()
    running = recorder(tmp_path / "a.jsonl.gz", subscribers)
    message = b"x" * 2000
    for place in range(5 * MOST_WAITING):  # a tick that waited for the disk would wait for ever
        subscribers.publish(lambda: message, float(place))
    assert running.dropped_count > 0
    moves.set()
    running.stop()
    assert running.error is None


def test_it_stops_by_itself(shelf):
    info = shelf.start(RecordingRequest(interval_ms=100, seconds=0.6))
    assert info.state == "recording"
    wait_until(lambda: shelf.get(info.id).state == "stopped")
    ended = shelf.get(info.id)
    assert ended.duration_seconds >= 0.5
    assert ended.frames_count >= 1
    assert ended.size_bytes == Path(ended.path).stat().st_size


def test_a_later_server_knows_the_recordings_of_before(shelf, sampled, tmp_path):
    sampler, subscribers = sampled
    kept = shelf.start(RecordingRequest(label="Größe 7 / run"))
    shelf.stop(kept.id)
    (tmp_path / "kept" / "other.jsonl.gz").write_bytes(b"not ours")
    later = RecordingStore(tmp_path / "kept", sampler=sampler, subscribers=subscribers)
    (found,) = later.all()
    assert (found.id, found.label, found.state) == (kept.id, "Größe 7 / run", "stopped")
    later.discard(found.id)
    assert later.all() == []
    assert not Path(found.path).exists()


def test_refusals(shelf, tmp_path, sampled):
    sampler, subscribers = sampled
    for wrong in (
        RecordingRequest(interval_ms=1),
        RecordingRequest(seconds=-1.0),
        RecordingRequest(label="x" * 100),
    ):
        with pytest.raises(BadRequest, match="out of range") as refused:
            shelf.start(wrong)
    assert isinstance(refused.value.message.parameters["name"], Message)  # a label is translated
    with pytest.raises(NotFound):
        shelf.get("none")
    with pytest.raises(Unavailable) as refusal:
        start_recorder(tmp_path / "no" / "a.gz", FAST, sampler=sampler, subscribers=subscribers)
    assert refusal.value.code == "recording_not_written"
    for _ in range(4):
        shelf.start(FAST)
    with pytest.raises(Unavailable, match="running"):
        shelf.start(FAST)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"not json\n", "not a JSON object"),
        (gzip.compress(b'{"format": "gpuperf-recording", "format_version": 99}\n'), "newer"),
        (gzip.compress(b'{"format": "gpuperf-recording", "format_version": 1}\n'), "no readings"),
        (gzip.compress(b'{"trace": "x", "static": {}}\n'), "no readings"),
        (gzip.compress(b"x" * 10_000)[:20], "empty; the file is truncated"),
    ],
    ids=["empty", "text", "newer format", "header alone", "trace header alone", "cut short"],
)
def test_a_file_that_is_no_recording_says_what_is_wrong(tmp_path, content, said):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        load_recording(path, METRICS)
