"""How a running job is shown."""

from __future__ import annotations

import io

import pytest

from jupyter_gpuperf.display.progress import (
    ProgressView,
    TextView,
    format_status,
    progress_html,
    terminal_view,
)
from jupyter_gpuperf.schemas import JobInfo


def job(state="running", **changes):
    values = {
        "id": "1",
        "benchmark": "compute",
        "parameters": {},
        "kernel_name": None,
        "device": None,
        "state": state,
        "progress_ratio": 0.4,
        "progress_message": "measuring",
        "created_seconds": 100.0,
        "started_seconds": 110.0,
        "ended_seconds": None,
        "result": None,
        "error": None,
        "log_tail": "",
    }
    return JobInfo(**(values | changes))


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (job(), "compute · 40 % · measuring · 5 s"),
        (job("queued", progress_message=""), "compute · in the queue · 15 s"),
        (job("queued", progress_message="Behind another"), "compute · Behind another · 15 s"),
        (job("failed", ended_seconds=112.0), "compute · failed · 2 s"),
        (job("failed", ended_seconds=110.5), "compute · failed"),
        (job("cancelled", started_seconds=None), "compute · cancelled"),
    ],
)
def test_a_state_is_said_in_words(shown, words):
    assert format_status(shown, 115.0) == words


def test_a_terminal_gets_one_line_that_is_wiped_at_the_end():
    stream = io.StringIO()
    view = TextView(stream, clock=lambda: 115.0)

    view.show(job(progress_message="a long message"))
    view.show(job(progress_message="short"))
    view.end(None, "")

    lines = stream.getvalue().split("\r")[1:]
    assert lines[1].rstrip() == "compute · 40 % · short · 5 s · Ctrl+C cancels"
    assert len(lines[1]) == len(lines[0])  # nothing of the longer line stays visible
    assert lines[2].strip() == ""
    assert "\n" not in stream.getvalue()


def test_a_stream_that_nobody_looks_at_gets_nothing():
    assert type(terminal_view(io.StringIO())) is ProgressView


def test_a_workers_message_is_escaped():
    assert "<script>" not in progress_html("<script>alert(1)</script>", 0.5)


@pytest.mark.parametrize(("ratio", "width"), [(-1.0, "0%"), (0.4, "40%"), (7.0, "100%")])
def test_the_bar_stays_within_its_track(ratio, width):
    assert f"width:{width}" in progress_html("", ratio)
