"""The doctor's reports as files, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.schemas import DoctorChange, DoctorComparison, DoctorReport, encode


def save(report: DoctorReport, path: Path) -> None:
    """Write a report into a new file.

    Raises
    ------
    BadRequest
        ``file_exists`` or ``file_not_writable``.
    """
    try:
        with path.open("xb") as file:
            file.write(msgspec.json.format(encode(report), indent=1) + b"\n")
    except FileExistsError as error:
        raise BadRequest(
            "file_exists", f"{path} is there already.", "Name another file."
        ) from error
    except OSError as error:
        raise BadRequest(
            "file_not_writable", f"{path} can't be written: {error}.", "Name another file."
        ) from error


def load(path: Path) -> DoctorReport:
    """Read a report.

    Raises
    ------
    BadRequest
        ``file_not_found`` or ``not_a_report``.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=DoctorReport)
    except OSError as error:
        raise BadRequest(
            "file_not_found", f"{path} can't be read: {error}.", "Name a file that --save wrote."
        ) from error
    except msgspec.DecodeError as error:
        raise BadRequest(
            "not_a_report",
            f"{path} is no report of the doctor: {error}.",
            "Name a file that --save wrote.",
        ) from error


def compare(before: DoctorReport, after: DoctorReport) -> DoctorComparison:
    """Return what is not the same: what checks found, the environment, and the packages.

    A check counts as changed by its status. What it found holds figures that differ from minute to
    minute, and is told beside.
    """
    told = {
        name: {each.id: each for each in report.checks}
        for name, report in (("b", before), ("a", after))
    }
    changes = []
    for name in dict.fromkeys([*told["b"], *told["a"]]):
        one, other = told["b"].get(name), told["a"].get(name)
        if (one and one.status) != (other and other.status):
            changes.append(
                DoctorChange(
                    kind="check",
                    name=name,
                    before=f"{one.status}: {one.found}" if one else None,
                    after=f"{other.status}: {other.found}" if other else None,
                )
            )
    changes += _differences("environment", before.environment, after.environment)
    changes += _differences("package", before.packages, after.packages)
    return DoctorComparison(changes=changes)


def _differences(
    kind: str, before: Mapping[str, str | None], after: Mapping[str, str | None]
) -> list[DoctorChange]:
    return [
        DoctorChange(
            kind="package" if kind == "package" else "environment",
            name=name,
            before=before.get(name),
            after=after.get(name),
        )
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
