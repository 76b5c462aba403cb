"""Results in their file: kept over kills, full disks and broken files, found again, compared with the right one."""

from __future__ import annotations

import contextlib
import os
import platform
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import measured
from msgspec.structs import replace

from jupyter_gpuperf.display.history_view import HistoryView
from jupyter_gpuperf.errors import NotFound, Unavailable
from jupyter_gpuperf.results.baseline_comparison import compare_with_baseline
from jupyter_gpuperf.results.comparison import compare_results
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.schemas import Interval, KeptResult, Results, encode
from jupyter_gpuperf.suites.store import SuiteStore

A_SUITE = {
    "benchmarks": [],
    "device": None,
    "rounds": 1,
    "budget_seconds": 1.0,
    "sides": [],
    "rounds_done": 0,
    "progress_ratio": 0.0,
    "progress_message": "",
    "remaining_seconds": None,
    "created_seconds": 1.0,
    "started_seconds": None,
    "ended_seconds": None,
    "error": None,
}


@pytest.fixture
def store(tmp_path):
    return ResultStore(tmp_path / "new" / "results.sqlite")


def test_what_is_kept_is_found_newest_first(store):
    numbers = [store.add(measured(value), 100.0 + value) for value in (1.0, 2.0)]
    store.add(measured(benchmark="launch"), 200.0)
    found = store.latest("compute")
    assert [each.id for each in found] == numbers[::-1]
    assert found[0].result == measured(2.0)
    assert found[0].created_seconds == 102.0
    assert [each.result.benchmark for each in store.latest()] == ["launch", "compute", "compute"]
    assert len(store.latest(limit=2)) == 2


def test_before_anything_was_kept_there_is_nothing_and_no_file(store):
    assert store.latest() == []
    assert store.baseline_of(measured()) is None
    assert not store.path.exists()


def test_only_the_user_may_read_the_file(store):
    store.add(measured(), 0.0)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_the_baseline_is_the_marked_one_of_the_same_subject_else_the_newest(store):
    first, second = store.add(measured(1.0), 0.0), store.add(measured(2.0), 1.0)
    store.add(measured(3.0, parameters={"batch_size": 128}), 2.0)
    store.add(measured(4.0, environment={"device_name": "NVIDIA L4"}), 3.0)
    sure = measured(9.0, parameters={"rigorous": True})  # how sure is not what was measured
    assert store.baseline_of(sure).id == second
    assert store.baseline_of(sure, before=second).id == first
    assert store.mark_baseline(first).baseline
    assert store.baseline_of(sure).id == first
    store.mark_baseline(second)
    assert not store.get(first).baseline


def test_the_best_is_that_of_the_same_device(store):
    for value in (3.0, 5.0, 4.0):
        store.add(measured(value), 0.0)
    store.add(measured(99.0, environment={"device_name": "NVIDIA B200"}), 0.0)
    assert store.best(measured(), ["pass_seconds", "unheard_of"]) == {"pass_seconds": 5.0}


def test_a_number_that_is_not_there_is_refused(store):
    with pytest.raises(NotFound) as refusal:
        store.mark_baseline(7)
    assert refusal.value.code == "unknown_result"


def test_what_add_returned_survives_a_kill(store):
    code = f"""
        import sys
        sys.path[:0] = {[str(p) for p in sys.path if p]!r}
        from pathlib import Path
        from measured import measured
        from jupyter_gpuperf.results.store import ResultStore
        store = ResultStore(Path({str(store.path)!r}))
        while True:
            print(store.add(measured(), 0.0), flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    ) as writer:
        numbers = [int(writer.stdout.readline()) for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        numbers += [int(line) for line in writer.stdout if line.endswith("\n")]
    kept = {each.id for each in store.latest(limit=10_000)}
    assert set(numbers) <= kept
    assert store.add(measured(), 0.0) not in numbers  # and it goes on


def test_writers_at_once_lose_nothing(store):
    def write():
        for _ in range(10):
            store.add(measured(), 0.0)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert len(store.latest()) == 40


def test_a_file_that_is_no_database_is_put_aside_and_not_lost(store):
    store.path.parent.mkdir()
    store.path.write_text("my thesis" * 500)
    store.add(measured(), 0.0)
    assert len(store.latest()) == 1
    (aside,) = store.path.parent.glob("*.broken-*")
    assert aside.read_text() == "my thesis" * 500


def damage(path):
    content = bytearray(path.read_bytes())
    content[4096:] = random.Random(1).randbytes(len(content) - 4096)
    path.write_bytes(content)
    return bytes(content)


def test_a_file_that_is_damaged_in_its_middle_is_put_aside_and_its_new_name_said(store):
    for value in range(60):
        store.add(measured(float(value)), 0.0)
    damaged = damage(store.path)
    with pytest.raises(Unavailable) as refusal:
        store.latest()
    assert refusal.value.code == "results_damaged"
    (aside,) = store.path.parent.glob("*.broken-*")
    assert aside.read_bytes() == damaged
    assert str(aside) in refusal.value.hint
    assert store.latest() == []
    store.add(measured(1.0), 0.0)
    assert len(store.latest()) == 1


def test_damage_that_sqlite_quotes_in_its_message_is_damage_too(store):
    """The message then holds bytes that are no UTF-8, and sqlite3 raises UnicodeDecodeError."""
    store.add(measured(1.0), 0.0)
    content = store.path.read_bytes()
    damaged = content.replace(b"tableresults", b"table\xce\xffsults").replace(
        b"CREATE TABLE", b"CREATE \0ABLE"
    )
    assert damaged != content
    store.path.write_bytes(damaged)
    assert store.latest() == []
    (aside,) = store.path.parent.glob("*.broken-*")
    assert aside.read_bytes() == damaged
    number = store.add(measured(2.0), 0.0)
    assert [each.id for each in store.latest()] == [number]


def test_a_column_that_damage_has_renamed_is_a_reason(store):
    store.add(measured(1.0), 0.0)
    content = store.path.read_bytes()
    store.path.write_bytes(content.replace(b"created_seconds", b"crXated_seconds"))
    with pytest.raises(Unavailable) as refusal:
        store.latest()
    assert refusal.value.code == "results_not_readable"


def test_a_result_is_kept_although_the_file_turns_out_to_be_damaged(store):
    for value in range(60):
        store.add(measured(float(value)), 0.0)
    damage(store.path)
    number = store.add(measured(7.0), 5.0)
    assert [(each.id, each.result) for each in store.latest()] == [(number, measured(7.0))]


def test_the_empty_file_that_a_full_disk_leaves_holds_nothing(store):
    store.path.parent.mkdir()
    store.path.touch(mode=0o400)
    assert store.latest() == []
    assert SuiteStore(store).all() == []
    assert store.path.stat().st_size == 0  # reading needs no space


@pytest.mark.parametrize(
    "change",
    [
        "created_seconds = 'yesterday'",
        "created_seconds = x'00'",
        "created_seconds = 9e999",
        "content = 5",
        "content = 1.5",
        "content = x'ff'",
        "content = ''",
        "content = '[' || hex(zeroblob(100))",
        "content = replace(hex(zeroblob(100000)), '0', '[')",
        "content = replace(CAST(content AS TEXT), '\"unit\"', '\"unid\"')",
        "benchmark = CAST(x'ff' AS TEXT)",
        "subject = CAST(x'ff' AS TEXT)",
        "subject = 5",
        "baseline = 'yes'",
        "content = replace(CAST(content AS TEXT), '\"parameters\":{', '\"parameters\":{\"n\":1' || hex(zeroblob(200)) || ',')",
    ],
)
def test_one_odd_row_hides_no_other(store, change):
    for value in (1.0, 2.0, 3.0):
        store.add(measured(value), value)
    with contextlib.closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(f"UPDATE results SET {change} WHERE id = 2")
    ids = [each.id for each in store.latest()]
    assert [each for each in ids if each != 2] == [3, 1]
    assert encode(Results(results=store.latest()))
    assert repr(HistoryView(store.latest()))
    assert compare_with_baseline(store, 3)


@pytest.mark.parametrize(
    "owner", ["'nobody'", "'host x'", "x'ff'", "5", f"'{platform.node()} 9{'9' * 30}'"]
)
@pytest.mark.parametrize(
    "content", ["x'00'", "5", "'{}'", "replace(hex(zeroblob(90000)), '0', '[')"]
)
def test_one_odd_suite_hides_no_other(store, owner, content):
    store.add(measured(), 0.0)
    with contextlib.closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(f"INSERT INTO suites VALUES ('a', 1, {owner}, {content})")
        for state in ("done", "running"):
            made = encode({**A_SUITE, "id": state, "state": state})
            connection.execute(f"INSERT INTO suites VALUES (?, 1, {owner}, ?)", (state, made))
    assert "done" in [each.id for each in SuiteStore(store).all()]


def intervals():
    figure = st.floats(allow_nan=False, allow_infinity=False)
    return st.builds(Interval, value=figure, low=figure, high=figure)


@settings(max_examples=50)
@given(intervals(), intervals())
def test_whatever_a_row_s_intervals_are_they_compare(before, after):
    old, new = (replace(measured(), figures={"step_seconds": each}) for each in (before, after))
    (change,) = compare_results(old, new)
    assert encode(change)


@pytest.mark.parametrize("seconds", [1e300, -1e300, 1e12, float("nan")])
def test_a_result_with_an_impossible_date_is_listed(seconds):
    kept = KeptResult(id=1, created_seconds=seconds, baseline=False, result=measured())
    assert "compute" in repr(HistoryView([kept]))


def test_a_result_of_a_later_version_does_not_hide_the_others(store):
    store.add(measured(), 0.0)
    with sqlite3.connect(store.path) as connection:
        connection.execute(
            "INSERT INTO results (created_seconds, benchmark, subject, content)"
            " VALUES (0, 'compute', '', '{\"shape\": \"new\"}')"
        )
    connection.close()
    assert len(store.latest()) == 1


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable) as refusal:
        ResultStore(tmp_path / "file" / "results").add(measured(), 0.0)
    assert refusal.value.code == "results_not_writable"
    assert "results_file" in refusal.value.hint


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_disk_that_is_full_is_said(tmp_path):
    (tmp_path / "results").symlink_to("/dev/full")
    with pytest.raises(Unavailable):
        ResultStore(tmp_path / "results").add(measured(), 0.0)
