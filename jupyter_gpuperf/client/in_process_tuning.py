"""Tunes a loader of the notebook right here, keeps what was found, and offers it again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.client.failures import BenchmarkCancelled, BenchmarkError
from jupyter_gpuperf.client.in_process_progress import Cancelled, ProgressHere
from jupyter_gpuperf.client.reporting_view import ReportingView
from jupyter_gpuperf.client.watch_session import session
from jupyter_gpuperf.display.comparison_view import when_words
from jupyter_gpuperf.display.progress import View
from jupyter_gpuperf.display.tuning_view import Tuned
from jupyter_gpuperf.errors import GpuPerfError, NotFound
from jupyter_gpuperf.jobs.run_hooks import Around, Finished
from jupyter_gpuperf.results.store import ResultStore, default_path
from jupyter_gpuperf.schemas import BenchmarkResult, ErrorInfo, KeptResult

NAME: Final = "tune"
"""Under which tunings are kept; no benchmark has it."""
KEPT_LOOKED_AT: Final = 200
LOOK_SECONDS: Final = 5.0


def tune_here(
    subject: object,
    name: str,
    *,
    new_view: Callable[[], View],
    batch_size: int | None = None,
    step: Callable[[Any], object] | None = None,
    target_rate: float | None = None,
    budget_seconds: float = 60.0,
    kept: bool = False,
    display_result: bool = False,
) -> Tuned:
    """Tune ``subject``; what goes wrong becomes a :class:`BenchmarkError`.

    Parameters
    ----------
    kept
        Measure nothing: return what was found before for this data set on this machine.

    Raises
    ------
    BenchmarkCancelled
        The user interrupted the cell, or clicked Cancel.
    BenchmarkError
        It was refused, or no item came.
    """
    from jupyter_gpuperf.loaders.setting import Setting
    from jupyter_gpuperf.tuning.request import Wanted

    try:
        mark = fingerprint(subject, name, batch_size)
        before = kept_for(mark)
        if kept:
            return _shown(_kept_one(before), new_view() if display_result else None)
        wanted = Wanted(
            batch_size=batch_size,
            step=step,
            target_rate=target_rate,
            budget_seconds=budget_seconds,
            kept=None if before is None else Setting(**_content(before)["recommended"]),
        )
    except GpuPerfError as error:
        raise BenchmarkError.of(error) from None
    view = ReportingView(new_view(), {"loader": name})
    progress = ProgressHere(NAME, view)
    final: Tuned | None = None
    finished: Finished | None = None
    failure: ErrorInfo | None = None
    try:
        with session().watching.silent():  # its trials are none of the notebook's loops
            final, finished = _tuned(subject, name, wanted, progress, view, mark, before)
    except (KeyboardInterrupt, Cancelled):
        raise BenchmarkCancelled(NAME) from None
    except GpuPerfError as error:
        failure = ErrorInfo(**error.to_dict())
        raise BenchmarkError.of(error) from None
    finally:
        view.end(final if display_result else None, progress.last_words(final is not None))
        view.report_end(progress.ended(final is not None), finished, failure)
    return final


def fingerprint(subject: object, name: str, batch_size: int | None) -> str:
    """Return what tells this data set and machine from others, as far as that shows from outside.

    Raises
    ------
    GpuPerfError
        It is neither a loader nor a data set.
    """
    import torch

    from jupyter_gpuperf.loaders.subject import Subject
    from jupyter_gpuperf.tuning.budget import budget_here
    from jupyter_gpuperf.tuning.time_limit import Alarm, TimeIsUp

    try:
        with Alarm() as alarm, alarm.within(LOOK_SECONDS):
            found = Subject(subject, name, batch_size)
            data = found.dataset
            look = [type(data).__qualname__, found.items, found.batch_size, _transforms(data)]
    except TimeIsUp:  # tuning it will tell
        look = [name]
    budget = budget_here()
    machine = [platform.node(), budget.cpus, budget.memory_limit_bytes, str(torch.__version__)]
    return hashlib.sha256(json.dumps([look, machine]).encode()).hexdigest()[:16]


def kept_for(mark: str) -> KeptResult | None:
    """Return the newest tuning that was kept under this fingerprint."""
    with contextlib.suppress(GpuPerfError):  # a file that can't be read offers nothing
        for each in ResultStore(default_path()).newest(NAME, KEPT_LOOKED_AT):
            if each.result.environment.get("fingerprint") == mark:
                return each
    return None


def _tuned(
    subject: object,
    name: str,
    wanted: Any,
    progress: ProgressHere,
    view: ReportingView,
    mark: str,
    before: KeptResult | None,
) -> tuple[Tuned, Finished]:
    from jupyter_gpuperf.tuning.tune import tune_loader

    warnings: list[str] = []
    context = Context(progress=progress.say, warn=warnings.append)
    with Around(store=ResultStore(default_path())).run(None) as finish:
        outcome = tune_loader(
            subject,
            name,
            wanted,
            context,
            lambda trial: view.add(trial.setting.words(), trial.batches_per_second),
            notebook_names(),
        )
        data = outcome.to_dict()
        finished = finish(as_result(data, wanted, mark))
    if finished.number is None:
        data["warnings"] = [*data["warnings"], *finished.result.warnings[len(data["warnings"]) :]]
    tuned = Tuned(data, number=finished.number, before=_before_words(before))
    return tuned, finished


def as_result(data: Mapping[str, Any], wanted: Any, mark: str) -> BenchmarkResult:
    """Return a tuning in the shape that is kept: rates as figures, all of it in the environment."""
    figures, samples = {}, {}
    for role in ("recommended", "present", "golden"):
        trial = next((each for each in data["trials"] if role in each["roles"]), None)
        if trial is not None and trial["batches_per_second"] is not None:
            figures[f"{role}_batches_per_second"] = trial["batches_per_second"]
            samples[f"{role}_batches_per_second"] = [
                1 / each for each in trial["samples"]["batch_seconds"]
            ]
    where = data["environment"]
    content = {
        "benchmark": NAME,
        "parameters": {
            "loader": data["loader"],
            "data_set": where["data_set"],
            "batch_size": data["batch_size"],
            "target_rate": wanted.target_rate or 0.0,
            "has_step": wanted.step is not None,
        },
        "unit": "seconds",
        "figures": figures,
        "samples": samples,
        "environment": {**where, "fingerprint": mark, "tuning": json.dumps(data)},
        "limits": {},
        "warnings": list(data["warnings"]),
    }
    return msgspec.convert(content, BenchmarkResult)


def _kept_one(before: KeptResult | None) -> Tuned:
    if before is None:
        raise NotFound(
            "nothing_kept",
            "Nothing was kept yet for this data set on this machine.",
            "Leave --kept out to measure it.",
        )
    when = when_words(before.created_seconds)
    return Tuned(_content(before), number=before.id, before=f"Measured {when}, not now.")


def _shown(tuned: Tuned, view: View | None) -> Tuned:
    if view is not None:
        view.end(tuned, "")
    return tuned


def _content(before: KeptResult) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(str(before.result.environment["tuning"]))
    return content


def _before_words(before: KeptResult | None) -> str | None:
    if before is None:
        return None
    words = str(_content(before)["summary"][0]).partition(":")[0]
    return f"Before, {when_words(before.created_seconds)}: {words}."


def _transforms(data: object) -> str:
    """Return how a data set's transforms look, without where they lie in memory."""
    found = [repr(getattr(data, each, None)) for each in ("transform", "transforms")]
    return re.sub(r"0x[0-9a-f]+", "", " ".join(found))[:2000]


def name_in_notebook(subject: object) -> str:
    """Return what the notebook calls an object; ``loader`` where it has no name there."""
    for name, value in (notebook_names() or {}).items():
        if value is subject and not name.startswith("_"):
            return name
    return "loader"


def notebook_names() -> Mapping[str, Any] | None:
    """Return the notebook's variables; ``None`` where this is no notebook."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return getattr(get_ipython(), "user_ns", None)
