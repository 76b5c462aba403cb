"""``%gpumem fit``: which batch sizes fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.commands.options import OptionParser, variable_name

if TYPE_CHECKING:
    from jupyter_gpuperf.display.batch_fit_view import BatchFitView


def run_given(given: Any, names: Mapping[str, Any]) -> BatchFitView:
    """Run what :func:`parse_fit` returned; ``names`` are the notebook's variables."""
    from jupyter_gpuperf.client.batch_fit import run_fit
    from jupyter_gpuperf.client.in_process import named_object
    from jupyter_gpuperf.display.progress import best_view

    return run_fit(
        named_object(given.step, names),  # type: ignore[arg-type]  # run_fit checks it
        named_object(given.batch, names),
        called=(given.step, given.batch),
        new_view=best_view,
        budget_seconds=given.budget_seconds,
        margin_ratio=given.margin / 100,
    )


def parse_fit(words: Sequence[str]) -> Any:
    """Parse the words after ``%gpumem``, of which the first is ``fit``."""
    parser = OptionParser(prog="%gpumem", add_help=False, allow_abbrev=False)
    parser.add_argument("action", choices=("fit",))
    parser.add_argument("step")
    parser.add_argument("--batch", required=True)
    parser.add_argument("--budget-seconds", type=float, default=60.0)
    parser.add_argument("--margin", type=float, default=5.0)
    parser.add_argument("--into", type=variable_name)
    return parser.parse_args(words)
