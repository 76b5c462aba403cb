"""Whatever a file holds, its reader returns something usable or refuses with a reason; it never raises anything else.

    GPUPERF_FILES=10000 pytest -p no:randomly tests/test_files_of_any_content.py

is the long run: it prints files, outcomes, time and this process's memory for each kind of file.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import json
import logging
import math
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil
import pytest
from found_speedup import found_speedup
from hypothesis import HealthCheck, given, settings
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.serverapp import ServerApp
from measured import measured, suite
from mutations import mutated_bytes, mutated_values
from traitlets import TraitError
from traitlets.config import Config

from jupyter_gpuperf.client.diagnosis import diagnosis_of
from jupyter_gpuperf.client.speedup_as_result import speedup_as_result
from jupyter_gpuperf.display.comparison_view import ComparisonView
from jupyter_gpuperf.display.doctor_report import DoctorComparisonView
from jupyter_gpuperf.display.history_view import HistoryView
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.kernel_link.address import find_server
from jupyter_gpuperf.levers.options import SpeedupOptions
from jupyter_gpuperf.loop_store.device_usage import DeviceUsage
from jupyter_gpuperf.loop_store.store import TrainingStore
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.recorder.history_keeper import (
    FORMAT,
    FORMAT_VERSION,
    HistoryFile,
    HistoryKeeper,
)
from jupyter_gpuperf.results import doctor_reports
from jupyter_gpuperf.results.baseline_comparison import compare_with_baseline
from jupyter_gpuperf.results.comparison import compare
from jupyter_gpuperf.results.gate import gate
from jupyter_gpuperf.results.result_file import read_result
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.sampling import HistoryStore
from jupyter_gpuperf.schemas import DoctorReport, Frame, Results, Suites, encode
from jupyter_gpuperf.schemas.cells import CellRan
from jupyter_gpuperf.server.kernel_specs import python_of
from jupyter_gpuperf.sources.replay import ReplaySource
from jupyter_gpuperf.suites.report import build_suite_report
from jupyter_gpuperf.suites.store import SuiteStore
from jupyter_gpuperf.suites.suite_file import read_suite
from jupyter_gpuperf.wiring import Parts

FILES = int(os.environ.get("GPUPERF_FILES", "15"))
IS_LONG = FILES > 100
MOST_GROWTH_BYTES = 64 << 20
RECORDING = Path(__file__).parent / "recordings" / "h100_session.jsonl.gz"


class Kind(NamedTuple):
    """A kind of file: a real file's content as plain data, its bytes, and what the product does with such a file."""

    content: Any
    encode: Callable[[Any], bytes]
    read: Callable[[Path], object]


def json_of(content: Any) -> bytes:
    return json.dumps(content).encode()


def plain(struct: Any) -> Any:
    return json.loads(msgspec.json.encode(struct))


# Recordings


def recorded() -> list[Any]:
    """The beginning of a real recording: some messages of each kind, and twelve seconds of readings."""
    kinds: Counter[str] = Counter()
    kept = []
    with gzip.open(RECORDING, "rt") as lines:
        for line in lines:
            content = json.loads(line)
            kind = content.get("type", "header")
            kinds[kind] += 1
            if kinds[kind] <= 3 or (kind == "frame" and kinds[kind] % 10 == 0):
                kept.append(content)
            if kinds["frame"] > 120:
                return kept
    return kept


def traced() -> list[Any]:
    reading = {"power_mw": 90e3, "gpm": {"SM_UTIL": 3.0}, "processes": [[1, 2.0]]}
    header = {"trace": "made", "static": {"name": "GPU", "compute_capability": [9, 0]}}
    return [header, *({**reading, "t": float(seconds)} for seconds in range(12))]


def packed(lines: list[Any]) -> bytes:
    return gzip.compress(b"".join(json_of(each) + b"\n" for each in lines), 1)


def read_recording(path: Path) -> None:
    source = ReplaySource([path], METRICS)
    source.open()
    reason = source.devices().reason
    assert reason is None or reason.code.startswith("recording_")
    encode([source.read(), source.devices(), source.read_processes(), source.read_training()])
    found = diagnosis_of(path)
    encode(found.to_dict())
    assert repr(found)


# Results, suites, reports


def kept_results() -> dict[str, Any]:
    info = {
        "device": None,
        "remaining_seconds": None,
        "started_seconds": 1.0,
        "ended_seconds": 2.0,
        "id": "a",
        "state": "done",
        "benchmarks": ["compute"],
        "rounds": 1,
        "rounds_done": 1,
        "budget_seconds": 1.0,
        "progress_ratio": 1.0,
        "progress_message": "",
        "error": None,
        "sides": [{"kernel_name": None, "title": "python", "result_ids": [1, 2], "failures": []}],
        "created_seconds": 1.0,
    }
    results = [measured(), measured(2.0), measured(benchmark="launch")]
    return {
        "results": [plain(each) for each in results],
        "suites": [info],
        "times": [1.0, 2.0, 3.0],
    }


def database_of(content: dict[str, Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "results.sqlite")
        path.write_bytes(empty_database())
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            for place, result in enumerate(_rows(content, "results")):
                times = content.get("times")
                time_seconds = times[place] if isinstance(times, list) and place < len(times) else 0
                row = (_cell(time_seconds), json_of(result))
                connection.execute(
                    "INSERT INTO results (created_seconds, benchmark, subject, content)"
                    " VALUES (?, 'compute', 'x', ?)",
                    row,
                )
            for each in _rows(content, "suites"):
                row = (json_of(each),)
                connection.execute(
                    "INSERT OR REPLACE INTO suites VALUES ('a', 1.0, 'me 1', ?)", row
                )
        return path.read_bytes()


def _rows(content: dict[str, Any], name: str) -> list[Any]:
    rows = content.get(name)
    return rows if isinstance(rows, list) else []


def _cell(value: Any) -> Any:
    """Return what SQLite can store: as text, if it is nothing else."""
    is_small = isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 62)
    return value if is_small and not math.isnan(value) else json.dumps(value)


@functools.cache
def empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        store = ResultStore(Path(folder, "results.sqlite"))
        with store.open("kept"):
            pass
        return store.path.read_bytes()


def read_database(path: Path) -> None:
    store = ResultStore(path)
    with contextlib.suppress(GpuPerfError):
        found = store.latest()
        encode(Results(results=found))
        assert repr(HistoryView(found))
        for each in found:
            encode(compare_with_baseline(store, each.id, None))
    with contextlib.suppress(GpuPerfError):
        suites = SuiteStore(store).all()
        encode(Suites(suites=suites))
        for each in suites:
            encode(build_suite_report(each, [suite(*(kept.result for kept in store.latest()))]))
    store.add(measured(), 1.0)
    assert store.latest(limit=1)


def read_suite_file(path: Path) -> None:
    found = read_suite(path)
    view = ComparisonView(compare(found, suite(measured())), "before", "after")
    encode(view.to_dict())
    assert repr(view)
    assert view.page()


def a_result() -> Any:
    return json.loads(encode(speedup_as_result(found_speedup(), SpeedupOptions(), "the cell")))


def read_result_file(path: Path) -> None:
    found = read_result(path)
    changes = compare(found, found, in_rounds=False)
    encode(gate(changes, found, found, 5.0, in_rounds=False).reasons)
    view = ComparisonView(changes, "before", "after", in_rounds=False)
    encode(view.to_dict())
    assert repr(view)


def a_report() -> Any:
    texts = ("id", "subject", "label", "found", "expected", "why", "fix", "then", "link")
    check = {**{name: name for name in texts}, "status": "ok", "seconds": 0.1}
    return {
        "checks": [check, {**check, "id": "b", "status": "warn"}],
        "kernel_name": None,
        "interpreter": "/bin/python",
        "environment": {"driver": "580", "device": None},
        "packages": {"torch": "2.11"},
        "taken_seconds": 1.0,
        "duration_seconds": 1.0,
    }


def read_report(path: Path) -> None:
    now = msgspec.convert(a_report(), DoctorReport)
    view = DoctorComparisonView(doctor_reports.compare(doctor_reports.load(path), now), "a", "b")
    encode(view.to_dict())
    assert repr(view)


# History, kernel specs, addresses, settings


def history_store() -> HistoryStore:
    names = ["power_watts", "utilization_percent"]
    return HistoryStore(
        seconds=10,
        shortest_interval_seconds=0.1,
        device_metrics=names,
        host_metrics=["host_cpu_percent"],
    )


def training_store(history: HistoryStore) -> TrainingStore:
    return TrainingStore(DeviceUsage(history, now=lambda: 30.0), now=lambda: 30.0)


def a_history() -> Any:
    history = history_store()
    training = training_store(history)
    for second in range(30):
        readings = {"power_watts": 90.0 + second, "utilization_percent": 3.0}
        host = {"host_cpu_percent": 1.0}
        history.append(
            Frame(time_seconds=second, devices={"a": readings}, host=host, host_cores_percent=[])
        )
    cell = CellRan(
        kernel_id="kernel",
        notebook_path=None,
        number=1,
        began_seconds=1.0,
        ended_seconds=2.0,
        device_uuids=[],
    )
    training.cell_ran("kernel", cell)
    training._notebooks.of("kernel").keep_values(3.0, 2.0, {"step_seconds": 0.1})
    kept = HistoryFile(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        byte_order=sys.byteorder,
        history=history.dump(full=True),
        training=training.dump(full=True),
    )
    return msgspec.msgpack.decode(msgspec.msgpack.encode(kept))


def history_file(content: Any) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(_packable(content)), 1)


def _packable(value: Any) -> Any:
    """Return the value, with what msgpack has no form for as text."""
    if isinstance(value, dict):
        return {_packable(name): _packable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_packable(each) for each in value]
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return str(value) if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63 else value


def read_history(path: Path) -> None:
    history = history_store()
    training = training_store(history)
    HistoryKeeper(path, history, training, save_every_seconds=1e6)._load()
    for seconds, step_seconds in ((10, 0.1), (7200, 5), (86_400, 60)):
        encode(history.query(seconds=seconds, step_seconds=step_seconds))
        encode(training.training(seconds=seconds, step_seconds=step_seconds))
    history.append(Frame(time_seconds=31.0, devices={"a": {}}, host={}, host_cores_percent=[]))


def read_spec(path: Path) -> None:
    folder = path.parent / "kernels" / "odd"
    folder.mkdir(parents=True)
    path.replace(folder / "kernel.json")
    specs = KernelSpecManager(
        kernel_dirs=[str(folder.parent)], ensure_native_kernel=False, log=logging.getLogger("specs")
    )
    found = asyncio.run(python_of(specs, "odd", "odd"))
    assert isinstance(found.interpreter, str)
    encode(found.environment)


def read_address(path: Path) -> None:
    path.replace(path.parent / "gpuperf-7.json")
    assert isinstance(find_server([path.parent], {"JPY_PARENT_PID": "7"}), Path | None)


def read_settings(path: Path) -> None:
    from jupyter_gpuperf.app import GpuPerf

    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return  # Jupyter's own matter
    section = content.get("GpuPerf") if isinstance(content, dict) else None
    if not isinstance(section, dict):
        return
    found = GpuPerf(config=Config({"GpuPerf": section}))
    Parts(found, ServerApp(runtime_dir=str(path.parent)))


KINDS = {
    "recording": Kind(recorded(), packed, read_recording),
    "trace": Kind(traced(), packed, read_recording),
    "results": Kind(kept_results(), database_of, read_database),
    "suite": Kind(plain(suite(measured(), measured(2.0))), json_of, read_suite_file),
    "result": Kind(a_result(), json_of, read_result_file),
    "report": Kind(a_report(), json_of, read_report),
    "history": Kind(a_history(), history_file, read_history),
    "kernel spec": Kind(
        {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python",
            "language": "python",
            "env": {"A": "b"},
            "metadata": {"debugger": True},
        },
        json_of,
        read_spec,
    ),
    "address": Kind({"socket": "/tmp/x", "pid": 7, "version": "1"}, json_of, read_address),
    "settings": Kind(
        {
            "GpuPerf": {
                "source": "none",
                "idle_interval_ms": 5000,
                "sample_when_idle": True,
                "history_seconds": 600.0,
                "history_file": "/tmp/no/history",
                "recordings_directory": "~/recordings",
                "results_file": "/tmp/no/results",
                "job_deadline_seconds": 900.0,
            }
        },
        json_of,
        read_settings,
    ),
}


CONTENTS = {
    "empty": b"",
    "deep": b"[" * 200_000,
    "deep object": b'{"a":' * 200_000,
    "latin": b'{"format": "\xe9"}',
    "surrogate": b'{"format": "\\ud800", "language": "\\ud800", "socket": "\\ud800"}',
    "zeros": bytes(1 << 20),
    "packed zeros": gzip.compress(bytes(64 << 20), 9),
    "deflated zeros": zlib.compress(bytes(64 << 20), 9),
    "packed deep": gzip.compress(b'{"a":' * 200_000, 1),
    "deflated deep": zlib.compress(b"\x91" * 200_000, 1),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_such_file_at_all_is_refused_too(name, content, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENTS[content])
    with contextlib.suppress(GpuPerfError, TraitError):
        KINDS[name].read(path)


@pytest.fixture
def quiet():
    """Log nothing: pytest keeps each record, with the error and all that its traceback holds."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_read_or_refused_with_a_reason(name, tmp_path, capsys):
    kind = KINDS[name]
    whole = kind.encode(kind.content)
    outcomes: Counter[str] = Counter()
    process = psutil.Process()

    def read(content: bytes) -> None:
        folder = tmp_path / "files"
        folder.mkdir()
        path = folder / "file"
        path.write_bytes(content)
        before = process.memory_info().rss
        try:
            kind.read(path)
            outcomes["read"] += 1
        except GpuPerfError as error:
            outcomes[error.code if error.message else "no reason"] += 1
        except TraitError:
            outcomes["refused setting"] += 1
        finally:
            shutil.rmtree(folder)
            grown.append(process.memory_info().rss - before)

    grown: list[int] = []
    """By each read: hypothesis itself keeps what it generates."""
    read(whole)
    assert outcomes["read"] == 1, outcomes
    grown.clear()
    began = time.monotonic()

    @settings(max_examples=FILES, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(mutated_values(kind.content) | mutated_bytes(whole))
    def read_any(content: Any) -> None:
        read(content if isinstance(content, bytes) else kind.encode(content))

    read_any()
    assert not outcomes["no reason"]
    if IS_LONG:
        with capsys.disabled():
            seconds, mib = time.monotonic() - began, sum(grown) / 2**20
            print(
                f"\n{name}: {outcomes.total()} in {seconds:.0f} s, {mib:+.1f} MiB, {dict(outcomes)}"
            )
    assert sum(grown) < MOST_GROWTH_BYTES
