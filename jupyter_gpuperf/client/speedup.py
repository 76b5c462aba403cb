"""Make a notebook cell or a function fast, in this process."""

from __future__ import annotations

from typing import Any

from jupyter_gpuperf.client.cell_subject import as_the_cell_raised, subject_of_cell
from jupyter_gpuperf.client.in_process_progress import CancelClicked, ReportingView, in_process_job
from jupyter_gpuperf.display import show_once
from jupyter_gpuperf.display.cell_speedup import NAME, CellSpeedup
from jupyter_gpuperf.display.progress import best_view
from jupyter_gpuperf.errors import require_package
from jupyter_gpuperf.precision.failure_description import describe_ordinary_failure
from jupyter_gpuperf.precision.session import CellFailed, ProfiledCode
from jupyter_gpuperf.schemas import ErrorInfo
from jupyter_gpuperf.speedup.options import SpeedupOptions
from jupyter_gpuperf.speedup.search import search


def speed_up_cell(shell: Any, cell: str, options: SpeedupOptions) -> CellSpeedup:
    """Make an IPython cell fast; show the answer and return it."""
    require_package("torch", "%%speedup")
    subject, source, notes = subject_of_cell(shell, cell)
    result = _run(subject, source, options, notes)
    show_once.mark_shown(result)
    return result


def _run(
    subject: ProfiledCode, source: str, options: SpeedupOptions, notes: list[str]
) -> CellSpeedup:
    view = ReportingView(
        best_view(), {"time_limit_seconds": options.time_limit_seconds, "safe": options.safe}
    )
    showing = in_process_job(NAME, view, display_result=True, cancelled_by=(CancelClicked,))
    with showing as job:
        try:
            found = search(subject, source, options, progress=job.report_progress)
        except CellFailed as error:
            job.failure = ErrorInfo(**describe_ordinary_failure(error.__cause__ or error))
            raise as_the_cell_raised(error, subject.code) from None
        found.warnings += notes
        job.final = result = CellSpeedup(found)
    return result
