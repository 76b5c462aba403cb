from __future__ import annotations

from pathlib import Path

import pytest
from job_tools import follow, request

from jupyter_gpuperf.errors import JobFailed
from jupyter_gpuperf.jobs import check_runner
from jupyter_gpuperf.jobs.log_tail import LONGEST_TAIL_BYTES


def last(manager, act, **options):
    return follow(manager, manager.submit(request(act), **options).id)[-1]


def test_a_worker_that_exits_early_shows_its_last_words(manager):
    job = last(manager, "exits")
    assert (job.state, job.error.code) == ("failed", "worker_died")
    assert "exit code 7" in job.error.message
    assert "the last words" in job.log_tail


def test_a_worker_that_is_killed_names_the_signal_and_what_it_often_means(manager):
    job = last(manager, "is_killed")
    assert job.error.code == "worker_died"
    assert "SIGKILL" in job.error.message
    assert "memory" in job.error.hint


def test_a_worker_that_hangs_is_ended_at_its_deadline(make_manager):
    job = last(make_manager(deadline_seconds=0.3), "sleeps")
    assert (job.state, job.error.code) == ("failed", "deadline_exceeded")
    assert "job_deadline_seconds" in job.error.hint


def test_garbage_between_messages_goes_to_the_log_and_the_result_counts(manager):
    job = last(manager, "prints_garbage")
    assert job.state == "done"
    assert "Hello from a library" in job.log_tail


def test_a_result_of_the_wrong_shape_is_no_result(manager):
    job = last(manager, "answers_in_the_wrong_shape")
    assert (job.state, job.error.code) == ("failed", "worker_protocol")
    assert job.result is None


def test_a_flood_of_words_neither_stops_the_worker_nor_fills_memory(manager):
    job = last(manager, "floods_the_log")
    assert job.state == "done"
    assert len(job.log_tail) <= LONGEST_TAIL_BYTES
    assert job.log_tail.endswith("the end\n")


def test_a_long_result_arrives_whole(manager):
    job = last(manager, "answers_at_length")
    assert len(job.result.samples["batch_seconds"]) == 500_000


def test_an_interpreter_that_is_not_there_is_named(manager):
    job = last(manager, "works", interpreter="/nowhere/python")
    assert (job.state, job.error.code) == ("failed", "worker_start_failed")
    assert "/nowhere/python" in job.error.message


def test_what_the_worker_left_on_disk_is_removed(manager):
    job = last(manager, "leaves_files")
    assert job.state == "done"
    assert not Path(job.result.environment["tmpdir"]).exists()


@pytest.mark.parametrize("name", ["JUPYTER_TOKEN", "JPY_API_TOKEN", "JUPYTERHUB_API_TOKEN"])
def test_a_worker_does_not_get_the_servers_secrets(name, monkeypatch):
    from jupyter_gpuperf.jobs.process import WorkerOrder

    monkeypatch.setenv(name, "xyzzy-42")
    order = WorkerOrder(benchmark="x", parameters={}, interpreter="python", deadline_seconds=1.0)
    assert b"xyzzy-42" not in order.encode()


def test_checks_that_do_not_end_are_not_called_a_benchmark(tmp_path, monkeypatch):
    monkeypatch.setattr(check_runner, "DEADLINE_SECONDS", 0.3)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    with pytest.raises(JobFailed) as error:
        check_runner.CheckRunner().run(check_runner.CheckTarget(interpreter=str(python)))
    assert error.value.message == "The checks were stopped after 0.3 s."
    assert "job_deadline_seconds" not in error.value.hint
