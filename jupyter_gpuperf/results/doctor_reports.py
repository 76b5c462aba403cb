"""Save and load the doctor's reports, and compare two of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from jupyter_gpuperf.errors import require_new_file
from jupyter_gpuperf.results.files import coded_write_errors, read_as, readable_json
from jupyter_gpuperf.schemas import CheckFinding, DoctorChange, DoctorComparison, DoctorReport


def save(report: DoctorReport, path: Path) -> None:
    """Write a report to a new file.

    Raises
    ------
    BadRequest
        ``file_exists``: the file exists already. ``file_not_writable``: the file can't be written.
    """
    require_new_file(path)
    with coded_write_errors(path), path.open("xb") as file:
        file.write(readable_json(report))


def load(path: Path) -> DoctorReport:
    """Read a report from a file.

    Raises
    ------
    NotFound
        ``file_not_found``: the file can't be read.
    BadRequest
        ``not_a_report``: the file does not contain a report.
    """
    return read_as(DoctorReport, path, "not_a_report", message="{path} is not a report: {error}.")


def compare(before: DoctorReport, after: DoctorReport) -> DoctorComparison:
    """Return the differences between two reports: check results, environment and packages.

    A check counts as changed only if its status changed: its text may contain figures that vary from minute to minute.
    """
    old, new = ({each.id: each for each in report.checks} for report in (before, after))
    changes = [
        DoctorChange(
            kind="check", name=name, before=_line(old.get(name)), after=_line(new.get(name))
        )
        for name in old | new
        if name not in old or name not in new or old[name].status != new[name].status
    ]
    changes += _differences("environment", before.environment, after.environment)
    changes += _differences("package", before.packages, after.packages)
    return DoctorComparison(changes=changes)


def _line(check: CheckFinding | None) -> str | None:
    return f"{check.status}: {check.found}" if check else None


def _differences(
    kind: Literal["environment", "package"],
    before: Mapping[str, str | None],
    after: Mapping[str, str | None],
) -> list[DoctorChange]:
    return [
        DoctorChange(kind=kind, name=name, before=before.get(name), after=after.get(name))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]
