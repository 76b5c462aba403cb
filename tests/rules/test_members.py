"""The list of rules, and how they are declared."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import jupyter_gpuperf.rules as package
from jupyter_gpuperf.metrics import METRICS
from jupyter_gpuperf.rules import RULES, Rule, Threshold, all_rules

FOLDER = Path(package.__file__).parent
INFRASTRUCTURE = {
    "__init__",
    "busy_spans",
    "judge",
    "rule",
    "rule_input",
    "straggler",
    "threshold",
    "idle_patterns",
    "workload",
}
ALERTS = {
    "device_lost",
    "xid",
    "ecc",
    "pcie_below_link",
    "throttled",
    "memory_nearly_full",
    "shm_nearly_full",
    "disk_nearly_full",
}
CONTRACT = {
    "input-bound",
    "transfer-bound",
    "launch-bound",
    "periodic-stall",
    "tensor-cores-idle",
    "memory-bandwidth-bound",
    "power-capped",
    "thermal-throttled",
    "memory-nearly-full",
    "out-of-memory",
    "memory-growth",
    "gpu-contention",
    "idle-memory-holder",
    "communication-bound",
    "cpu-quota",
    "optimizer-bound",
}


def modules() -> dict:
    names = {path.stem for path in FOLDER.glob("*.py")} - INFRASTRUCTURE
    return {name: import_module(f"jupyter_gpuperf.rules.{name}") for name in names}


def test_every_finding_has_a_file_named_after_its_code():
    found = {
        name: module.RULE.code for name, module in modules().items() if hasattr(module, "RULE")
    }
    assert found == {rule.code.replace("-", "_"): rule.code for rule in RULES if not rule.notify}


def test_every_alert_of_a_file_is_in_the_list():
    found = [
        alert
        for module in modules().values()
        for alert in (getattr(module, "ALERT", None), *getattr(module, "ALERTS", ()))
        if alert is not None
    ]
    assert {alert.code for alert in found} == {rule.code for rule in RULES if rule.notify}


def test_the_codes_are_those_that_scripts_rely_on():
    assert {rule.code for rule in RULES if not rule.notify} == CONTRACT
    assert {rule.code for rule in RULES if rule.notify} == ALERTS


def test_every_rule_looks_at_metrics_that_there_are():
    known = {metric.name for metric in METRICS}
    for rule in RULES:
        assert {*rule.needs, *rule.reads}
        assert {*rule.needs, *rule.reads} <= known, rule.code


def test_an_alert_that_tells_the_same_as_a_finding_is_an_alert():
    assert {rule.alert for rule in RULES} == {None, "memory_nearly_full", "throttled"}


def test_every_threshold_says_why_and_how_far_off_measured_cases_are():
    beside = {
        name: import_module(f"jupyter_gpuperf.rules.{name}")
        for name in ("straggler", "idle_patterns")
    }
    count = 0
    for name, module in {**modules(), **beside}.items():
        for constant, value in vars(module).items():
            if isinstance(value, Threshold):
                count += 1
                assert len(value.reason) > 20, (name, constant)
                assert len(value.margin) > 10, (name, constant)
    assert count >= 40


def test_other_packages_add_rules_and_a_broken_one_is_left_out(monkeypatch, caplog):
    other = Rule(code="other-thing", title="", meaning="", needs=(), check=lambda _view: None)
    monkeypatch.setattr("made.RULES", (other, RULES[0]), raising=False)
    points = [
        EntryPoint("good", "made:RULES", "jupyter_gpuperf.rules"),
        EntryPoint("broken", "no_such_module:RULES", "jupyter_gpuperf.rules"),
    ]
    monkeypatch.setattr("jupyter_gpuperf.plugins.entry_points_of", lambda group: points)
    assert all_rules() == (*RULES, other)
    assert "no_such_module" in caplog.text
