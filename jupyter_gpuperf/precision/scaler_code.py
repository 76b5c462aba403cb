"""Insert a gradient scaler into the source of a cell, as its user would."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final

CLIPPING: Final = ("clip_grad_norm_", "clip_grad_value_", "clip_grad_norm")
PARTS: Final = (ast.ExceptHandler, ast.match_case)
"""Nodes that hold a block of the statement above them."""
Edit = tuple[int, int, int, str]
"""A line, counted from 1; the bytes of it to replace, from and to; and the new text."""


class NotRewritable(Exception):
    """The cell can't be rewritten by changing single lines."""


def free_name(name: str, source: str, namespace: Mapping[str, Any]) -> str:
    """Return a name that neither the notebook nor the cell uses, such as ``scaler`` or ``grad_scaler``."""
    names = itertools.chain([name], (f"grad_{name}{'_' * count}" for count in itertools.count()))
    return next(each for each in names if each not in namespace and each not in source)


def statements(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield each block of statements directly within a node, such as those of a loop and of its ``else``."""
    for _, value in ast.iter_fields(node):
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield value
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, PARTS):
                    yield each.body


def scaled_edits(
    tree: ast.Module, lines: list[bytes], scaler: str, namespace: Mapping[str, Any], torch: Any
) -> list[Edit]:
    """Return the edits that scale every backward pass and optimizer step of a cell; the last position comes first.

    Raises
    ------
    NotRewritable
        A statement can't be scaled by an edit of its line, or whether it is an optimizer's is not known.
    """
    return sorted(_Scaling(tree, lines, scaler, namespace, torch).edits(), reverse=True)


class _Scaling:
    def __init__(
        self,
        tree: ast.Module,
        lines: list[bytes],
        scaler: str,
        namespace: Mapping[str, Any],
        torch: Any,
    ) -> None:
        self._lines, self._scaler, self._torch = lines, scaler, torch
        self._namespace = namespace
        nodes = list(ast.walk(tree))
        self._calls = [each for each in nodes if isinstance(each, ast.Call)]
        self._blocks = [
            block for each in nodes if not isinstance(each, PARTS) for block in statements(each)
        ]

    def edits(self) -> Iterator[Edit]:
        backward, steps = (
            self._calls_of("backward"),
            [each for each in self._calls_of("step") if self._is_optimizers(each)],
        )
        block = self._only_block(steps)
        for call in (*backward, *steps):
            if call.args or (call in steps and call.keywords) or call.lineno != call.end_lineno:
                raise NotRewritable
        for call in backward:
            loss = call.func.value  # type: ignore[attr-defined]
            yield loss.lineno, loss.col_offset, loss.col_offset, f"{self._scaler}.scale("
            yield loss.lineno, loss.end_col_offset, loss.end_col_offset, ")"
        for call in steps:
            owner = call.func.value  # type: ignore[attr-defined]
            yield call.lineno, call.col_offset, call.col_offset, f"{self._scaler}.step("
            yield call.lineno, owner.end_col_offset, call.end_col_offset or 0, ")"
        last = [each for each in block if getattr(each, "value", None) in steps][-1]
        yield self._beside(last, f"{self._scaler}.update()", after=True)
        yield from self._unscaled({ast.unparse(each.func.value) for each in steps})  # type: ignore[attr-defined]

    def _unscaled(self, optimizers: set[str]) -> Iterator[Edit]:
        clipping = [each for each in self._calls if ast.unparse(each.func).endswith(CLIPPING)]
        if clipping and len(optimizers) != 1:
            raise NotRewritable
        if clipping:
            block = self._only_block(clipping)
            first = next(each for each in block if getattr(each, "value", None) in clipping)
            yield self._beside(first, f"{self._scaler}.unscale_({optimizers.pop()})", after=False)

    def _calls_of(self, method: str) -> list[ast.Call]:
        return [
            each
            for each in self._calls
            if isinstance(each.func, ast.Attribute) and each.func.attr == method
        ]

    def _is_optimizers(self, call: ast.Call) -> bool:
        owner = ast.unparse(call.func.value)  # type: ignore[attr-defined]
        try:
            value = eval(owner, dict(self._namespace))
        except Exception as error:  # a local variable, or the user's own code
            raise NotRewritable from error
        return isinstance(value, self._torch.optim.Optimizer)

    def _only_block(self, calls: list[ast.Call]) -> list[ast.stmt]:
        """Return the block of which each of the calls is a statement."""
        found = [
            block
            for block in self._blocks
            if any(getattr(each, "value", None) in calls for each in block)
        ]
        count = sum(getattr(each, "value", None) in calls for block in found for each in block)
        if len(found) != 1 or count != len(calls):
            raise NotRewritable
        return found[0]

    def _beside(self, statement: ast.stmt, text: str, *, after: bool) -> Edit:
        """Return the edit that adds a statement, on its own line unless the given one shares its line."""
        line = self._lines[statement.lineno - 1]
        before = line[: statement.col_offset].decode()
        gap = "; " if before.strip() else f"\n{before}"
        if after:
            end = statement.end_col_offset or 0
            return statement.end_lineno or 0, end, end, gap + text
        return statement.lineno, statement.col_offset, statement.col_offset, text + gap
