"""Tune a DataLoader of the notebook in its own process, store the result, and reuse it later."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.client.failures import shortened_errors
from jupyter_gpuperf.client.in_process_progress import ReportingView, in_process_job
from jupyter_gpuperf.client.watch_session import notebook_names, session
from jupyter_gpuperf.display.comparison_view import format_time
from jupyter_gpuperf.display.progress import ProgressView
from jupyter_gpuperf.display.tuning_view import TuningView
from jupyter_gpuperf.errors import GpuPerfError, NotFound, require_package
from jupyter_gpuperf.jobs.run_hooks import store_for_user
from jupyter_gpuperf.messages import Message, with_messages, without_messages
from jupyter_gpuperf.results.store import ResultStore, default_path
from jupyter_gpuperf.schemas import BenchmarkResult, KeptResult

TUNING_NAME: Final = "tune"
"""Name under which tunings are stored; no benchmark has this name."""
MOST_RESULTS: Final = 200
"""How many of the latest stored tunings are searched for one of the same dataset and machine."""
FINGERPRINT_SECONDS: Final = 5.0


@shortened_errors()
def tune_in_process(
    subject: object,
    name: str,
    *,
    new_view: Callable[[], ProgressView],
    kept: bool = False,
    display_result: bool = False,
    **request_fields: Any,
) -> TuningView:
    """Tune ``subject``; failures become a :class:`BenchmarkError`.

    Parameters
    ----------
    request_fields
        The request: fields of :class:`~jupyter_gpuperf.tuning.request.TuneRequest`.
    kept
        Measure nothing: return the earlier result for this dataset on this machine.

    Raises
    ------
    BenchmarkCancelled
        The user interrupted the cell, or clicked Cancel.
    BenchmarkError
        The request was refused, or the loader yielded no item.
    """
    require_package("torch", TUNING_NAME)
    from jupyter_gpuperf.loaders.setting import Setting
    from jupyter_gpuperf.tuning.request import TuneRequest
    from jupyter_gpuperf.tuning.tune import tune_loader

    digest = fingerprint(subject, name, request_fields.get("batch_size"))
    before = stored_tuning(digest)
    if kept:
        earlier = _earlier(before, subject, name, request_fields.get("batch_size"))
        if display_result:
            new_view().end(earlier, "")
        return earlier
    recommended = None if before is None else Setting(**_content(before)["recommended"])
    request = TuneRequest(**request_fields, kept=recommended)
    view = ReportingView(new_view(), {"loader": name})
    # The trials are not the notebook's own loops, so don't report them.
    with (
        in_process_job(TUNING_NAME, view, display_result=display_result) as job,
        session().watching.timing_suspended(),
    ):
        context = Context(progress=job.report_progress, warn=lambda _: None)
        on_trial = lambda trial: view.add(trial.setting.describe(), trial.batches_per_second)
        data = tune_loader(subject, name, request, context, on_trial, notebook_names() or None)
        job.finished_run = finished = store_for_user(tuning_as_result(data, request, digest))
        if finished.number is None:
            data["warnings"] += finished.result.warnings[len(data["warnings"]) :]
        note = None
        if before is not None and recommended is not None:
            date, setting = format_time(before.created_seconds), recommended.describe()
            note = Message("Recommended on {date}: {setting}.", date=date, setting=setting)
        job.final = tuned = TuningView(data, number=finished.number, earlier=note)
    return tuned


def fingerprint(subject: object, name: str, batch_size: int | None) -> str:
    """Return a fingerprint of this dataset and machine, computed from properties that are quick to read.

    Raises
    ------
    GpuPerfError
        ``subject`` is neither a DataLoader nor a dataset.
    """
    import torch

    from jupyter_gpuperf.loaders.subject import TuningSubject
    from jupyter_gpuperf.tuning.budget import current_budget
    from jupyter_gpuperf.tuning.time_limit import Alarm, TimeIsUp

    try:
        with Alarm() as alarm, alarm.within(FINGERPRINT_SECONDS):
            found = TuningSubject(subject, name, batch_size)
            data = found.dataset
            facts = [type(data).__qualname__, found.item_count, found.batch_size, _transforms(data)]
    except TimeIsUp:  # the tuning itself will report the problem
        facts = [name]
    budget = current_budget()
    machine = [platform.node(), budget.cpus, budget.memory_limit_bytes, str(torch.__version__)]
    return hashlib.sha256(json.dumps([facts, machine]).encode()).hexdigest()[:16]


def stored_tuning(digest: str) -> KeptResult | None:
    """Return the latest tuning stored under this fingerprint; ``None`` if there is none."""
    with contextlib.suppress(GpuPerfError):  # if the file is unreadable, there is nothing to reuse
        kept = ResultStore(default_path()).latest(TUNING_NAME, MOST_RESULTS)
        return next((x for x in kept if x.result.environment.get("fingerprint") == digest), None)
    return None


def tuning_as_result(data: Mapping[str, Any], request: Any, digest: str) -> BenchmarkResult:
    """Convert a tuning to a result to store: its rates are figures, the complete tuning is in the environment."""
    figures, samples = {}, {}
    for role in ("recommended", "present", "golden"):
        trial = next((each for each in data["trials"] if role in each["roles"]), None)
        if trial is not None and trial["batches_per_second"] is not None:
            figure = f"{role}_batches_per_second"
            figures[figure] = trial["batches_per_second"]
            samples[figure] = [1 / each for each in trial["samples"]["batch_seconds"]]
    where = data["environment"]
    content = {
        "benchmark": TUNING_NAME,
        "parameters": {
            "loader": data["loader"],
            "data_set": where["data_set"],
            "batch_size": data["batch_size"],
            "target_rate": request.target_rate or 0.0,
            "has_step": request.step is not None,
        },
        "unit": "seconds",
        "figures": figures,
        "samples": samples,
        "environment": {**where, "fingerprint": digest, "tuning": json.dumps(with_messages(data))},
        "limits": {},
        "warnings": list(data["warnings"]),
    }
    return msgspec.convert(content, BenchmarkResult)


def _earlier(
    before: KeptResult | None, subject: object, name: str, batch_size: int | None
) -> TuningView:
    from jupyter_gpuperf.loaders.setting import Setting
    from jupyter_gpuperf.loaders.subject import TuningSubject

    if before is None:
        message = "There is no earlier result for this dataset on this machine."
        raise NotFound("nothing_kept", message, "Omit --kept to measure it.")
    content = _content(before)
    # The code of that time was compared with the loader of that time.
    found = TuningSubject(subject, name, batch_size, notebook_names() or None)
    content["code"] = found.code(Setting(**content["recommended"]))
    note = Message("Measured on {date}, not now.", date=format_time(before.created_seconds))
    return TuningView(content, number=before.id, earlier=note)


def _content(before: KeptResult) -> dict[str, Any]:
    return dict(without_messages(json.loads(str(before.result.environment["tuning"]))))


def _transforms(data: object) -> str:
    """Return the repr of a dataset's transforms, without memory addresses."""
    found = [repr(getattr(data, each, None)) for each in ("transform", "transforms")]
    return re.sub(r"0x[0-9a-f]+", "", " ".join(found))[:2000]
