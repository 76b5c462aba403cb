"""The doctor on a machine with a real GPU: it finds it, knows the driver, and raises no false alarm."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from jupyter_gpuperf.jobs.check_runner import CheckRunner, CheckTarget, server_facts
from jupyter_gpuperf.schemas import CheckFinding, DoctorReport

MUST_BE_KNOWN = (
    "gpu_present",
    "driver_loaded",
    "driver_versions",
    "driver_answers",
    "cuda_starts",
    "visible_devices",
    "persistence",
    "power_limit",
    "compute_mode",
    "busy",
)
"""What every machine with a GPU and its driver tells."""
OF_TORCH = ("torch_build", "driver_for_torch", "torch_sees_gpu", "compute_capability")
MAY_BE_TRUE = (
    "dependencies",
    "duplicate_packages",
    "compiler",
    "shared_memory",
    "cpu_quota",
    "gpuperf_installed",
    "kernel_specs",
    "widgets",
)
"""Of the machine's image, not of its GPU: where they warn, the report says why."""
LONGEST_SECONDS = 20.0


@pytest.fixture(scope="module")
def report() -> DoctorReport:
    report = CheckRunner().run(CheckTarget(server=server_facts()))
    if os.environ.get("GPUPERF_FIGURES"):
        file = Path(os.environ["GPUPERF_FIGURES"]).with_name("doctor.json")
        file.write_text(json.dumps(msgspec.to_builtins(report, enc_hook=str), indent=1))
    for each in report.checks:
        print(each.status, each.id, each.found)
    return report


def by_id(report: DoctorReport) -> dict[str, CheckFinding]:
    return {each.id: each for each in report.checks}


def test_driver_and_device_are_found(report, nvidia_smi):
    checks = by_id(report)
    assert {name: checks[name].status for name in MUST_BE_KNOWN} == dict.fromkeys(
        MUST_BE_KNOWN, "ok"
    )
    (version, name), *_ = nvidia_smi("driver_version", "name").values()
    assert report.environment["driver"] == version
    assert name in checks["gpu_present"].found


def test_torch_and_driver_fit(report):
    torch = pytest.importorskip("torch")
    assert torch.cuda.is_available()
    checks = by_id(report)
    assert {name: checks[name].status for name in OF_TORCH} == dict.fromkeys(OF_TORCH, "ok")
    assert report.environment["cuda"] == torch.version.cuda


def test_a_healthy_machine_has_no_warnings(report):
    wrong = {each.id: each.found for each in report.checks if each.status in ("warn", "fail")}
    assert {name: found for name, found in wrong.items() if name not in MAY_BE_TRUE} == {}


def test_it_takes_seconds(report):
    assert report.duration_seconds < LONGEST_SECONDS
    assert [each.id for each in report.checks if each.seconds is None] == []


def test_a_hidden_device_is_explained_and_not_blamed_on_the_driver():
    target = CheckTarget(environment={"CUDA_VISIBLE_DEVICES": "-1"}, server=server_facts())
    checks = by_id(CheckRunner().run(target))
    assert checks["visible_devices"].status == "fail"
    assert checks["cuda_starts"].status == "unknown"
    assert checks["torch_sees_gpu"].status == "unknown"
