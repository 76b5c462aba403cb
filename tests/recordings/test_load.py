"""What a file may hold that this version does not know, and what earlier versions wrote."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording, read_header

OF_BEFORE = Path(__file__).with_name("two_h100_contended.jsonl.gz")
"""Written before devices had a host and frames other machines' readings."""

FRAME = {"type": "frame", "devices": {"GPU-0": {"power_watts": 90.0}}, "host": {}}


def written(path: Path, *messages: dict) -> Path:
    header = {"format": "gpuperf-recording", "format_version": 1, "devices": []}
    lines = [header, {**FRAME, "time_seconds": 1.0}, *messages, {**FRAME, "time_seconds": 2.0}]
    path.write_bytes(gzip.compress("".join(json.dumps(each) + "\n" for each in lines).encode()))
    return path


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"type": "weather", "rain": True}, "unknown kind 'weather'"),
        ({"rain": True}, "unknown kind None"),
        (
            {"type": "training", "notebooks": "none"},
            "unreadable training message",
        ),
    ],
)
def test_an_unknown_message_is_said_and_the_rest_is_read(tmp_path, caplog, message, said):
    path = written(tmp_path / "a.jsonl.gz", message, message)
    recording = load_recording(path, METRICS)
    assert list(recording.seconds) == [0.0, 1.0]
    assert recording.read(1.0)["GPU-0"]["power_watts"] == 90.0
    assert recording.read_training(1.0) is None
    assert "2 × " in caplog.text
    assert said in caplog.text
    assert str(path) in caplog.text


def test_a_known_recording_is_read_without_a_word(caplog):
    load_recording(OF_BEFORE, METRICS)
    assert not caplog.records


def test_what_an_earlier_version_wrote_is_read_and_of_no_other_machine(tmp_path):
    with gzip.open(OF_BEFORE, "rt") as lines:
        header, frame = json.loads(next(lines)), json.loads(next(lines))
    assert "host" not in header["devices"][0]  # else this is no recording of before
    assert "hosts" not in frame
    recording = load_recording(OF_BEFORE, METRICS)
    assert [each.host for each in recording.devices(0.0)] == [None, None]
    assert len(recording.read(1.0)) == 2
    assert read_header(OF_BEFORE)["label"] == recording.label


def test_a_key_of_a_newer_version_in_a_known_message_is_left_out(tmp_path):
    frame = {**FRAME, "time_seconds": 1.5, "weather": "rain"}
    frame["devices"] = {"GPU-0": {"power_watts": 91.0, "rain_watts": 1.0}}
    recording = load_recording(written(tmp_path / "a.jsonl.gz", frame), METRICS)
    assert recording.read(0.5)["GPU-0"]["power_watts"] == 91.0
    assert "rain_watts" not in recording.read(0.5)["GPU-0"]
