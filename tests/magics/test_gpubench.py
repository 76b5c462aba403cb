"""``%gpubench`` in a real IPython: what it understands, lists, refuses and shows."""

from __future__ import annotations

import tempfile
import types

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.utils.capture import capture_output

from jupyter_gpuperf.benchmarks import BENCHMARKS
from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.commands.options import flag
from jupyter_gpuperf.display.show_once import mark_shown
from jupyter_gpuperf.errors import BadRequest, NotFound
from jupyter_gpuperf.magics.gpubench import complete, parse

QUICK = "--workers 0 --items 16 --batch-size 8 --time-limit-seconds 1"


def test_options_are_the_benchmarks_parameters():
    command = parse("dataloader --workers 2 --batch-size 32 --no-pin-memory --into kept --local")

    assert command.name == "dataloader"
    assert command.parameters == {"workers": 2, "batch_size": 32, "pin_memory": False}
    assert (command.into, command.local, command.device) == ("kept", True, None)


def test_what_is_not_given_is_left_to_the_benchmark():
    assert parse("dataloader").parameters == {}


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda each: each.name)
def test_every_default_is_accepted_as_typed(benchmark):
    words = [benchmark.name]
    for parameter in benchmark.parameters:
        if parameter.type == "boolean":
            no = "" if parameter.default else "no-"
            words.append(flag(parameter.name).replace("--", f"--{no}", 1))
        else:
            words += [flag(parameter.name), str(parameter.default) or '""']

    defaults = {each.name: each.default for each in benchmark.parameters}
    assert parse(" ".join(words)).parameters == defaults


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("dataloader --worker 2", "--worker"),
        ("dataloader --workers two", "two"),
        ("dataloader --workers", "--workers"),
        ("compute stray", "stray"),
        ("--workers 2 dataloader", "must come before"),
        ("dataloader --into not-a-name", "not-a-name"),
        ("dataloader --into class", "class"),
    ],
)
def test_a_misused_line_is_refused_with_what_is_wrong(line, says):
    with pytest.raises(BadRequest) as error:
        parse(line)
    assert error.value.code == "usage"
    assert says in error.value.message
    assert error.value.hint


def test_an_unknown_benchmark_is_refused():
    with pytest.raises(NotFound) as error:
        parse("warp-drive")
    assert error.value.code == "unknown_benchmark"


def test_without_a_name_the_benchmarks_are_listed(shell):
    with capture_output() as captured:
        returned = shell.run_line_magic("gpubench", "")

    assert returned is None
    (listing,) = captured.outputs
    for benchmark in BENCHMARKS:
        assert f"%gpubench {benchmark.name}" in listing.data["text/plain"]
        assert f"%gpubench {benchmark.name}" in listing.data["text/html"]


def test_the_manual_names_every_benchmark_and_every_option(shell):
    manual = shell.object_inspect("%gpubench")["docstring"]

    for benchmark in BENCHMARKS:
        assert f"%gpubench {benchmark.name}" in manual
        for parameter in benchmark.parameters:
            assert flag(parameter.name) in manual
    assert "--into NAME" in manual


def test_help_of_one_benchmark_is_its_page(shell):
    with capture_output() as captured:
        shell.run_line_magic("gpubench", "dataloader --help")

    assert "--batch-size N" in captured.stdout
    assert "--device" in captured.stdout
    assert "%gpubench compute" not in captured.stdout
    assert "--pin-memory/--no-pin-memory" in captured.stdout
    assert "1 to 1000000)" in captured.stdout  # as one would type it


def test_a_refusal_in_a_cell_is_two_lines(shell):
    with capture_output() as captured:
        outcome = shell.run_cell("%gpubench warp-drive")

    assert isinstance(outcome.error_in_exec, BenchmarkError)
    assert "unknown_benchmark" in captured.stdout
    assert "Traceback" not in captured.stdout
    assert len(captured.stdout.strip().splitlines()) == 2


@pytest.mark.parametrize(
    ("line", "symbol", "offered", "not_offered"),
    [
        ("%gpubench ", "", "dataloader", "--workers"),
        ("%gpubench data", "data", "dataloader", "--workers"),
        ("%gpubench dataloader --w", "--w", "--workers", "dataloader"),
        ("%gpubench dataloader --workers 2 --i", "--i", "--into", "dataloader"),
    ],
)
def test_names_then_options_are_completed(line, symbol, offered, not_offered):
    found = complete(None, types.SimpleNamespace(line=line, symbol=symbol))

    assert offered in found
    assert not_offered not in found


def test_completion_reaches_ipython(shell):
    line = "%gpubench dataloader --work"
    with provisionalcompleter():
        found = [each.text for each in shell.Completer.completions(line, len(line))]

    assert "--workers" in found


def test_a_result_is_shown_once_a_cell_and_again_in_the_next(shell, result):
    shell.user_ns.update(result=result, mark_shown=mark_shown)

    with capture_output() as first:
        shell.run_cell("display(result); mark_shown(result); result", store_history=True)
    with capture_output() as second:
        shell.run_cell("result", store_history=True)

    assert len(first.outputs) == 1
    assert "dataloader" in first.outputs[0].data["text/html"]
    assert "<dataloader, as above>" in first.stdout
    assert shell.user_ns["_"] is result
    assert repr(result) in second.stdout


def test_a_benchmark_runs_without_a_server_is_shown_once_bound_and_returned(
    shell, monkeypatch, tmp_path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # with locks of its own
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", "none")

    with capture_output() as captured:
        outcome = shell.run_cell(f"%gpubench dataloader {QUICK} --into kept", store_history=True)

    outcome.raise_error()
    assert outcome.result is shell.user_ns["kept"] is shell.user_ns["_"]
    assert outcome.result.parameters["batch_size"] == 8
    assert outcome.result.figures["batch_seconds"].value > 0
    assert len(captured.outputs) == 1
    assert "samples/s" not in captured.stdout  # shown above its Out[…], not behind it too


def test_a_value_out_of_range_is_refused_with_the_range(shell, monkeypatch):
    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", "none")

    with capture_output() as captured, pytest.raises(BenchmarkError) as error:
        shell.run_line_magic("gpubench", "dataloader --batch-size 0 --local")
    assert error.value.code == "parameter_out_of_range"
    assert "1 to 4096" in error.value.hint
    assert captured.outputs == []
