"""What ``%gpubench dataloader LOADER --tune`` understands."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.client.in_process import named_object
from jupyter_gpuperf.client.in_process_tuning import tune_here
from jupyter_gpuperf.commands.options import OptionParser
from jupyter_gpuperf.display.progress import View
from jupyter_gpuperf.display.tuning_view import Tuned
from jupyter_gpuperf.errors import BadRequest

TUNED: Final = "dataloader"
"""The benchmark whose subject can be tuned."""
BUDGET_SECONDS: Final = 60.0
PREFIX: Final = "tune."
OPTIONS: Final = (
    ("--tune", "try settings on LOADER and recommend the cheapest one that is fast enough"),
    ("--step NAME", "the training step, a function of a batch: it really runs, and is undone"),
    ("--target-rate R", "batches a second that the training takes, in the place of a step"),
    ("--budget-seconds S", f"time for all of it (default {BUDGET_SECONDS:g})"),
    ("--kept", "measure nothing: show what was found before for this data set on this machine"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TuneAsked:
    """The options that were given."""

    step: str | None
    target_rate: float | None
    budget_seconds: float
    kept: bool

    def run(
        self,
        subject: str | None,
        parameters: Mapping[str, Any],
        namespace: Mapping[str, Any],
        new_view: Callable[[], View],
    ) -> Tuned:
        """Tune what the notebook calls ``subject``.

        Raises
        ------
        GpuPerfError
            There is no such name, or a parameter that the tuner decides was given.
        """
        if subject is None:
            raise BadRequest(
                "usage", "What is to be tuned is missing.", "%gpubench dataloader LOADER --tune"
            )
        decided = [name for name in parameters if name != "batch_size"]
        if decided:
            raise BadRequest(
                "usage",
                f"With --tune, {', '.join(decided)} can't be given: that is what is looked for.",
                "Leave it out.",
            )
        step: Any = None if self.step is None else named_object(self.step, namespace)
        if self.step is not None and not callable(step):
            raise BadRequest(
                "usage", f"{self.step} is no function.", "Give one that takes a batch."
            )
        return tune_here(
            named_object(subject, namespace),
            subject,
            new_view=new_view,
            batch_size=parameters.get("batch_size"),
            step=step,
            target_rate=self.target_rate,
            budget_seconds=self.budget_seconds,
            kept=self.kept,
            display_result=True,
        )


def add_tune_options(parser: OptionParser) -> None:
    """Add them, under names that no parameter can have."""
    group = parser.add_argument_group("tuning")
    group.add_argument("--tune", dest=f"{PREFIX}on", action="store_true", default=False)
    group.add_argument("--step", dest=f"{PREFIX}step", default=None)
    group.add_argument("--target-rate", dest=f"{PREFIX}target_rate", type=float, default=None)
    group.add_argument(
        "--budget-seconds", dest=f"{PREFIX}budget_seconds", type=float, default=BUDGET_SECONDS
    )
    group.add_argument("--kept", dest=f"{PREFIX}kept", action="store_true", default=False)


def take_tune_options(parsed: argparse.Namespace) -> TuneAsked | None:
    """Take them out of what was parsed; ``None`` where nothing is to be tuned.

    Raises
    ------
    BadRequest
        ``usage``: one of them was given without ``--tune``.
    """
    values = vars(parsed)
    found = {
        name.removeprefix(PREFIX): values.pop(name)
        for name in list(values)
        if name.startswith(PREFIX)
    }
    on = found.pop("on", False)
    asked = TuneAsked(**found) if found else None
    plain = TuneAsked(step=None, target_rate=None, budget_seconds=BUDGET_SECONDS, kept=False)
    if not on and asked not in (None, plain):
        raise BadRequest("usage", "That option is for tuning.", "Add --tune.")
    return asked if on else None
