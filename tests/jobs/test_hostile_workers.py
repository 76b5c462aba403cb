"""Whatever a worker writes, its job ends with a name for it, and nothing stays behind."""

from __future__ import annotations

import msgspec
import pytest
from hostile import ACTS
from job_tools import WORKERS, follow, wait_until

from jupyter_gpuperf.jobs.log_tail import LONGEST_TAIL_BYTES
from jupyter_gpuperf.schemas import JobInfo, JobRequest, encode

NUMBERS = {act.__name__: number for number, act in enumerate(ACTS, 1)}


@pytest.fixture
def run(make_manager):
    """Run an act; return the job's states up to its end."""
    manager = make_manager(worker=[str(WORKERS / "hostile.py")])

    def run(act):
        parameters = {"items": NUMBERS[act]}
        job = manager.submit(JobRequest(benchmark="dataloader", parameters=parameters))
        return follow(manager, job.id)

    return run


@pytest.mark.parametrize(
    "act",
    [
        "nests_too_deep",
        "progresses_by_too_large_a_number",
        "progresses_by_no_number",
        "speaks_other_than_objects",
        "describes_a_message_without_end",
    ],
)
def test_nonsense_before_the_result_does_not_keep_it_from_arriving(run, act):
    job = run(act)[-1]
    assert job.state == "done", job.error


def test_progress_that_is_no_share_is_never_shown(run):
    for job in run("progresses_by_no_number"):
        assert 0.0 <= job.progress_ratio <= 1.0
        # A NaN would reach the browser as null.
        assert msgspec.json.decode(encode(job), type=JobInfo) == job


def test_text_is_shown_and_never_obeyed(run):
    states = run("writes_what_a_terminal_obeys")
    assert all(encode(job) for job in states)  # one that can't be encoded would hide all jobs
    assert "half\ufffd way \ufffd" in [job.progress_message for job in states]
    result = states[-1].result
    assert result.warnings == ["\ufffd", "a\ufffdb"]
    assert result.environment == {"torch\ufffd": "2.11"}


def test_a_result_too_long_to_take_is_a_failure_in_bounded_memory(run):
    job = run("answers_in_20_megabytes")[-1]
    assert (job.state, job.error.code) == ("failed", "worker_protocol")
    assert len(job.log_tail) <= LONGEST_TAIL_BYTES


def test_an_error_of_odd_types_is_still_text(run):
    job = run("answers_with_an_error_of_odd_types")[-1]
    assert job.state == "failed"
    assert (job.error.code, job.error.message, job.error.hint) == ("5", "None", "['x']")


def test_a_message_cut_short_goes_to_the_log(run):
    job = run("answers_without_an_end_of_line")[-1]
    assert (job.state, job.error.code) == ("failed", "worker_died")
    assert '"message": "' in job.log_tail


def test_a_worker_can_be_cancelled_after_it_pretended_to_have_ended(make_manager):
    manager = make_manager(worker=[str(WORKERS / "hostile.py")])
    parameters = {"items": NUMBERS["pretends_that_it_ended"]}
    job = manager.submit(JobRequest(benchmark="dataloader", parameters=parameters))
    wait_until(lambda: manager.get(job.id).state == "running")
    manager.cancel(job.id)
    wait_until(lambda: manager.get(job.id).state == "cancelled")
