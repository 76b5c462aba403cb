"""The history, of devices and of training, outlives its server; what can't be read or written costs the file alone."""

from __future__ import annotations

import os
import zlib

import msgspec
import pytest
from waiting import wait_until

from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.recorder.history_keeper import HistoryKeeper
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import Frame
from jupyter_gpuperf.schemas.cells import CellRan
from jupyter_gpuperf.schemas.training import Steps, StepTally, WatchedLoop

GPU = "GPU-0000"


def store():
    return HistoryStore(
        seconds=60.0,
        shortest_interval_seconds=1.0,
        device_metrics=["power_watts"],
        host_metrics=["host_cpu_percent"],
    )


def loops(now=lambda: 0.0):
    return TrainingStore(DeviceUsage(store(), now=now), now=now)


def fill(history, first, last):
    for second in range(first, last):
        history.append(
            Frame(
                time_seconds=float(second),
                devices={GPU: {"power_watts": float(second % 97)}},
                host={"host_cpu_percent": 5.0},
                host_cores_percent=[],
            )
        )


def all_of(history):
    return history.query(seconds=86_400, step_seconds=10)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "history"


def kept(path, first=100_000, last=100_400):
    history = store()
    keeper = HistoryKeeper(path, history, loops())
    keeper.start()
    fill(history, first, last)
    keeper.stop()
    return history


def test_a_later_server_has_the_history_and_goes_on(path):
    before = kept(path)
    history = store()
    keeper = HistoryKeeper(path, history, loops())
    keeper.start()
    earlier = all_of(before).devices[GPU]
    assert all_of(history).devices[GPU] == earlier
    fill(history, 100_500, 100_560)
    assert all_of(history).devices[GPU].times_seconds[: len(earlier.times_seconds)] == (
        earlier.times_seconds
    )
    times = all_of(history).devices[GPU].times_seconds
    assert times == sorted(set(times))
    assert times[0] == 100_000
    assert times[-1] == 100_550
    assert not [time for time in times if 100_400 <= time < 100_500]  # nobody knows
    keeper.stop()


def test_the_newest_minute_is_kept_tick_by_tick(path):
    kept(path)
    history = store()
    HistoryKeeper(path, history, loops()).start()
    minute = history.query(seconds=30, step_seconds=1).devices[GPU]
    assert minute.times_seconds[-1] == 100_399
    assert len(minute.times_seconds) >= 30


def test_a_crash_leaves_the_coarse_steps_of_before(path):
    history = store()
    keeper = HistoryKeeper(path, history, loops(), save_every_seconds=0.05)
    keeper.start()
    fill(history, 100_000, 100_400)

    def times_so_far():
        later = store()
        HistoryKeeper(path, later, loops()).start()  # without the first one's last word
        return all_of(later).devices[GPU].times_seconds if all_of(later).devices else []

    wait_until(lambda: (times := times_so_far()) and times[-1] >= 100_380)
    assert times_so_far()[0] == 100_000
    keeper.stop()


@pytest.mark.parametrize("content", [b"", b"my thesis", b"x\x9c" + b"0" * 50])
def test_a_file_that_is_no_history_is_set_aside(path, content, caplog):
    path.parent.mkdir()
    path.write_bytes(content)
    kept(path)
    assert "is not a history" in caplog.text
    assert path.with_name("history.unreadable").read_bytes() == content
    later = store()
    HistoryKeeper(path, later, loops()).start()
    assert all_of(later).devices[GPU].times_seconds


def test_a_disk_that_takes_nothing_is_said_and_nothing_else_stops(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    history = kept(tmp_path / "file" / "history")
    assert "c.GpuPerf.history_file" in caplog.text
    assert all_of(history).devices[GPU].times_seconds


def test_a_server_that_never_read_anything_writes_nothing(path):
    kept(path)
    content = path.read_bytes()
    HistoryKeeper(path, store(), loops()).stop()
    assert path.read_bytes() == content


def test_others_can_not_read_it_and_nothing_is_left_beside_it(path):
    kept(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["history"]


class Trained:
    """A server, as far as training goes, on a clock that the test turns."""

    def __init__(self, path, time_seconds, **options):
        self.time = time_seconds
        self.store = loops(lambda: self.time)
        self.keeper = HistoryKeeper(path, store(), self.store, **options)
        self.keeper.start()

    def step_for(self, seconds, key="k1", samples=320.0):
        for _ in range(seconds):
            self.time += 1.0
            tally = StepTally(
                loader=1,
                began_seconds=self.time - 1.0,
                ended_seconds=self.time,
                count=10,
                training_count=10,
                interrupted_count=0,
                samples_count=samples,
                step_seconds=1.0,
                wait_seconds=0.4,
                event_step_seconds=0.0,
                event_idle_seconds=0.0,
                epoch_batches=400,
                bins={62: 10},
            )
            steps = Steps(
                kernel_id=key,
                notebook_path=f"a/{key}.ipynb",
                loaders=[WatchedLoop(id=1, name="train_loader", device_uuid=GPU)],
                tallies=[tally],
            )
            self.store.store_steps(key, 7, steps)
            self.store.message_after(
                Frame(time_seconds=self.time, devices={}, host={}, host_cores_percent=[])
            )

    def past(self, seconds=86_400, step_seconds=5):
        return self.store.training(seconds=seconds, step_seconds=step_seconds)


def points(training, key="k1"):
    columns = training.history[key]
    return dict(zip(columns.times_seconds, columns.metrics["samples_per_second"].mean, strict=True))


def test_a_later_server_has_the_notebooks_training_and_goes_on(path):
    server = Trained(path, 1_000_000.0)
    server.step_for(100)
    server.step_for(10, key="k2", samples=640.0)
    cell = CellRan(
        kernel_id="k1",
        notebook_path=None,
        number=7,
        began_seconds=1_000_000.0,
        ended_seconds=1_000_100.0,
        device_uuids=[],
    )
    server.store.cell_ran("k1", cell)
    before = server.past()
    server.keeper.stop()

    later = Trained(path, 1_000_200.0)
    after = later.past()
    assert points(after) == points(before)
    assert points(after, "k2") == points(before, "k2")
    assert after.paths == {"k1": "a/k1.ipynb", "k2": "a/k2.ipynb"}
    assert after.now.notebooks == []  # their kernels have not connected again

    later.store.add_connection("k1", 7, lambda message: None)
    later.step_for(60)
    (notebook,) = later.past().now.notebooks
    assert [cell.number for cell in notebook.cells] == [7]
    went_on = points(later.past())
    assert {time: went_on[time] for time in points(before)} == points(before)
    assert max(went_on) >= 1_000_255
    assert not [time for time in went_on if 1_000_115 <= time < 1_000_200]  # nobody knows
    later.keeper.stop()


def test_a_kernel_that_spoke_before_the_file_was_read_keeps_its_past(path):
    server = Trained(path, 1_000_000.0)
    server.step_for(30)
    server.keeper.stop()
    store_of_later = loops(lambda: 1_000_100.0)
    store_of_later.add_connection("k1", 8, lambda message: None)
    HistoryKeeper(path, store(), store_of_later).start()
    after = store_of_later.training(seconds=86_400, step_seconds=5)
    assert len(points(after)) >= 6
    assert [(each.key, each.pid, each.connected) for each in after.now.notebooks] == [
        ("k1", 8, True)
    ]


def test_long_after_a_notebook_is_in_the_history_alone(path):
    server = Trained(path, 1_000_000.0)
    server.step_for(30)
    server.keeper.stop()
    after = Trained(path, 1_040_000.0).past()
    assert after.now.notebooks == []
    assert len(points(after)) >= 1
    assert Trained(path, 1_040_000.0).past(seconds=120).history == {}


def test_a_clock_that_was_set_back_takes_nothing_but_the_future(path):
    server = Trained(path, 1_000_000.0)
    server.step_for(100)
    server.keeper.stop()
    later = Trained(path, 1_000_050.0)
    later.step_for(20)
    times = list(points(later.past()))
    assert times == sorted(set(times))
    assert times[0] == 1_000_000
    assert times[-1] <= 1_000_070


def content_of(path):
    return msgspec.msgpack.decode(zlib.decompress(path.read_bytes()))


def write(path, content):
    path.write_bytes(zlib.compress(msgspec.msgpack.encode(content)))


def test_a_file_of_before_training_was_kept_is_read(path):
    before = kept(path)
    content = content_of(path)
    del content["training"]
    write(path, content)
    later = store()
    keeper = HistoryKeeper(path, later, loops())
    keeper.start()
    assert all_of(later).devices[GPU].times_seconds == all_of(before).devices[GPU].times_seconds
    keeper.stop()
    assert content_of(path)["training"]["notebooks"] == []


def test_where_a_part_is_broken_nothing_is_taken_and_nothing_is_lost(path):
    server = Trained(path, 1_000_000.0)
    server.step_for(30)
    server.keeper.stop()
    kept_devices = store()
    fill(kept_devices, 100_000, 100_100)
    content = content_of(path)
    content["history"] = msgspec.to_builtins(kept_devices.dump(full=True), builtin_types=(bytes,))
    content["training"]["notebooks"][0]["track"]["coarse"][0]["times"] = b"torn"
    write(path, content)
    broken = path.read_bytes()
    history, training = store(), loops()
    keeper = HistoryKeeper(path, history, training)
    keeper.start()
    assert all_of(history).devices == {}
    assert training.training(seconds=60, step_seconds=5).history == {}
    keeper.stop()
    assert path.with_name("history.unreadable").read_bytes() == broken


def test_what_was_set_aside_before_stays_too(path):
    path.parent.mkdir()
    contents = {b"my thesis", b"my other thesis"}
    for content in contents:
        path.write_bytes(content)
        kept(path)
        path.unlink()
    assert {each.read_bytes() for each in path.parent.iterdir()} == contents


def test_a_file_that_can_not_be_read_is_left_as_it_is(path, caplog):
    path.mkdir(parents=True)  # as good as another user's, and so for root, too
    kept(path)
    assert path.is_dir()
    assert "none is saved" in caplog.text


def test_a_named_pipe_in_place_of_the_file_holds_up_nobody(tmp_path, caplog):
    os.mkfifo(tmp_path / "history")
    keeper = HistoryKeeper(tmp_path / "history", store(), loops())
    keeper.start()
    keeper.stop()
    assert "Can't read the history" in caplog.text
