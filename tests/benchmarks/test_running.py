from __future__ import annotations

import sys

import pytest

from jupyter_gpuperf import benchmarks
from jupyter_gpuperf.benchmarks import Benchmark, Parameter
from jupyter_gpuperf.benchmarks.running import run_request
from jupyter_gpuperf.errors import BadRequest

MEASURED = {
    "unit": "seconds",
    "figures": {"call_seconds": {"value": 2.0, "low": 1.0, "high": 3.0}},
    "samples": {"call_seconds": [2.0]},
    "environment": {},
}


@pytest.fixture
def run(monkeypatch):
    """Run a benchmark that does what ``act(parameters, context)`` does; return what is said."""

    def run(act, *, requires=(), parameters=None):
        count = Parameter(name="count", type="integer", default=1, minimum=1, maximum=9, help="h")
        example = Benchmark(
            name="example", label="E", help="h", parameters=(count,), requires=requires, run=act
        )
        monkeypatch.setattr(benchmarks, "BENCHMARKS", (example,))
        said = []
        run_request({"benchmark": "example", "parameters": parameters or {}}, said.append)
        return said

    return run


def raising(error):
    def act(parameters, context):
        raise error

    return act


def test_a_result_names_what_was_run_with_every_parameter(run):
    said = run(lambda parameters, context: MEASURED, parameters={"count": 3.0})
    assert said == [
        {
            "type": "result",
            "result": {
                **MEASURED,
                "benchmark": "example",
                "parameters": {"count": 3},
                "limits": {},
                "warnings": [],
            },
        }
    ]


def test_limits_that_were_measured_are_kept(run):
    said = run(lambda parameters, context: {**MEASURED, "limits": {"peak": 5.0}})
    assert said[-1]["result"]["limits"] == {"peak": 5.0}


def test_progress_comes_before_the_result_and_stays_from_0_to_1(run):
    def act(parameters, context):
        for ratio in (-0.1, 0.5, 1.5):
            context.progress(ratio, f"at {ratio}")
        return MEASURED

    *progress, result = run(act)
    assert [each["ratio"] for each in progress] == [0.0, 0.5, 1.0]
    assert progress[1] == {"type": "progress", "ratio": 0.5, "message": "at 0.5"}
    assert result["type"] == "result"


def test_a_warning_is_told_once_and_in_the_order_they_came(run):
    def act(parameters, context):
        for sentence in ("Noisy.", "Hot.", "Noisy."):
            context.warn(sentence)
        return MEASURED

    assert run(act)[-1]["result"]["warnings"] == ["Noisy.", "Hot."]


def test_a_missing_package_is_named_with_the_interpreter_that_lacks_it(run):
    def act(parameters, context):
        raise AssertionError("it must not start")

    (error,) = run(act, requires=("sys", "not_installed_anywhere"))
    assert (error["type"], error["code"]) == ("error", "package_missing")
    assert "not_installed_anywhere" in error["message"]
    assert sys.executable in error["message"]
    assert f"{sys.executable} -m pip install not_installed_anywhere" in error["hint"]


def test_what_a_benchmark_says_is_in_the_way_is_told_as_it_is(run):
    (error,) = run(raising(BadRequest("not_enough_memory", "Too many.", "Ask for fewer.")))
    assert error == {
        "type": "error",
        "code": "not_enough_memory",
        "message": "Too many.",
        "hint": "Ask for fewer.",
    }


def test_a_defect_of_a_benchmark_is_told_and_its_traceback_logged(run, caplog):
    (error,) = run(raising(ZeroDivisionError("by nought")))
    assert (error["type"], error["code"]) == ("error", "benchmark_failed")
    assert error["message"] == "ZeroDivisionError: by nought"
    assert "Traceback" in caplog.text


def test_memory_that_ran_out_is_told_with_what_to_do(run):
    (error,) = run(raising(MemoryError()))
    assert error["code"] == "out_of_memory"
    assert "The host" in error["message"]
    assert error["hint"]


def test_memory_that_torch_could_not_get_is_told_as_such(run):
    import torch

    (error,) = run(lambda *_: torch.empty(2**60, dtype=torch.uint8))
    assert error["code"] == "out_of_memory"
    assert error["message"] == "The host ran out of memory."


def test_memory_of_the_gpu_is_told_apart_by_the_name_of_torchs_error(run):
    class OutOfMemoryError(RuntimeError):
        pass

    (error,) = run(raising(OutOfMemoryError("CUDA out of memory")))
    assert error["code"] == "out_of_memory"
    assert "GPU" in error["message"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"speed": 1}, "unknown_parameter"),
        ({"count": "x"}, "parameter_wrong_type"),
        ({"count": 10}, "parameter_out_of_range"),
    ],
)
def test_parameters_are_checked_in_the_worker_again(run, parameters, code):
    (error,) = run(lambda parameters, context: MEASURED, parameters=parameters)
    assert (error["type"], error["code"]) == ("error", code)


def test_a_benchmark_that_is_not_here_is_refused():
    said = []
    run_request({"benchmark": "elsewhere", "parameters": {}}, said.append)
    assert [each["code"] for each in said] == ["unknown_benchmark"]
