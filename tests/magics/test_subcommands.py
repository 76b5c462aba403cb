"""``%gpubench history``, ``suite``, ``compare`` and ``--baseline``: on real runs, and on files made here."""

from __future__ import annotations

import json

import pytest
from measured import measured, suite

from jupyter_gpuperf import cli
from jupyter_gpuperf.commands.subcommands import SUBCOMMANDS, subcommand_of
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.suites.suite_file import read_suite, write_suite

QUICK = "launch --time-limit-seconds 1 --local"


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_GPUPERF_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("JUPYTER_GPUPERF_SOURCE", "none")
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    return ResultStore(tmp_path / "results")


@pytest.fixture
def suites(tmp_path):
    """Two files: torch was updated, and a pass takes half as long."""
    for name, seconds, torch in (("old", 2.0, "2.11"), ("new", 1.0, "2.13")):
        rounds = [
            measured(seconds * scatter, environment={"torch": torch}) for scatter in (1, 1.01, 0.99)
        ]
        write_suite(tmp_path / f"{name}.json", suite(*rounds))
    return tmp_path / "old.json", tmp_path / "new.json"


def test_a_run_is_kept_listed_and_the_next_is_held_against_it(shell, store):
    first = shell.run_line_magic("gpubench", f"{QUICK} --baseline")
    assert "No earlier result to compare with" in repr(first)
    second = shell.run_line_magic("gpubench", f"{QUICK} --baseline")
    assert f"Compared with the previous run (number {first.number}" in repr(second)
    assert "launch: " in "\n".join(second.comparison)

    history = shell.run_line_magic("gpubench", "history launch")
    assert [each.id for each in history.results] == [second.number, first.number]
    assert "launch" in repr(history)
    assert "launch" in history._repr_html_()


def test_a_marked_result_is_the_baseline(shell, store):
    number = store.add(measured(), 0.0)
    store.add(measured(2.0), 1.0)
    history = shell.run_line_magic("gpubench", f"history --baseline {number}")
    assert f"{number} baseline" in repr(history)


def test_an_empty_history_says_so(shell, store):
    assert repr(shell.run_line_magic("gpubench", "history")) == "No results are stored yet."


def test_the_suite_runs_and_saves_and_its_results_are_kept(shell, store, tmp_path):
    path = tmp_path / "suite.json"
    view = shell.run_line_magic(
        "gpubench",
        f"suite --only launch --rounds 2 --budget-minutes 0.2 --save {path} --local --into kept",
    )
    assert shell.user_ns["kept"] is view
    assert "launch" in repr(view)
    assert {each.benchmark for each in read_suite(path).results} == {"launch"}
    assert view.to_dict() == json.loads(path.read_bytes())
    assert len(store.latest()) == len(read_suite(path).results)  # and in the history


def test_two_suites_are_compared_in_text_html_and_on_a_page(shell, suites, tmp_path):
    before, after = suites
    page = tmp_path / "page.html"
    changes = shell.run_line_magic("gpubench", f"compare {before} {after} --html {page}")
    for said in (repr(changes), changes._repr_html_(), page.read_text()):
        assert "new vs. old: 1 better, 0 worse" in said
        assert "2.11" in said
        assert "2.13" in said
        assert "0.500" in said
    assert page.read_text().startswith("<!doctype html>")


def test_what_suites_hold_never_becomes_markup(tmp_path):
    bad = "<script>alert(1)</script>"
    for name, torch in (("a", bad), ("b", "2")):
        results = [measured(environment={"torch": torch}, warnings=[bad]) for _ in range(3)]
        write_suite(tmp_path / f"{name}.json", suite(*results))
    asked = subcommand_of(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    drawn = asked.run(lambda: None)._repr_html_()
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn


def test_the_shell_compares_and_answers_in_json(suites, capsys):
    assert cli.main(["compare", *map(str, suites), "--json"]) == 0
    (figure,) = json.loads(capsys.readouterr().out)["figures"]
    assert figure["verdict"] == "better"
    assert figure["ratio"]["value"] == pytest.approx(0.5, rel=0.01)


def test_the_shell_lists_the_history(store, capsys):
    store.add(measured(), 0.0)
    assert cli.main(["bench", "history", "--json"]) == 0
    (kept,) = json.loads(capsys.readouterr().out)["results"]
    assert kept["result"]["benchmark"] == "compute"


@pytest.mark.parametrize(
    "words",
    [
        "history --limit 0",
        "history --limit many",
        "history --baseline 999",
        "suite --only speed",
        "suite --rounds 0",
        "compare one.json",
        "compare one.json two.json",
    ],
)
def test_a_wrong_line_is_refused_with_what_to_do(store, words):
    with pytest.raises(GpuPerfError) as refusal:
        subcommand_of(words.split()).run(lambda: None)
    assert refusal.value.hint


def test_misuse_has_its_exit_code(store, capsys):
    assert cli.main(["compare", "one.json", "two.json"]) == 3  # 2 is a decision of --fail-if-slower
    assert cli.main(["bench", "history", "--limit", "0"]) == cli.MISUSED
    assert "one.json" in capsys.readouterr().err


@pytest.mark.parametrize("word", SUBCOMMANDS)
def test_help_is_printed_and_nothing_else(word, capsys):
    assert subcommand_of([word, "--help"]).run(lambda: None) is None
    assert word in capsys.readouterr().out


def test_after_its_help_the_history_is_not_said_to_be_empty(capsys):
    assert cli.main(["bench", "history", "--help"]) == 0
    assert "No results" not in capsys.readouterr().out
