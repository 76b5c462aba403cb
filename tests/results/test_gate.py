"""The gate for CI: nothing slower, something slower, or inconclusive; and the exit codes that say so."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from measured import measured, suite

from jupyter_gpuperf import cli
from jupyter_gpuperf.results.comparison import compare
from jupyter_gpuperf.results.gate import gate
from jupyter_gpuperf.schemas import encode

STEADY = (1.0, 1.002, 0.998)
SLOWER = (1.2, 1.202, 1.198)
SCATTERED = (1.0, 1.4, 0.7)


def rounds(*values, **options):
    return suite(*(measured(value, **options) for value in values), rounds=len(values))


def decided(before, after, limit_percent=5.0):
    return gate(compare(before, after), before, after, limit_percent)


def test_equal_suites_pass():
    assert decided(rounds(*STEADY), rounds(*STEADY)).status == "passed"


def test_what_takes_longer_than_the_limit_beyond_its_interval_is_worse_and_named():
    found = decided(rounds(*STEADY), rounds(*SLOWER))
    assert found.status == "worse"
    assert found.reasons[0].startswith("compute, pass seconds: time +20.0 % (+")
    assert decided(rounds(*STEADY), rounds(*SLOWER), limit_percent=30.0).status == "passed"


def test_what_got_faster_passes():
    assert decided(rounds(*SLOWER), rounds(*STEADY)).status == "passed"


@pytest.mark.parametrize(("before", "after"), [((1.0, 1.01, 0.99), (0.7, 0.71, 0.69))])
def test_a_rate_that_fell_is_slower(before, after):
    options = {"figure": "copy_bytes_per_second"}
    found = decided(rounds(*before, **options), rounds(*after, **options))
    assert found.status == "worse"
    assert decided(rounds(*after, **options), rounds(*before, **options)).status == "passed"


def test_an_interval_that_contains_the_limit_decides_nothing():
    found = decided(rounds(*STEADY), rounds(*SCATTERED))
    assert found.status == "unknown"
    assert "compute" in found.reasons[0]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"environment": {"device_name": "NVIDIA A100"}}, "Different chips"),
        (
            {"environment": {"clock_sm_mhz": 1980}},
            {"environment": {"clock_sm_mhz": 1500}},
            "Different clocks: 1980 and 1500 MHz",
        ),
        ({}, {"parameters": {"batch_size": 128}}, "Only in one of the two"),
        ({"figure": "peak_bytes"}, {"figure": "peak_bytes"}, "no time and no rate in common"),
    ],
    ids=lambda each: str(each)[:24],
)
def test_unequal_conditions_decide_nothing_even_if_it_is_slower(before, after, said):
    found = decided(rounds(*STEADY, **before), rounds(*SLOWER, **after))
    assert found.status == "unknown"
    assert any(said in each for each in found.reasons)


def test_one_round_decides_nothing():
    found = decided(rounds(1.0, reach=0.001), rounds(1.5, reach=0.001))
    assert (found.status, "one round" in found.reasons[0]) == ("unknown", True)


@pytest.fixture
def files(tmp_path):
    """Write suites to files, and return the names."""

    def write(**suites):
        for name, each in suites.items():
            (tmp_path / f"{name}.json").write_bytes(encode(each))
        return [str(tmp_path / f"{name}.json") for name in suites]

    return write


@pytest.mark.parametrize(
    ("after", "code", "said"),
    [
        (STEADY, 0, "Passed: nothing takes 5 % longer."),
        (SLOWER, 1, "Worse: something takes more than 5 % longer."),
        (SCATTERED, 2, "Inconclusive at a limit of 5 %."),
    ],
)
@pytest.mark.parametrize("limit", ["5%", "5"])
def test_the_exit_code_is_the_decision(files, capsys, after, code, said, limit):
    names = files(before=rounds(*STEADY), after=rounds(*after))
    assert cli.main(["compare", *names, "--fail-if-slower", limit]) == code
    assert said in capsys.readouterr().out
    assert cli.main(["compare", *names, "--json", "--fail-if-slower", limit]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["gate"]["status"] == {0: "passed", 1: "worse", 2: "unknown"}[code]
    assert found["figures"]


def test_without_a_limit_the_comparison_only_informs(files, capsys):
    names = files(before=rounds(*STEADY), after=rounds(*SLOWER))
    assert cli.main(["compare", *names]) == 0
    assert "Worse:" not in capsys.readouterr().out


def test_markdown_is_a_table_that_a_pull_request_shows(files, capsys):
    options = {"benchmark": "a|b"}
    names = files(before=rounds(*STEADY, **options), after=rounds(*SLOWER, **options))
    assert cli.main(["compare", *names, "--markdown", "--fail-if-slower", "5"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "**Worse: something takes more than 5 % longer.**"
    table = [line for line in lines if line.startswith("|")]
    assert table[1] == "| --- | --- | --- | --- | --- |"
    assert table[2].startswith("| a\\|b pass")
    assert {line.replace("\\|", "").count("|") for line in table} == {6}


def test_names_of_a_file_are_no_markup_of_the_pull_request(files, capsys):
    options = {"benchmark": "<img>`x`\n# title"}
    names = files(before=rounds(*STEADY), after=rounds(*STEADY, **options))
    assert cli.main(["compare", *names, "--markdown", "--fail-if-slower", "5"]) == 2
    shown = capsys.readouterr().out
    assert "&lt;img>" in shown
    assert "<img>" not in shown
    assert not [line for line in shown.splitlines() if line.startswith("#")]


def test_a_figure_of_zero_has_no_ratio_and_decides_nothing():
    both = [[measured(1.0), measured(0.0, benchmark="io")] for _ in range(3)]
    zero = suite(*(each for pair in both for each in pair))
    found = decided(zero, zero)
    assert found.status == "unknown"
    assert any("io, pass seconds: no ratio" in each for each in found.reasons)


@pytest.mark.parametrize(
    "words",
    [
        ["--fail-if-slower", "much"],
        ["--fail-if-slower", "-3"],
        ["--fail-if-slower", "nan"],
        ["--no-such-option"],
        ["a third"],
    ],
)
def test_a_wrong_option_is_a_usage_error_of_its_own_code(files, words):
    names = files(before=rounds(*STEADY), after=rounds(*STEADY))
    assert cli.main(["compare", *names, *words]) == 3


def test_a_missing_file_or_argument_is_a_usage_error_too(tmp_path):
    assert cli.main(["compare", str(tmp_path / "none.json"), str(tmp_path / "none.json")]) == 3
    line = [sys.executable, "-m", "jupyter_gpuperf", "compare", "one.json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "AFTER" in done.stderr


def test_two_formats_at_once_are_refused(files, capsys):
    names = files(before=rounds(*STEADY), after=rounds(*STEADY))
    assert cli.main(["compare", *names, "--markdown", "--json"]) == 3
    assert json.loads(capsys.readouterr().err)["code"] == "usage"
