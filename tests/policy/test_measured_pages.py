"""Documentation tables that come from runs on a real GPU match the kept results of these runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "perf")]

import truth_page
from peer_answers import NONE, RIGHT, WRONG, answer_of, verdict

STARVED = "== insights ==\n  [LOW]   Warm-up\n  [HIGH]  90% of step time waiting on the loader\n"
QUIET = "== insights ==\n  [LOW]   Estimated cost: $0.02\n"
COPIES = json.dumps({"findings": [{"cause": "h2d_copy", "evidence": "98% of the step"}]})
INCOMPLETE = "VERDICT\n  Analysis incomplete: missing or non-measurable trace data.\n"


def test_the_table_of_labelled_workloads_is_that_of_the_runs():
    assert truth_page.out_of_date() is None


@pytest.mark.parametrize(
    ("peer", "said", "must", "may", "expected"),
    [
        ("gpuprof", STARVED, ["input-bound"], [], RIGHT),
        ("gpuprof", STARVED, ["launch-bound|input-bound"], [], RIGHT),
        ("gpuprof", STARVED, ["launch-bound"], ["input-bound"], WRONG),
        ("gpuprof", STARVED, [], [], WRONG),
        ("gpuprof", STARVED, [], ["input-bound"], RIGHT),
        ("gpuprof", QUIET, [], [], RIGHT),
        ("gpuprof", QUIET, ["launch-bound"], [], NONE),
        ("gpu-idle", COPIES, ["transfer-bound"], [], RIGHT),
        ("gpu-idle", COPIES, [], [], WRONG),
        ("gpu-idle", '{"findings": []}', [], [], RIGHT),
        ("fournex", INCOMPLETE, [], [], NONE),
        ("fournex", INCOMPLETE, ["input-bound"], [], NONE),
    ],
)
def test_a_peer_is_judged_by_its_loudest_finding(peer, said, must, may, expected):
    assert verdict(answer_of(peer, said), must, may) == expected


def test_a_cause_that_has_no_code_here_is_asked_for_and_never_guessed():
    with pytest.raises(SystemExit, match="cosmic rays"):
        answer_of("gpuprof", "  [HIGH]  cosmic rays\n")
