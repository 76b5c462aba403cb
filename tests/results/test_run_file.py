"""Runs as files, compared like suites of one round."""

from __future__ import annotations

import msgspec
import pytest

from jupyter_gpuperf.commands.subcommands import subcommand_of
from jupyter_gpuperf.display.run_view import RunView
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.results.files import readable_json
from jupyter_gpuperf.results.result_file import reader_of
from jupyter_gpuperf.results.run_file import read_run
from jupyter_gpuperf.schemas import Interval
from jupyter_gpuperf.schemas.runs import RunDevice, RunLoop, RunMemory, RunRecord


def loop(step_ms=10.0, half_ms=0.1, **changes):
    seconds = (step_ms, step_ms - half_ms, step_ms + half_ms)
    value, low, high = (each / 1000 for each in seconds)
    known = {
        "name": "train_loader",
        "steps": 1000,
        "warmup_steps": 10,
        "is_training": True,
        "step_seconds": Interval(value=value, low=low, high=high),
        "samples_per_second": 3200.0,
        "wait_ratio": 0.1,
        "idle_for_data_ratio": None,
        "phases": None,
        "host_lines": None,
        "memory": RunMemory(peak_allocated_bytes=1 << 30),
        "batch_size": 32,
        "num_workers": 2,
        "device_uuid": "GPU-1",
        "pid": 7,
        "rank": None,
    }
    return RunLoop(**{**known, **changes})


def run(*loops, chip="NVIDIA H200", clock_mhz=1980.0):
    device = RunDevice(
        uuid="GPU-1",
        index=0,
        name=chip,
        seconds=60.0,
        busy_percent=90.0,
        busy_metric="utilization_percent",
        peak_memory_used_bytes=1 << 30,
        mean_power_watts=400.0,
        mean_clock_sm_mhz=clock_mhz,
        energy_joules=24_000.0,
        max_temperature_celsius=60.0,
    )
    return RunRecord(
        command=["python", "train.py"],
        began_seconds=1.0,
        seconds=60.0,
        exit_status=0,
        loops=list(loops),
        devices=[device],
        findings=[],
        is_judged=True,
        environment={"torch": "2.11.0", "device_name": chip},
    )


@pytest.fixture
def compared(tmp_path):
    """Compare two runs at a limit of 5 %."""

    def compare(before, after):
        for name, content in (("before", before), ("after", after)):
            (tmp_path / f"{name}.json").write_bytes(readable_json(content))
        words = [str(tmp_path / "before.json"), str(tmp_path / "after.json")]
        return subcommand_of(["compare", *words, "--fail-if-slower", "5%"]).run(lambda: None)

    return compare


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (run(loop(10)), run(loop(10.1)), "passed"),
        (run(loop(10)), run(loop(8)), "passed"),
        (run(loop(10)), run(loop(12)), "worse"),
        (run(loop(10)), run(loop(10.5, half_ms=0.4)), "unknown"),  # the interval holds the limit
        (run(loop(10)), run(loop(10), chip="NVIDIA H100"), "unknown"),
        (run(loop(10)), run(loop(12), clock_mhz=1500.0), "unknown"),
        (run(loop(10)), run(loop(12, batch_size=64)), "unknown"),
        (run(loop(10)), run(loop(10, num_workers=8)), "passed"),  # may be what was changed
        (run(loop(10)), run(), "unknown"),
        (run(loop(10, step_seconds=None)), run(loop(10)), "unknown"),
        (
            run(loop(10, rank=0), loop(10, rank=1)),
            run(loop(10, rank=0), loop(12, rank=1)),
            "worse",
        ),
        # Two loops of one name are told apart by their order.
        (run(loop(10), loop(20)), run(loop(10), loop(30)), "worse"),
    ],
)
def test_a_gate_decides_about_runs_beyond_their_intervals(compared, before, after, status):
    assert compared(before, after).gate.status == status


def test_single_runs_are_said_to_be_single(compared):
    shown = repr(compared(run(loop(10)), run(loop(12))))
    assert "1.20×" in shown
    assert "The intervals are of one run each" in shown
    assert "Use more rounds" not in shown


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", False),
        (b"[]", False),
        (b'{"format": "jupyter_gpuperf.suite"}', False),
        (b'{"format": "jupyter_gpuperf.run"}', True),
    ],
)
def test_a_file_says_whether_it_is_a_run(tmp_path, content, found):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    assert (reader_of(path) is read_run) is found
    if found:
        with pytest.raises(BadRequest) as error:
            read_run(path)  # it lacks all else
        assert error.value.code == "not_a_run"


def test_a_run_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(readable_json(msgspec.structs.replace(run(), format_version=9)))
    with pytest.raises(BadRequest, match="not supported here"):
        read_run(path)


def test_tokens_and_utilization_are_in_the_summary_where_they_are_known():
    known = loop(tokens_per_second=12300.0, flops_format="bf16", flops_utilization_ratio=0.41)
    summary = str(RunView(run(known), "train.py")).replace("\xa0", " ")
    assert "12\u202f300 tokens/s · model FLOPs 41.0 % of bf16 peak" in summary
    assert "tokens/s" not in str(RunView(run(loop()), "train.py"))
