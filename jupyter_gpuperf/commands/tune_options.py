"""Options of ``%gpubench dataloader LOADER --tune``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_gpuperf.client.in_process import named_object
from jupyter_gpuperf.client.in_process_tuning import tune_in_process
from jupyter_gpuperf.commands.options import Option
from jupyter_gpuperf.display.progress import ProgressView
from jupyter_gpuperf.display.tuning_view import TuningView
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message

TUNABLE_BENCHMARK: Final = "dataloader"
"""The benchmark whose subject can be tuned."""
BUDGET_SECONDS: Final = 60.0
OPTIONS: Final = (
    Option(
        "--tune", Message("try settings on LOADER, and recommend the cheapest that is fast enough")
    ),
    Option(
        "--step NAME",
        Message("the training step, a function of a batch; it runs, and its changes are undone"),
        str,
    ),
    Option(
        "--target-rate R",
        Message("batches per second that the training needs, instead of a step"),
        float,
    ),
    Option(
        "--budget-seconds S",
        Message("total time (default {seconds:g})", seconds=BUDGET_SECONDS),
        float,
    ),
    Option(
        "--kept",
        Message("measure nothing: show the earlier result for this dataset on this machine"),
    ),
)


def tune(
    asked: dict[str, Any],
    subject: str | None,
    parameters: Mapping[str, Any],
    namespace: Mapping[str, Any],
    new_view: Callable[[], ProgressView],
) -> TuningView:
    """Tune the notebook's variable ``subject`` with the given options.

    Raises
    ------
    GpuPerfError
        There is no such variable, or a parameter was given that the tuner decides.
    """
    if subject is None:
        message, hint = "--tune needs a loader.", "Example: %gpubench dataloader LOADER --tune"
        raise BadRequest("usage", message, hint)
    if decided := [name for name in parameters if name != "batch_size"]:
        raise BadRequest("usage", "--tune chooses {names} itself.", "Omit it.", names=decided)
    if (name := asked.get("step")) is not None:
        asked = {**asked, "step": named_object(name, namespace)}
        if not callable(asked["step"]):
            hint = "Pass a function that takes a batch."
            raise BadRequest("usage", "{name} is not a function.", hint, name=name)
    loader, wanted = named_object(subject, namespace), {**parameters, **asked}
    return tune_in_process(loader, subject, new_view=new_view, display_result=True, **wanted)


def tuning_of(given: dict[str, Any]) -> dict[str, Any] | None:
    """Return the tuning options without ``--tune`` itself; ``None`` if no tuning was requested.

    Raises
    ------
    BadRequest
        ``usage``: a tuning option was given without ``--tune``.
    """
    if not given:
        return None
    if not given.pop("tune", False):
        raise BadRequest("usage", "This option is only for tuning.", "Add --tune.")
    return given
