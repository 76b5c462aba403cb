"""Make a notebook cell or a function fast, in this process."""

from __future__ import annotations

import contextlib
import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Final

from jupyter_gpuperf.client.cell_subject import (
    as_the_cell_raised,
    subject_of_cell,
    subject_of_function,
)
from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.client.in_process_progress import CancelClicked, ReportingView, in_process_job
from jupyter_gpuperf.client.speedup_as_result import parameters_of, report_so_far, store_speedup
from jupyter_gpuperf.client.watch_session import session
from jupyter_gpuperf.display import show_once
from jupyter_gpuperf.display.cell_speedup import NAME, CellSpeedup, SpeedupSoFar
from jupyter_gpuperf.display.progress import best_view
from jupyter_gpuperf.errors import BadRequest, require_package
from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.options import DEFAULT_SECONDS, SpeedupOptions
from jupyter_gpuperf.levers.outcome import LeverOutcome
from jupyter_gpuperf.levers.search import search
from jupyter_gpuperf.precision.failure_description import describe_ordinary_failure
from jupyter_gpuperf.precision.profiled_code import ProfiledCode
from jupyter_gpuperf.precision.session import CellFailed
from jupyter_gpuperf.schemas import ErrorInfo

STEPS: Final = 10
"""Number of batches that one run takes from a loader."""


def speed_up_cell(shell: Any, cell: str, options: SpeedupOptions) -> CellSpeedup:
    """Make an IPython cell fast; show the answer and return it."""
    require_package("torch", "%%speedup")
    subject, source, notes = subject_of_cell(shell, cell)
    result = _run(subject, source, options, notes, display_result=True)
    show_once.mark_shown(result)
    return result


@shortened_errors()
def speedup(
    step: Callable[..., object],
    loader: Any = None,
    *,
    time_limit_seconds: float = DEFAULT_SECONDS,
    safe: bool = False,
    memory: bool = False,
    max_autotune: bool = False,
    risky: bool = False,
) -> CellSpeedup:
    """Make a function fast: return the measured gain, what each lever gave, and the function as code.

    Models, optimizers, tensors and random states that it reaches through its module are left as after one ordinary call.

    Parameters
    ----------
    step
        A function of the script, defined by ``def`` at its top level. It does one training step, or a few. Without a
        loader, it takes no arguments.
    loader
        A variable of the same module; ``step`` is called with each of its first batches.
    time_limit_seconds
        Maximum time for everything but the first call and compiling.
    safe
        Try only what keeps the numbers of fp32.
    memory
        Look for the least memory at no loss of speed, instead of for speed.
    max_autotune
        Also compile with ``mode="max-autotune"``, which takes minutes.
    risky
        Also try, last, what can end the CUDA context.

    Raises
    ------
    BenchmarkError
        The request was refused; with ``code``, ``message`` and ``hint``.
    """
    require_package("torch", "gpuperf.speedup")
    options = SpeedupOptions(
        time_limit_seconds=time_limit_seconds,
        safe=safe,
        memory=memory,
        max_autotune=max_autotune,
        risky=risky,
    )
    source = _source_of(step)
    names = getattr(step, "__globals__", {})
    call = f"{step.__name__}()"
    if loader is not None:
        name = _name_of(loader, names)
        call = f"for batch in itertools.islice({name}, {STEPS}):\n    {step.__name__}(batch)"
        source = f"import itertools\n\n{source}"
    code = compile(
        f"{source}\n{call}", inspect.getsourcefile(step) or "<step>", "exec", dont_inherit=True
    )
    plain = subject_of_function(step)
    subject = ProfiledCode(
        body=lambda: exec(code, names),  # noqa: S102
        namespace=names,
        code=code,
        hidden=plain.hidden,
        quiet=plain.quiet,
    )
    return _run(subject, f"{source}\n{call}\n", options, [])


def _run(
    subject: ProfiledCode,
    source: str,
    options: SpeedupOptions,
    notes: list[str],
    *,
    display_result: bool = False,
) -> CellSpeedup:
    view = ReportingView(best_view(), parameters_of(options))
    showing = in_process_job(
        NAME, view, display_result=display_result, cancelled_by=(CancelClicked,)
    )

    def keep(levers: Sequence[LeverOutcome], code: CellCode) -> None:
        job.so_far = SpeedupSoFar(levers, code)
        view.set_speedup(report_so_far(levers))

    # The trials are not the notebook's own loops, so don't report them.
    with showing as job, session().watching.timing_suspended():
        try:
            found = search(
                subject,
                source,
                options,
                progress=job.report_progress,
                on_outcome=keep,
            )
        except CellFailed as error:
            job.failure = ErrorInfo(**describe_ordinary_failure(error.__cause__ or error))
            raise as_the_cell_raised(error, subject.code) from None
        found.warnings += notes
        job.finished_run = store_speedup(found, options, source)
        job.final = result = CellSpeedup(found, *job.finished_run)
    return result


def _source_of(step: Callable[..., object]) -> str:
    """Return the code that defines a function, if it means the same when it is run again.

    Raises
    ------
    BadRequest
        ``not_a_function``.
    """
    source = ""
    with contextlib.suppress(OSError, TypeError):
        source = textwrap.dedent(inspect.getsource(step))
    is_plain = inspect.isfunction(step) and not step.__code__.co_freevars
    if not is_plain or not source.startswith("def "):
        raise BadRequest(
            "not_a_function",
            "Its code can't be changed: it must be a function that is defined by def, not in another function.",
            "In a notebook, put the step into a cell with %%speedup.",
        )
    return source


def _name_of(loader: Any, names: dict[str, Any]) -> str:
    found = [name for name, value in names.items() if value is loader and not name.startswith("_")]
    if not found:
        message = "The loader is no variable of the function's module."
        raise BadRequest("unknown_loader", message, "Assign it to a variable first.")
    return found[0]
