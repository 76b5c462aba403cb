"""Find the lines of a cell in which the host waits for the GPU's values, and measure what they cost.

They stay as they are: what the values are needed for, the cell does not say.
"""

from __future__ import annotations

import ast
from typing import Final

from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.lever import Lever, NotApplicable, Situation
from jupyter_gpuperf.messages import Message

WAITING: Final = ("item", "tolist", "cpu", "numpy")
"""Methods of tensors that wait until the GPU has computed the value."""
NOT_WAITING: Final = "detach"


class _WithoutWaits(ast.NodeTransformer):
    """Replaces each method that waits by one that does not, and leaves out what is printed, within loops."""

    def __init__(self) -> None:
        self.lines: set[int] = set()
        self._depth = 0

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._in_loop(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._in_loop(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = node.func
        if self._depth and isinstance(function, ast.Name) and function.id == "print":
            self.lines.add(node.lineno)
            return ast.copy_location(ast.Constant(None), node)
        is_waiting = isinstance(function, ast.Attribute) and function.attr in WAITING
        if self._depth and is_waiting and not node.args and not node.keywords:
            assert isinstance(function, ast.Attribute)
            function.attr = NOT_WAITING
            self.lines.add(node.lineno)
        return node

    def _in_loop(self, node: ast.AST) -> ast.AST:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        return node


def waiting_lines(cell: str) -> list[int]:
    """Return the numbers of the lines, within loops, that wait for values."""
    finder = _WithoutWaits()
    finder.visit(ast.parse(cell))
    return sorted(finder.lines)


def _hint(code: CellCode) -> Message:
    return Message(
        "Not changed: in lines {lines}, .item(), .cpu(), .numpy(), .tolist() or print wait for the GPU. Keep values there, "
        "and read them every hundred steps.",
        lines=list(map(str, waiting_lines(code.cell))),
    )


def _without_waits(situation: Situation, code: CellCode) -> CellCode:
    if not situation.is_on_gpu:
        raise NotApplicable(Message("The cell runs on the CPU."))
    try:
        tree = ast.parse(code.cell)
    except SyntaxError:
        raise NotApplicable(Message("The cell's code can't be read.")) from None
    finder = _WithoutWaits()
    changed = finder.visit(tree)
    if not finder.lines:
        raise NotApplicable(Message("No line in a loop waits for values."))
    return code.with_cell(ast.unparse(ast.fix_missing_locations(changed)))


LEVERS: Final = (
    Lever(
        name="no waiting for values",
        apply=_without_waits,
        hint=_hint,
    ),
)
