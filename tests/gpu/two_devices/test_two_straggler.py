"""A training of two ranks that the step clock watches: whoever is late is named."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from looking import DRY, PROGRAMS, findings, loud, recorded, until_found, words_of
from real_server import notebook, run_cell

NAMED_SECONDS = 15.0


START = """
import json, subprocess, sys
ranks = []
for task in {tasks!r}:
    with open(task["log_file"], "w") as log:
        ranks.append(
            subprocess.Popen(
                [sys.executable, {script!r}, json.dumps(task)],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )
        )
"""
END = "for rank in ranks: rank.kill(); rank.wait(); rank.stdin.close()"


@contextlib.contextmanager
def trained_by_two(server, folder):
    """A notebook that has started two ranks, which train; ``slow`` slows one."""
    mode = folder / "mode"
    mode.write_text("")
    tasks = [
        {
            "rank": rank,
            "ranks": 2,
            "meeting_file": str(folder / "meeting"),
            "mode_file": str(mode),
            "log_file": str(folder / f"rank{rank}.log"),
            "delay_seconds": 0.3 if DRY else 0.12,
            "device_uuid": server.uuids[rank] if DRY else None,
            "dry": DRY,
        }
        for rank in range(2)
    ]
    with notebook(server) as (kernel, client):
        run_cell(client, START.format(script=str(PROGRAMS / "watched_training.py"), tasks=tasks))
        try:
            _wait_for_both(server, kernel, client, [Path(task["log_file"]) for task in tasks])
            yield SimpleNamespace(kernel=kernel, slow=mode.write_text)
        finally:
            run_cell(client, END, 20)


def _wait_for_both(server, kernel, client, logs):
    end = time.monotonic() + 90
    while set(loops(server, kernel)) != {0, 1}:
        alive = run_cell(client, "[rank.poll() for rank in ranks]", 20) == "[None, None]"
        if not alive or time.monotonic() > end:
            pytest.fail(f"alive: {alive}; {[log.read_text()[-2000:] for log in logs]}")
        time.sleep(0.5)


def loops(server, kernel):
    """Return the ranks' loops as the server shows them: rank → loop."""
    notebooks = server.ask("gpuperf/training")["now"]["notebooks"]
    shown = [each["loaders"] for each in notebooks if each["key"] == kernel]
    return {each["rank"]: each for loaders in shown for each in loaders}


RATIOS = ("step_seconds", "wait_ratio", "busy_ratio", "idle_for_data_ratio", "idle_for_host_ratio")


@pytest.mark.seconds(270)
def test_the_rank_that_is_late_is_named(server, note, tmp_path):
    told = {}
    with (
        trained_by_two(server, tmp_path) as training,
        recorded(server, "two_ranks", note),
    ):

        def seen(name, found, seconds):
            shown = loops(server, training.kernel)
            told[name] = found
            note(
                f"ranks, {name}",
                {
                    "unix_seconds": round(time.time(), 1),  # to find it in the recording
                    "after_seconds": seconds,
                    "findings": words_of(found),
                    "loops": {
                        rank: {key: each[key] for key in RATIOS} for rank, each in shown.items()
                    },
                },
            )
            return shown

        time.sleep(14)  # a whole window of the diagnosis
        shown = seen("balanced", findings(server), 14)
        assert shown[0]["pid"] != shown[1]["pid"]
        assert [shown[rank]["device_uuid"] for rank in (0, 1)] == server.uuids
        training.slow("data")
        found, data_seconds = until_found(
            server, lambda found: {("communication-bound", 1), ("input-bound", 1)} <= set(found), 20
        )
        seen("rank 1 late by its loader, when it is told", found, data_seconds)
        time.sleep(8)
        shown = seen("rank 1 late by its loader", findings(server), data_seconds)
        assert shown[0]["step_seconds"] == pytest.approx(shown[1]["step_seconds"], rel=0.08)
        training.slow("")
        found, seconds = until_found(server, lambda found: not loud(found), 25)
        seen("balanced again", found, seconds)
        training.slow("host")
        host_seconds = None
        if not DRY:  # of a replayed device nothing shows that the host is late
            found, host_seconds = until_found(
                server, lambda found: ("communication-bound", 1) in found, 20
            )
            seen("rank 1 late by its host, when it is told", found, host_seconds)
        time.sleep(8)
        seen("rank 1 late by its host", findings(server), host_seconds)
        training.slow("gpu")
        # It was told of another cause just now: the words follow when it is looked at anew.
        found, gpu_seconds = until_found(server, _computes_for_longer, 1 if DRY else 35)
        seen("rank 1 late by its GPU", found, gpu_seconds)
    assert not loud(told["balanced"])
    assert not loud(told["balanced again"])
    late = told["rank 1 late by its loader"]
    assert loud(late) == {("communication-bound", 1), ("input-bound", 1)}
    assert "waits for data" in late["communication-bound", 1]["summary"]
    assert data_seconds <= NAMED_SECONDS
    if DRY:
        return
    late = told["rank 1 late by its host"]
    assert loud(late) - {("launch-bound", 1)} == {("communication-bound", 1)}
    assert "its host is" in late["communication-bound", 1]["summary"]
    assert host_seconds <= NAMED_SECONDS
    assert _computes_for_longer(told["rank 1 late by its GPU"])


def _computes_for_longer(found):
    late = found.get(("communication-bound", 1))
    return late is not None and "computes for longer" in late["summary"]
