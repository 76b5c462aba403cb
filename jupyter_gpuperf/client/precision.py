"""Profile the precision modes of a notebook cell or a function, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_gpuperf.client.cell_subject import (
    as_the_cell_raised,
    subject_of_cell,
    subject_of_function,
)
from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.client.in_process_progress import CancelClicked, ReportingView, in_process_job
from jupyter_gpuperf.client.precision_as_result import parameters_of, store_profile
from jupyter_gpuperf.display import show_once
from jupyter_gpuperf.display.precision_result import NAME, AmpProfile
from jupyter_gpuperf.display.progress import best_view
from jupyter_gpuperf.errors import require_package
from jupyter_gpuperf.precision.failure_description import describe_ordinary_failure
from jupyter_gpuperf.precision.mode_context import MODES
from jupyter_gpuperf.precision.options import DEFAULT_STEPS, ProfileOptions
from jupyter_gpuperf.precision.profile import run_profile
from jupyter_gpuperf.precision.profiled_code import ProfiledCode
from jupyter_gpuperf.precision.session import CellFailed
from jupyter_gpuperf.schemas import ErrorInfo


def profile_cell(
    shell: Any, cell: str, options: ProfileOptions, setup: str | None = None
) -> AmpProfile:
    """Profile an IPython cell; show the result and return it.

    Parameters
    ----------
    setup
        Code that runs once beforehand and is not measured.
    """
    require_package("torch", "%%amp_profile")
    subject, source, notes = subject_of_cell(shell, cell)
    if setup:
        code = shell.transform_cell(setup)
        exec(shell.compile(code, "<setup>", "exec"), shell.user_ns)  # noqa: S102
    return _run(subject, options, source, notes, display_result=True)


@shortened_errors()
def amp_profile(
    function: Callable[[], object],
    *,
    modes: tuple[str, ...] = MODES,
    compile: bool = False,
    steps: int = DEFAULT_STEPS,
    rigorous: bool = False,
    numerics: bool = True,
    time_limit_seconds: float | None = None,
) -> AmpProfile:
    """Run a function in every precision mode; return each mode's gain, and whether its numbers stay correct.

    The function takes no arguments and does one training step, or a few. Models, optimizers, tensors and random states
    that it reaches through its module's globals and its closure are left as after one ordinary call.

    Parameters
    ----------
    modes
        A selection of ``fp32``, ``tf32``, ``bf16``, ``fp16``; fp32 is always measured.
    compile
        Whether each mode is also measured with torch.compile.
    steps
        Length of the compared loss curves, in optimizer steps.
    rigorous
        Measure until the interval is ±1 % instead of ±3 %, and measure energy.
    numerics
        Whether the numbers are compared.
    time_limit_seconds
        Maximum time for everything but the first call and compiling; by default 30 s, or 120 s if ``rigorous``.

    Raises
    ------
    BenchmarkError
        The request was refused; with ``code``, ``message`` and ``hint``.
    """
    options = ProfileOptions(
        modes=tuple(modes.split(",") if isinstance(modes, str) else modes),
        compile=compile,
        steps=steps,
        rigorous=rigorous,
        numerics=numerics,
        time_limit_seconds=time_limit_seconds,
    )
    require_package("torch", "%%amp_profile")
    return _run(subject_of_function(function), options, "", [])


def _run(
    subject: ProfiledCode,
    options: ProfileOptions,
    source: str,
    notes: list[str],
    *,
    display_result: bool = False,
) -> AmpProfile:
    view = ReportingView(best_view(), parameters_of(options))
    showing = in_process_job(
        NAME, view, display_result=display_result, cancelled_by=(CancelClicked,)
    )
    with showing as job:
        try:
            profile = run_profile(subject, options, source=source, progress=job.report_progress)
        except CellFailed as error:
            job.failure = ErrorInfo(**describe_ordinary_failure(error.__cause__ or error))
            raise as_the_cell_raised(error, subject.code) from None
        profile.warnings += notes
        job.finished_run = store_profile(profile, options)
        job.final = result = AmpProfile(profile, job.finished_run.number)
    if display_result:
        show_once.mark_shown(result)
    return result
