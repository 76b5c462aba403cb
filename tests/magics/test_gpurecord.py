"""``%gpurecord`` in a real IPython, with its real process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from waiting import wait_until

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.magics.gpurecord import parse
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording


@pytest.fixture(autouse=True)
def _replayed(monkeypatch, tmp_path, training_recording):
    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", f"replay:{training_recording}")
    monkeypatch.chdir(tmp_path)


def frames_of(file):
    """Wait until a running recording's first frame is on the disk; return what is there."""

    def frames():
        with contextlib.suppress(OSError, EOFError, ValueError):
            return load_recording(Path(file), METRICS).seconds

    return wait_until(frames, "A frame on the disk")


def recorders(process=None):
    children = (process or psutil.Process()).children(recursive=True)
    return [each for each in children if "record" in each.cmdline()]


def test_start_status_stop(shell, tmp_path):
    begun = shell.run_line_magic("gpurecord", "start run.jsonl.gz --label 'my run'")
    assert "run.jsonl.gz: recording" in repr(begun)
    assert len(recorders()) == 1
    with pytest.raises(GpuPerfError, match="already running"):
        shell.run_line_magic("gpurecord", "start other.jsonl.gz")
    frames_of("run.jsonl.gz")
    ended = shell.run_line_magic("gpurecord", "stop")
    assert ended.summary["error"] is None
    recording = load_recording(Path(ended.file), METRICS)
    assert len(recording.seconds) == ended.summary["frames_count"] >= 1
    assert recording.label == "my run"
    assert recorders() == []


def test_a_cell_is_recorded_also_when_it_fails(shell, capsys):
    shell.user_ns["frames_of"] = frames_of
    recording = shell.run_cell_magic(
        "gpurecord", "cell.jsonl.gz", "x = 7; frames_of('cell.jsonl.gz'); 1 / 0"
    )
    assert shell.user_ns["x"] == 7
    assert "ZeroDivisionError" in "".join(capsys.readouterr())
    assert len(load_recording(Path(recording.file), METRICS).seconds) >= 1
    assert recorders() == []


def test_refusals(shell, tmp_path, monkeypatch, capsys):
    shell.run_line_magic("gpurecord", "")
    assert "Nothing is being recorded" in capsys.readouterr().out
    with pytest.raises(GpuPerfError, match="Nothing is being recorded"):
        shell.run_line_magic("gpurecord", "stop")
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(GpuPerfError, match="exists"):
        shell.run_line_magic("gpurecord", "start mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "precious"
    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", "none")
    with pytest.raises(GpuPerfError, match="monitoring is disabled"):
        shell.run_line_magic("gpurecord", "start new.jsonl.gz")
    assert not (tmp_path / "new.jsonl.gz").exists()


KILLED = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jupyter_gpuperf")
shell.run_line_magic("gpurecord", "start killed.jsonl.gz")
print("ready", flush=True)
import time; time.sleep(60)
"""


def test_a_killed_kernel_leaves_a_whole_recording_and_no_process(tmp_path):
    kernel = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout.readline().strip() == "ready"
    (process,) = recorders(psutil.Process(kernel.pid))
    frames_of("killed.jsonl.gz")
    kernel.kill()
    kernel.wait()
    kernel.stdout.close()
    psutil.wait_procs([process], timeout=60)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    with (tmp_path / "killed.jsonl.gz").open("rb") as file:
        assert file.read(2) == b"\x1f\x8b"
    assert load_recording(tmp_path / "killed.jsonl.gz", METRICS).seconds


def test_two_recordings_of_one_second_have_two_names(shell, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda form: "gpuperf-20260101-000000")
    names = [parse([])[0]]
    Path(names[0]).touch()
    names.append(parse([])[0])
    assert names == ["gpuperf-20260101-000000.jsonl.gz", "gpuperf-20260101-000000-2.jsonl.gz"]
