"""Reports of the doctor: saved, read, and held against each other."""

from __future__ import annotations

import msgspec
import pytest

from jupyter_gpuperf.errors import BadRequest, NotFound
from jupyter_gpuperf.results.doctor_reports import compare, load, save
from jupyter_gpuperf.schemas import CheckFinding, DoctorReport


def finding(name: str, status: str = "ok", found: str = "It is.") -> CheckFinding:
    texts = dict.fromkeys(("subject", "label", "expected", "why", "fix", "then", "link"), "")
    return CheckFinding(id=name, status=status, found=found, seconds=0.1, **texts)


@pytest.fixture
def before() -> DoctorReport:
    return DoctorReport(
        checks=[finding("blas"), finding("busy", found="3.1 GiB"), finding("gone")],
        kernel_name=None,
        interpreter="/a/python",
        environment={"torch": "2.10", "driver": "580.1"},
        packages={"numpy": "2.3", "torch": "2.10"},
        taken_seconds=1.0,
        duration_seconds=2.0,
    )


def test_what_is_saved_is_read_back_and_never_overwrites(before, tmp_path):
    path = tmp_path / "before.json"
    save(before, path)
    assert load(path) == before
    with pytest.raises(BadRequest) as error:
        save(before, path)
    assert error.value.code == "file_exists"


def test_a_file_that_is_no_report_is_refused(tmp_path):
    other = tmp_path / "other.json"
    other.write_text("{}")
    with pytest.raises(BadRequest) as error:
        load(other)
    assert error.value.code == "not_a_report"
    with pytest.raises(NotFound) as error:
        load(tmp_path / "gone.json")
    assert error.value.code == "file_not_found"


def test_only_what_differs_is_told(before):
    after = msgspec.structs.replace(
        before,
        checks=[finding("blas", "warn", "none"), finding("busy", found="3.2 GiB"), finding("new")],
        environment={"torch": "2.11", "driver": "580.1"},
        packages={"numpy": "2.3", "torch": "2.11", "pandas": "3.0"},
    )
    changes = [
        (each.kind, each.name, each.before, each.after) for each in compare(before, after).changes
    ]
    assert changes == [
        ("check", "blas", "ok: It is.", "warn: none"),
        ("check", "gone", "ok: It is.", None),
        ("check", "new", None, "ok: It is."),
        ("environment", "torch", "2.10", "2.11"),
        ("package", "torch", "2.10", "2.11"),
        ("package", "pandas", None, "3.0"),
    ]
    assert compare(before, before).changes == []
