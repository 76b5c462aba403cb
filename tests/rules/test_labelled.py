"""The labelled workloads, as an H100 did them: the right code and no false alarm, also once a second."""

from __future__ import annotations

from functools import lru_cache

import pytest
from perturbing import TOO_FEW, expected_of, judged, labelled, labelled_window, slower

from jupyter_gpuperf.rules import RULES, RuleInput, judge

ONCE_A_SECOND = {
    "every second": 0.0,
    "every second, half a second later": 0.5,
}
recorded = lru_cache(labelled_window)


def verdict(name: str, window: RuleInput) -> tuple[list[str], list[str]]:
    return judged(judge(window, RULES), expected_of(name))


@pytest.mark.parametrize("name", labelled())
def test_a_recorded_workload_gives_what_it_must_and_nothing_false(name):
    assert verdict(name, recorded(name)) == ([], [])


@pytest.mark.parametrize("pace", ONCE_A_SECOND)
@pytest.mark.parametrize("name", labelled())
def test_seen_once_a_second_it_gives_the_same(name, pace):
    missing, false = verdict(name, slower(recorded(name), 1.0, ONCE_A_SECOND[pace]))
    assert false == []
    if name not in TOO_FEW:
        assert missing == []


def test_what_is_left_out_is_left_out_for_a_reason():
    """Where it is seen after all, it belongs among the others."""
    for name in TOO_FEW:
        windows = [slower(recorded(name), 1.0, offset) for offset in ONCE_A_SECOND.values()]
        assert any(verdict(name, window)[0] for window in windows)
