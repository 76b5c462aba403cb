"""A recording may hold anything: it is read in bounded time and memory, or refused with a reason."""

from __future__ import annotations

import json
import resource
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_files import HEADER, bomb, odd_files, one_long_line, packed

from jupyter_gpuperf.client.diagnosis import diagnosis_of
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording, read_header
from jupyter_gpuperf.schemas import Frame, TrainingNow, encode
from jupyter_gpuperf.sources.replay import ReplaySource

LOOP = {
    **dict.fromkeys(
        ("pid", "device_uuid", "samples_per_second", "idle_for_data_ratio", "busy_ratio")
    ),
    **dict.fromkeys(("busy_metric", "idle_for_host_ratio", "batch_size", "batches_per_epoch")),
    **dict.fromkeys(("prefetch_factor", "worker_threads", "epoch_left_seconds")),
    "notebook": "",
    "loader": "train",
    "loader_id": 1,
    "count": 5,
    "step_seconds": 0.1,
    "wait_ratio": 0.5,
    "num_workers": 4,
    "pin_memory": False,
    "persistent_workers": False,
    "is_training": True,
    "epoch_batches": 5,
    "last_seconds": 1.0,
    "bins": [],
}
FRAME = {"type": "frame", "devices": {"GPU-0": {"power_watts": 90.0}}, "host": {}}


def frames(*times: float) -> list[dict]:
    return [{**FRAME, "time_seconds": each} for each in times]


def test_each_odd_file_is_refused_with_a_reason(tmp_path):
    odd_files(tmp_path)
    for path in tmp_path.iterdir():
        with pytest.raises((ValueError, OSError)):
            load_recording(path, METRICS)


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (b" " * 1024, 30_000),
        (b"\n", 30_000_000),
        (b"{}\n", 10_000_000),
        (b'{"type":"frame","time_seconds":1,"devices":{"a":{}},"host":{}}\n', 1_500_000),
    ],
    ids=["one line", "empty lines", "empty objects", "frames of nothing"],
)
def test_a_small_file_cannot_take_all_memory_or_time(tmp_path, line, count):
    path = tmp_path / "bomb.jsonl.gz"
    bomb(path, line, count)
    assert path.stat().st_size < 2 << 20
    began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with pytest.raises(ValueError, match=r"far too long|too many"):
        load_recording(path, METRICS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - began < 30


def test_a_new_device_in_each_frame_cannot_take_all_memory(tmp_path):
    path = tmp_path / "many.jsonl.gz"
    ours = [{**FRAME, "time_seconds": each, "devices": {f"GPU-{each}": {}}} for each in range(3000)]
    packed(path, HEADER, *ours)
    with pytest.raises(ValueError, match="too many"):
        load_recording(path, METRICS)


def test_the_header_of_a_bomb_is_not_read_either(tmp_path):
    path = tmp_path / "bomb.jsonl.gz"
    one_long_line(path)
    tracemalloc.start()
    with pytest.raises(ValueError, match="far too long"):
        read_header(path)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("day", [86_400.0, 90_000.0, -90_000.0])
def test_a_clock_that_is_set_does_not_lengthen_a_recording(tmp_path, day):
    path = tmp_path / "a.jsonl.gz"
    before, after = range(10), range(10, 20)
    packed(path, HEADER, *frames(*before, *(each - day for each in after), *range(20, 31)))
    assert load_recording(path, METRICS).seconds[-1] == pytest.approx(30, abs=3)
    device = diagnosis_of(path).to_dict()["devices"][0]
    assert device["seconds"] == pytest.approx(30, abs=3)


def test_a_pause_within_a_recording_s_interval_keeps_its_length(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    packed(path, HEADER, *frames(0, 60, 119))
    assert list(load_recording(path, METRICS).seconds) == [0, 60, 119]


def test_a_list_of_processes_that_is_none_is_left_out(tmp_path, caplog):
    path = tmp_path / "a.jsonl.gz"
    bad = {"type": "processes", "devices": {"GPU-0": [{"pid": "many"}]}}
    good = {"type": "processes", "devices": {"GPU-0": "no_permission"}}
    packed(path, HEADER, *frames(0), bad, *frames(1), good, *frames(2))
    recording = load_recording(path, METRICS)
    assert recording.read_processes(0.5) == {"GPU-0": "not_recorded"}
    assert recording.read_processes(2.0) == {"GPU-0": "no_permission"}
    assert "unreadable list of processes" in caplog.text


@pytest.mark.parametrize(
    "change", [{"num_workers": 10**399}, {"count": -1}, {"last_seconds": 1e300}]
)
def test_a_loop_whose_figures_no_loop_has_is_left_out(tmp_path, change, caplog):
    notebook = {"key": "k", "pid": 1, "notebook_path": None, "connected": True, "cells": []}
    path = tmp_path / "a.jsonl.gz"
    training = {"type": "training", "time_seconds": 1.0, "window_seconds": 10.0}
    odd = {**training, "notebooks": [{**notebook, "loaders": [{**LOOP, **change}]}]}
    good = {**training, "notebooks": [{**notebook, "loaders": [LOOP]}]}
    packed(path, HEADER, *frames(0), good, *frames(1), odd, *frames(2))
    ((loop,),) = [
        each.loaders for each in load_recording(path, METRICS).read_training(2.0).notebooks
    ]
    assert loop.num_workers == 4
    assert "unreadable training message" in caplog.text


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**350),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["GPU-0", "no_permission", "ok"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
WHOLE = {
    "frame": {**FRAME, "time_seconds": 1.0, "host_cores_percent": [1.0]},
    "devices": {"type": "devices", "devices": {"devices": []}},
    "processes": {
        "type": "processes",
        "devices": {
            "GPU-0": [
                {
                    "pid": 1,
                    "kinds": ["compute"],
                    "memory_used_bytes": 1.0,
                    "sm_utilization_percent": 1.0,
                }
            ]
        },
    },
    "training": {"type": "training", "time_seconds": 1.0, "notebooks": []},
}


@st.composite
def messages(draw) -> dict:
    """Return a message as it should be, with one value replaced, at any depth."""
    whole = json.loads(json.dumps(draw(st.sampled_from([HEADER, *WHOLE.values()]))))
    place = whole
    while True:
        key = draw(st.sampled_from([*place] if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not inner or not isinstance(inner, dict | list) or draw(st.booleans()):
            place[key] = draw(VALUES)
            return whole
        place = inner


@settings(max_examples=60)
@given(st.lists(messages(), min_size=1, max_size=4), messages() | st.just(HEADER))
def test_whatever_a_file_holds_it_replays_or_is_refused(odd, header):
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl.gz")
        packed(path, header, WHOLE["frame"], *odd, WHOLE["frame"])
        source = ReplaySource([path], METRICS)
        source.open()
        devices = source.devices()
        assert devices.reason is None or devices.reason.code.startswith("recording_")
        if devices.reason is None:
            (sample,) = source.read()
            frame = Frame(
                time_seconds=0.0, devices=sample.devices, host=sample.machine, host_cores_percent=[]
            )
            assert encode(frame)
            assert encode(source.read_processes())
            assert isinstance(source.read_training(), TrainingNow | None)
