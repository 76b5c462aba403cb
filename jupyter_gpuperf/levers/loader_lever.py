"""The lever of the loader: the settings that the tuner finds best, with copies that do not wait for the device."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import NotApplicable, Situation
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.tuning.request import TuneRequest
from jupyter_gpuperf.tuning.tune import tune_loader

NAME: Final = "loader"
COPIES: Final = ("to", "cuda")


class TunedLoader(NamedTuple):
    """Code with a loader that the tuner found, its number of workers, and whether they outlive an epoch."""

    code: CellCode
    workers: int
    is_persistent: bool


def loaders_used(names: Mapping[str, Any], used: frozenset[str]) -> dict[str, Any]:
    """Return name → torch DataLoader, for those that the cell names."""
    from torch.utils.data import DataLoader

    return {
        name: each for name, each in names.items() if isinstance(each, DataLoader) and name in used
    }


def check_name(name: str, loaders: Mapping[str, Any]) -> None:
    """Refuse the name of a loader that the cell does not use; an empty name stands for any.

    Raises
    ------
    BadRequest
        ``unknown_loader``.
    """
    if name and name not in loaders:
        message, hint = "{name} is no DataLoader that the cell names.", "Its loaders: {loaders}."
        raise BadRequest("unknown_loader", message, hint, name=name, loaders=sorted(loaders))


def with_tuned_loader(
    situation: Situation,
    code: CellCode,
    name: str,
    *,
    budget_seconds: float,
    target_rate: float,
    progress: Callable[[float, str], None],
) -> TunedLoader:
    """Tune a loader; return the code with the best settings.

    Parameters
    ----------
    target_rate
        Batches per second that the rest of the cell can take.

    Raises
    ------
    NotApplicable
        The loader can't be tuned, or is best as it is.
    """
    request = TuneRequest(budget_seconds=budget_seconds, target_rate=target_rate)
    context = Context(progress=progress, warn=lambda _: None)
    namespace = dict(situation.namespace)
    try:
        found = tune_loader(namespace[name], name, request, context, names=namespace)
    except GpuPerfError as error:
        raise NotApplicable(Message("{message}", message=error.message)) from None
    present = next((each for each in found["trials"] if "present" in each["roles"]), None)
    if present is not None and "recommended" in present["roles"]:
        raise NotApplicable(Message("The tuner found no better settings for {name}.", name=name))
    if not _statements(found["code"]):
        raise NotApplicable(Message("The tuner found better settings, but no code for them."))
    cell = code.cell
    if found["recommended"]["pin_memory"] and situation.is_on_gpu:
        cell = with_non_blocking_copies(cell, situation.namespace)
    return TunedLoader(
        code.with_setup(*found["code"].splitlines()).with_cell(cell),
        found["recommended"]["num_workers"],
        found["recommended"]["persistent_workers"],
    )


def with_non_blocking_copies(cell: str, namespace: Mapping[str, Any]) -> str:
    """Return a cell whose copies to a GPU, within loops, do not wait: ``.to(device)`` and ``.cuda()``.

    Copies to the host stay as they are: their values would be read before they have arrived.
    """
    lines = [line.encode() for line in cell.split("\n")]  # ast's columns count bytes
    calls = {(x.end_lineno, x.end_col_offset): x for x in _copies(ast.parse(cell), namespace)}
    for (line, end), call in sorted(calls.items(), reverse=True):
        whole = lines[line - 1]
        separator = ", " if call.args or call.keywords else ""
        lines[line - 1] = (
            whole[: end - 1] + f"{separator}non_blocking=True".encode() + whole[end - 1 :]
        )
    changed = b"\n".join(lines).decode()
    with contextlib.suppress(SyntaxError):  # such as a comma before the bracket
        compile(changed, "<cell>", "exec")
        return changed
    return cell


def _copies(tree: ast.AST, namespace: Mapping[str, Any]) -> Iterator[Any]:
    loops = (each for each in ast.walk(tree) if isinstance(each, (ast.For, ast.While)))
    for node in (inner for loop in loops for inner in ast.walk(loop)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        named = {each.arg for each in node.keywords}
        if node.func.attr not in COPIES or "non_blocking" in named or None in named:
            continue
        if (node.func.attr == "cuda" and not node.args and not node.keywords) or (
            node.func.attr == "to" and node.args and _is_gpu(node.args[0], namespace)
        ):
            yield node


def _is_gpu(node: ast.expr, namespace: Mapping[str, Any]) -> bool:
    value = None
    with contextlib.suppress(ValueError):
        value = namespace.get(node.id) if isinstance(node, ast.Name) else ast.literal_eval(node)
    return str(value).startswith("cuda")


def _statements(code: str) -> list[ast.stmt]:
    with contextlib.suppress(SyntaxError):
        return ast.parse(code).body
    return []
