"""What a user sees when there is no result."""

from __future__ import annotations

from jupyter_gpuperf.errors import JobFailed
from jupyter_gpuperf.magics.failures import LOG_TAIL_LINES, BenchmarkCancelled, BenchmarkError


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


def test_cancelling_is_one_line():
    assert BenchmarkCancelled("compute")._render_traceback_() == [
        "compute was cancelled; nothing is left running."
    ]
