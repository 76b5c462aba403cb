"""What is kept of a run after its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jupyter_gpuperf.loops.code_events import FIRST_PYTHON
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.runs.loop_totals import MOST_LOOPS
from jupyter_gpuperf.runs.observed_run import ObservedRun
from jupyter_gpuperf.schemas.jobs import Scalar
from jupyter_gpuperf.schemas.runs import RunLoop, RunRecord


def record_of(
    run: ObservedRun, command: Sequence[str], began_seconds: float, seconds: float, status: int
) -> RunRecord:
    """Return the record of a run that has ended."""
    loops = run.totals.results()
    return RunRecord(
        command=list(command),
        began_seconds=began_seconds,
        seconds=seconds,
        exit_status=status,
        loops=loops,
        devices=run.devices.results(run.sampler.devices.devices),
        findings=run.causes.results(),
        is_judged=run.causes.is_judged and bool(run.devices.uuids),
        environment=_environment(run),
        notes=list(_notes(run, loops)),
    )


def _environment(run: ObservedRun) -> dict[str, Scalar | None]:
    found = dict(run.environment.environment) if run.environment else {}
    infos = {each.uuid: each for each in run.sampler.devices.devices}
    used = [infos[uuid] for uuid in run.devices.uuids if uuid in infos]
    if used:
        found |= {"device_name": used[0].name, "driver_version": used[0].driver_version}
    return {**found, "devices_count": len(used)}


def _notes(run: ObservedRun, loops: Sequence[RunLoop]) -> Iterator[Message]:
    """Yield what could not be seen, and why."""
    reason = run.sampler.devices.reason
    if run.sampler.latest is None:
        yield Message("It ended before the first reading of the GPUs.")
    elif reason is not None:
        yield Message("GPU: {message} {hint}", message=reason.message, hint=reason.hint)
    elif not run.devices.uuids:
        yield Message("It used no GPU.")
    if run.totals.is_full:
        yield Message("Only the first {count} loops are recorded.", count=MOST_LOOPS)
    if loops:
        return
    if run.environment is None:
        text = "No process of it imported torch in a Python with jupyter_gpuperf: loops could not be seen."
        yield Message(text)
    else:
        text = "It used torch, but no DataLoader gave two batches, and no optimizer made two steps."
        yield Message(text)
        yield _about_modules(str(run.environment.environment.get("python")))


def _about_modules(python: str) -> Message:
    """Return a sentence about loops that neither draw batches nor step an optimizer, by the version of Python."""
    version = [int(each) for each in python.split(".")[:2] if each.isdecimal()]
    if version < list(FIRST_PYTHON):
        text = "Loops without them, such as inference, are seen from Python 3.12 on; this is Python {python}."
        return Message(text, python=python)
    text = "No model was seen in two calls: calls from other threads, and those of TorchScript, are not seen."
    return Message(text)
