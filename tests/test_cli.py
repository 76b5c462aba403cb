"""``jupyter gpuperf``: answers on stdout, refusals on stderr, exit codes that scripts can trust."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from waiting import wait_until

from jupyter_gpuperf import cli
from jupyter_gpuperf.benchmarks import BENCHMARKS
from jupyter_gpuperf.client import running
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recordings.load import load_recording

SMALL = ("dataloader", "--workers", "0", "--items", "16", "--batch-size", "8")
QUICK = (*SMALL, "--time-limit-seconds", "1")
LONG = ("compute", "--rigorous", "--time-limit-seconds", "60")


@pytest.fixture(autouse=True)
def _without_server(monkeypatch, tmp_path):
    # Its own temporary folder: there lie the locks that other servers of this machine may hold.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", "none")


def test_a_benchmark_answers_in_json_and_in_text(capsys, monkeypatch):
    results = []

    def run_once(*arguments, **options):
        results.append(results[0] if results else real(*arguments, **options))
        return results[-1]

    real = running.run_benchmark
    monkeypatch.setattr(running, "run_benchmark", run_once)
    assert cli.main(["bench", *QUICK, "--json"]) == 0

    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert answer["benchmark"] == "dataloader"
    assert answer["parameters"]["batch_size"] == 8
    assert captured.err == ""

    assert cli.main(["bench", *QUICK]) == 0

    assert capsys.readouterr().out.startswith("dataloader")
    assert len(results) == 2


def test_without_a_name_the_benchmarks_are_listed(capsys):
    assert cli.main(["bench"]) == 0

    out = capsys.readouterr().out
    assert all(f"jupyter gpuperf bench {each.name}" in out for each in BENCHMARKS)


def test_the_list_in_json_is_that_of_the_rest_route(capsys):
    assert cli.main(["bench", "--json"]) == 0

    listed = json.loads(capsys.readouterr().out)["benchmarks"]
    assert [each["name"] for each in listed] == [each.name for each in BENCHMARKS]


def test_help_of_a_benchmark_is_its_page(capsys):
    assert cli.main(["bench", "dataloader", "--help"]) == 0

    assert "--batch-size N" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["warp-drive"], "unknown_benchmark"),
        (["dataloader", "--warp", "9"], "usage"),
        (["dataloader", "--workers", "many"], "usage"),
        (["dataloader", "--batch-size", "0"], "parameter_out_of_range"),
        (["dataloader", "--device", "GPU-x"], "unknown_device"),
    ],
)
def test_a_misuse_is_coded_and_exits_with_2(capsys, arguments, code):
    assert cli.main(["bench", *arguments, "--json"]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    refusal = json.loads(captured.err)
    assert refusal["code"] == code
    assert refusal["message"]


def test_without_json_a_refusal_is_a_sentence_and_what_to_do(capsys):
    assert cli.main(["bench", "warp-drive"]) == 2

    assert "warp-drive" in capsys.readouterr().err


def test_without_a_command_it_says_how_it_is_used(capsys):
    assert cli.main([]) == 2
    assert "bench" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--nonsense"])
    assert stopped.value.code == 2
    assert "--nonsense" in capsys.readouterr().err


def test_interrupting_exits_with_130_and_leaves_no_worker():
    code = "import sys; from jupyter_gpuperf.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, "bench", *LONG], stderr=subprocess.PIPE
    ) as process:
        try:
            children = children_of(process.pid)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()

    assert process.returncode == 130
    assert b"Traceback" not in err
    assert not any(child.is_running() for child in children)


def children_of(pid):
    """Wait until the supervisor has its worker; return both."""

    def both():
        children = psutil.Process(pid).children(recursive=True)
        return children if len(children) >= 2 else None

    return wait_until(both, "A worker")


def test_a_recording_ends_with_ctrl_c_and_is_whole(tmp_path, training_recording):
    file = tmp_path / "run.jsonl.gz"
    source = f"replay:{training_recording}"
    command = [sys.executable, "-m", "jupyter_gpuperf", "record", str(file), "--source", source]
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True)

    def frames():
        with contextlib.suppress(OSError, EOFError, ValueError):
            return load_recording(file, METRICS).seconds

    wait_until(frames, "A frame on the disk")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    answer = json.loads(out)
    assert answer["state"] == "stopped"
    assert answer["frames_count"] >= 1
    assert len(load_recording(file, METRICS).seconds) == answer["frames_count"]


def test_a_recording_overwrites_nothing(tmp_path, capsys):
    file = tmp_path / "precious.txt"
    file.write_text("mine")
    assert cli.main(["record", str(file), "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["code"] == "file_exists"
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["bench", "suite", "--only", "blas", "--save", "FILE"], 2),
        (["compare", "before.json", "after.json", "--html", "FILE"], 3),
        (["doctor", "--save", "FILE"], 2),
    ],
)
def test_no_command_overwrites_a_file(tmp_path, capsys, line, code):
    file = tmp_path / "precious.txt"
    file.write_text("mine")
    assert cli.main([str(file) if each == "FILE" else each for each in line] + ["--json"]) == code
    assert json.loads(capsys.readouterr().err)["code"] == "file_exists"
    assert file.read_text() == "mine"


def test_a_suite_on_a_device_that_is_not_there_is_misused(capsys):
    line = ["bench", "suite", "--only", "io", "--rounds", "1", "--device", "7", "--json"]
    assert cli.main(line) == 2
    assert json.loads(capsys.readouterr().err)["code"] == "unknown_device"


@pytest.mark.parametrize("command", ["bench suite", "bench history", "bench io", "bench"])
def test_the_shells_help_offers_no_variable_of_a_notebook(command, capsys):
    assert cli.main([*command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "--into" not in out
    assert "jupyter gpuperf bench" in out


def test_without_a_gpu_there_is_nothing_to_record(tmp_path, capsys):
    assert cli.main(["record", str(tmp_path / "new.gz")]) == 1
    assert capsys.readouterr().err
    assert not (tmp_path / "new.gz").exists()


def test_the_demo_opens_lab_on_a_copy_that_it_never_overwrites(tmp_path, monkeypatch):
    from jupyter_gpuperf import demo

    started = []
    monkeypatch.setattr(demo, "_run", lambda command, env: started.append((command, env)) or 0)
    folder = tmp_path / "mine"
    assert cli.main(["demo", str(folder), "--no-browser", "--port", "8123"]) == 0
    notebook = folder / "demo.ipynb"
    assert json.loads(notebook.read_text())["cells"]
    notebook.write_text("my own words")
    assert cli.main(["demo", str(folder)]) == 0
    assert notebook.read_text() == "my own words"
    command, environment = started[0]
    assert {"--no-browser", "--port=8123", "--GpuPerf.open_panel=True"} <= set(command)
    assert environment["JUPYTER_GPUPERF_SOURCE"] == "none"  # what was set is what is used


@pytest.mark.parametrize("source", ["foo", "replay:nothing.gz"])
def test_the_demo_refuses_a_source_that_shows_nothing(source, tmp_path, capsys, monkeypatch):
    from jupyter_gpuperf import demo

    monkeypatch.setattr(demo, "_run", lambda *_: pytest.fail("JupyterLab was started"))
    assert cli.main(["demo", str(tmp_path / "new"), "--source", source]) != 0
    assert source.removeprefix("replay:") in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_without_a_device_the_demo_replays(monkeypatch):
    from jupyter_gpuperf import demo
    from jupyter_gpuperf.sources import source_from

    source = demo.demo_source(lambda: source_from("none", METRICS))
    assert source.startswith("replay:")
    files = [Path(each) for each in source.removeprefix("replay:").split(",")]
    assert len(files) > 1
    assert all(each.exists() for each in files)


def test_a_reader_that_has_enough_is_no_fault():
    """As ``jupyter gpuperf bench | head -1`` is."""
    command = [sys.executable, "-m", "jupyter_gpuperf", "bench"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        ended = subprocess.run(command, check=False, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
