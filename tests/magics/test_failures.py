"""What a user sees when there is no result."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.client.failures import LOG_TAIL_LINES, BenchmarkCancelled, BenchmarkError
from jupyter_gpuperf.errors import JobFailed
from jupyter_gpuperf.schemas import ErrorInfo, JobInfo


def test_a_failure_shows_message_hint_and_the_logs_end_and_no_traceback():
    log = "\n".join(f"line {number}" for number in range(100))
    shown = BenchmarkError("package_missing", "No torch.", "Install it.", log)._render_traceback_()

    assert "package_missing" in shown[0]
    assert "No torch." in shown[0]
    assert shown[1] == "Install it."
    assert shown[-1] == "  line 99"
    assert len(shown) == 2 + 2 + LOG_TAIL_LINES


def test_a_failure_keeps_code_message_and_hint_for_scripts():
    error = BenchmarkError.of(JobFailed("worker_died", "It died.", "See the log."))

    assert error.to_dict() == {
        "code": "worker_died",
        "message": "It died.",
        "hint": "See the log.",
    }


@pytest.mark.parametrize(("code", "has_log"), [("worker_died", True), ("package_missing", False)])
def test_the_log_is_shown_where_it_explains(code, has_log):
    job = JobInfo(
        id="1",
        benchmark="compute",
        parameters={},
        kernel_name=None,
        device=None,
        state="failed",
        progress_ratio=0.0,
        progress_message="",
        created_seconds=1.0,
        started_seconds=2.0,
        ended_seconds=3.0,
        result=None,
        error=ErrorInfo(code=code, message="No.", hint="Look."),
        log_tail="noise",
    )

    assert ("  noise" in BenchmarkError.of_job(job).lines()) is has_log


def test_cancelling_is_one_line():
    assert BenchmarkCancelled("compute")._render_traceback_() == [
        "compute was cancelled; nothing is left running."
    ]
