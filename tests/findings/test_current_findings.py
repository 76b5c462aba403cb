"""What holds: when it is told, when it is taken back, and in which order."""

from __future__ import annotations

from jupyter_gpuperf.findings.current_findings import CurrentFindings
from jupyter_gpuperf.rules import Finding, HoldOff, Rule

SLOW = HoldOff(after_seconds=5.0, until_seconds=15.0, until_working_seconds=5.0)
RULES = tuple(
    Rule(code=code, needs=(), check=lambda _view: None, holds_off=holds_off)
    for code, holds_off in (
        ("slow", SLOW),
        ("quick", HoldOff(after_seconds=0.0, until_seconds=0.0)),
        ("grave", HoldOff(after_seconds=5.0, until_seconds=15.0, critical_at_once=True)),
    )
)


def finding(code, severity="warning", device="GPU"):
    return Finding(
        code=code, severity=severity, device=device, summary=".", advice=".", evidence={}
    )


class Held:
    """A machine with one GPU, in which things are found."""

    def __init__(self):
        self.holding, self.now = CurrentFindings(RULES), 1000.0

    def take(self, *findings, seconds=1.0, present=(None, "GPU"), working=()):
        self.now += seconds
        return self.holding.take(findings, self.now, present=present, working=working)

    def codes(self):
        return [each.code for each, _ in self.holding.current]


def test_it_is_told_once_it_was_found_for_long_enough_and_since_when():
    held = Held()
    news = [held.take(finding("slow")) for _ in range(6)]
    assert news == [False] * 5 + [True]
    assert held.holding.current[0][1] == 1001.0


def test_what_is_missing_in_between_begins_anew():
    """Alerts once went on counting through gaps shorter than the time after which they are taken back."""
    held = Held()
    for second in range(60):
        held.take(*([finding("slow")] if second % 3 else []))
    assert held.codes() == []


def test_it_is_taken_back_sooner_where_the_device_works():
    for working, seconds in (((), 15), (("GPU",), 5)):
        held = Held()
        for _ in range(6):
            held.take(finding("slow"))
        for _ in range(seconds - 1):
            held.take(working=working)
        assert held.codes() == ["slow"]
        assert held.take(working=working)
        assert held.codes() == []


def test_what_is_critical_is_told_at_once_where_the_rule_says_so():
    held = Held()
    held.take(finding("slow", "critical"), finding("grave", "critical"))
    assert held.codes() == ["grave"]


def test_the_worst_comes_first_then_the_rules_order():
    held = Held()
    for _ in range(6):
        held.take(finding("quick"), finding("grave", "critical"), finding("slow"))
    assert held.codes() == ["grave", "slow", "quick"]


def test_that_it_gets_worse_is_news_and_what_goes_with_its_device_too():
    held = Held()
    assert held.take(finding("quick"))
    assert not held.take(finding("quick"))
    assert held.take(finding("quick", "critical"))
    assert held.take(present=(None,))
    assert held.codes() == []


def test_after_a_clock_was_set_back_what_is_over_is_taken_back():
    """Findings once stayed for good when the clock was set back and they were not found again."""
    held = Held()
    for _ in range(6):
        held.take(finding("slow"))
    held.take(seconds=-3600)
    assert held.codes() == ["slow"]  # nothing flickers
    for _ in range(15):
        held.take()
    assert held.codes() == []
