"""The history outlives its server; what can't be read or written costs the file alone."""

from __future__ import annotations

import time

import pytest

from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.sampling.history_keeper import HistoryKeeper
from jupyter_gpuperf.schemas import Frame

GPU = "GPU-0000"


def store():
    return HistoryStore(
        seconds=60.0,
        shortest_interval_seconds=1.0,
        device_metrics=["power_watts"],
        host_metrics=["host_cpu_percent"],
    )


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
    keeper = HistoryKeeper(path, history)
    keeper.start()
    fill(history, first, last)
    keeper.stop()
    return history


def test_a_later_server_has_the_history_and_goes_on(path):
    before = kept(path)
    history = store()
    keeper = HistoryKeeper(path, history)
    keeper.start()
    earlier = all_of(before)
    assert (
        all_of(history).devices[GPU].times_seconds[:-1] == earlier.devices[GPU].times_seconds[:-1]
    )
    fill(history, 100_500, 100_560)
    times = all_of(history).devices[GPU].times_seconds
    assert times == sorted(set(times))
    assert times[0] == 100_000
    assert times[-1] == 100_550
    assert not [time for time in times if 100_400 <= time < 100_500]  # nobody knows
    keeper.stop()


def test_the_newest_minute_is_kept_tick_by_tick(path):
    kept(path)
    history = store()
    HistoryKeeper(path, history).start()
    minute = history.query(seconds=30, step_seconds=1).devices[GPU]
    assert minute.times_seconds[-1] == 100_399
    assert len(minute.times_seconds) >= 30


def test_a_crash_leaves_the_coarse_steps_of_before(path):
    history = store()
    keeper = HistoryKeeper(path, history, save_every_seconds=0.05)
    keeper.start()
    fill(history, 100_000, 100_400)
    deadline = time.monotonic() + 10
    while not path.exists() or path.stat().st_size < 300:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    later = store()
    HistoryKeeper(path, later).start()  # without the first one's last word
    times = all_of(later).devices[GPU].times_seconds
    assert times[0] == 100_000
    assert times[-1] >= 100_380
    keeper.stop()


@pytest.mark.parametrize("content", [b"", b"my thesis", b"x\x9c" + b"0" * 50])
def test_a_file_that_is_no_history_is_set_aside(path, content, caplog):
    path.parent.mkdir()
    path.write_bytes(content)
    kept(path)
    assert "holds no history" in caplog.text
    assert path.with_name("history.unreadable").read_bytes() == content
    later = store()
    HistoryKeeper(path, later).start()
    assert all_of(later).devices[GPU].times_seconds


def test_a_disk_that_takes_nothing_is_said_and_nothing_else_stops(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    history = kept(tmp_path / "file" / "history")
    assert "c.GpuPerf.history_file" in caplog.text
    assert all_of(history).devices[GPU].times_seconds


def test_a_server_that_never_read_anything_writes_nothing(path):
    kept(path)
    content = path.read_bytes()
    HistoryKeeper(path, store()).stop()
    assert path.read_bytes() == content


def test_others_can_not_read_it_and_nothing_is_left_beside_it(path):
    kept(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["history"]
