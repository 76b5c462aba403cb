"""Rewrite a cell for a mode as its user would: change as few lines as possible.

Before a rewritten cell is shown, it is compiled and compared: without what was added, it must be the user's cell. A cell
that can't be rewritten is not shown; comments say what to add instead.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from jupyter_gpuperf.precision.scaler_code import NotRewritable, free_name, scaled_edits, statements

INDENT: Final = "    "
DTYPES: Final = {"bf16": "torch.bfloat16", "fp16": "torch.float16"}
NOT_FORWARD: Final = ("zero_grad", "train", "eval", "to", "cuda", "item", "append")
TF32_LINES: Final = (
    "torch.backends.cuda.matmul.allow_tf32 = True",
    "torch.backends.cudnn.allow_tf32 = True",
)
NO_MODELS: Final[Mapping[str, Any]] = MappingProxyType({})
Forward = tuple[ast.stmt, ast.stmt]
"""The first and the last statement of a forward pass."""


def rewrite_cell(
    source: str,
    mode: str,
    device_type: str,
    namespace: Mapping[str, Any],
    torch: Any,
    *,
    compiled: Mapping[str, Any] = NO_MODELS,
    has_scaler: bool = False,
) -> str:
    """Return the cell rewritten for ``mode``; comments that say what to add if it can't be rewritten; maybe ``""``.

    Parameters
    ----------
    namespace
        The notebook's variables. Names in the code mean the same there.
    compiled
        Path → model to compile.
    """
    if namespace.get("torch", torch) is not torch:
        return ""  # "import torch" would replace the user's object
    head = ["import torch", "", *(_compiling(*each, namespace) for each in compiled.items())]
    if mode == "tf32":
        return _before_cell([*head[:2], *TF32_LINES, *head[2:], ""], source)
    if mode not in DTYPES:
        return _before_cell(head, source) if compiled else ""
    autocast = f'torch.autocast("{device_type}", dtype={DTYPES[mode]})'
    scaler = None if has_scaler or mode != "fp16" else free_name("scaler", source, namespace)
    made = (
        f'{scaler} = torch.amp.GradScaler("{device_type}")  # once, where the optimizer is created'
    )
    with contextlib.suppress(NotRewritable, SyntaxError):
        body = cell_in_autocast(source, autocast, namespace, torch, scaler=scaler)
        whole = "\n".join(
            [*head, *([made] if scaler else []), *([""] if head[2:] or scaler else []), body]
        )
        compile(whole, "<cell>", "exec")
        return whole
    lines = ["# where the forward pass is, with the loss:", f"# with {autocast}:"]
    if scaler:
        lines.append(f'# scale the loss: torch.amp.GradScaler("{device_type}")')
    return "\n".join([*(head if compiled else []), *lines])


def cell_in_autocast(
    source: str,
    autocast: str,
    namespace: Mapping[str, Any],
    torch: Any,
    *,
    scaler: str | None = None,
) -> str:
    """Return the cell with its forward passes in ``autocast``, and with gradients scaled by the variable ``scaler``.

    Raises
    ------
    NotRewritable
        The forward passes can't be found, or the result would not be the user's cell apart from what was added.
    SyntaxError
        The source, or the result, is no valid cell.
    """
    body = _Rewriter(source, namespace, torch).rewritten(autocast, scaler)
    compile(body, "<cell>", "exec")
    if _without_mode(body, autocast, scaler) != _without_mode(source, autocast, scaler):
        raise NotRewritable
    return body


def _before_cell(lines: list[str], source: str) -> str:
    """Return the lines and the cell; the lines alone if nothing may precede the cell, as with ``__future__``."""
    with contextlib.suppress(SyntaxError):
        compile(whole := "\n".join([*lines, source.rstrip()]), "<cell>", "exec")
        return whole
    return "\n".join(lines).rstrip()


def forward_call_test(namespace: Mapping[str, Any], torch: Any) -> Callable[[ast.stmt], bool]:
    """Return a function that decides whether a statement calls a model, a loss, or a function of the notebook."""

    def called(node: ast.Call) -> bool:
        if isinstance(node.func, ast.Attribute) and node.func.attr in NOT_FORWARD:
            return False
        root: ast.expr = node.func
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        if not isinstance(root, ast.Name):
            return False
        value = namespace.get(root.id)
        functional = root.id == "F" or "functional" in ast.unparse(node.func)
        own = getattr(value, "__module__", "") == "__main__"
        with contextlib.suppress(Exception):  # the user's own objects
            value = value if functional or own else _resolved(node.func, namespace, value)
        return functional or own or isinstance(value, torch.nn.Module)

    def is_forward(statement: ast.stmt) -> bool:
        return any(isinstance(node, ast.Call) and called(node) for node in ast.walk(statement))

    return is_forward


def _resolved(node: ast.expr, namespace: Mapping[str, Any], root: Any) -> Any:
    """Return the first model on the way to a callable such as ``nets["a"].head``, or the callable; calls nothing."""
    if isinstance(node, ast.Name) or hasattr(root, "parameters"):
        return root
    holder = _resolved(node.value, namespace, root)  # type: ignore[attr-defined]
    if isinstance(node, ast.Attribute):
        return holder if hasattr(holder, "parameters") else getattr(holder, node.attr)
    key = ast.literal_eval(node.slice)  # type: ignore[attr-defined]
    return holder[key] if type(holder) in (dict, list, tuple) else None


def _compiling(path: str, model: Any, namespace: Mapping[str, Any]) -> str:
    line = f"{path} = torch.compile({path})  # once, where the model is created"
    with contextlib.suppress(Exception):  # a property of the user's own
        if eval(path, dict(namespace)) is model:
            return line
    return f"# {path} has no such name in the notebook: compile it where it is created"


class _Rewriter:
    """Inserts a mode into the source of a cell."""

    def __init__(self, source: str, namespace: Mapping[str, Any], torch: Any) -> None:
        self._tree = ast.parse(source)
        self._lines = [
            line.encode() for line in source.rstrip().split("\n")
        ]  # bytes: ast's column offsets count UTF-8 bytes
        self._namespace, self._torch = namespace, torch
        self._is_forward = forward_call_test(namespace, torch)

    def rewritten(self, autocast: str, scaler: str | None) -> str:
        """Return the source with every forward pass inside of ``autocast``, and with gradients scaled by ``scaler``."""
        ranges = list(self._forwards(self._tree.body))
        count = _backward_count(self._tree)
        if not count or sum(each for _, each in ranges) != count or self._goes_back_elsewhere():
            raise NotRewritable
        if scaler:
            for line, begin, end, text in scaled_edits(
                self._tree, self._lines, scaler, self._namespace, self._torch
            ):
                whole = self._lines[line - 1]
                self._lines[line - 1] = whole[:begin] + text.encode() + whole[end:]
        lines = [line.decode() for line in self._lines]
        forwards = {first.lineno: (first, last) for (first, last), _ in ranges}
        for line in sorted(forwards, reverse=True):
            self._indent(lines, *forwards[line], autocast)
        return "\n".join(lines)

    def _indent(self, lines: list[str], first: ast.stmt, last: ast.stmt, autocast: str) -> None:
        begin, end = first.lineno - 1, _last_line(last)
        text = {  # lines of strings must stay as they are
            line
            for node in ast.walk(self._tree)
            if isinstance(node, (ast.Constant, ast.JoinedStr))
            for line in range(node.lineno, _last_line(node))
        }
        margin = lines[begin][: len(lines[begin]) - len(lines[begin].lstrip())]
        for place in set(range(begin, end)) - text:
            if lines[place].strip():
                whole = f"\n{lines[place]}".replace(f"\n{margin}", f"\n{margin}{INDENT}")
                lines[place] = whole[1:]
        lines.insert(begin, f"{margin}with {autocast}:")

    def _forwards(self, block: list[ast.stmt]) -> Iterator[tuple[Forward, int]]:
        """Yield each forward pass in a block, and the number of backward passes that follow it."""
        start, before = 0, None
        for place, statement in enumerate(block):
            if not (count := _backward_count(statement)):
                continue
            inner = [found for each in statements(statement) for found in self._forwards(each)]
            if sum(each for _, each in inner) == count:
                yield from inner
            elif before := self._forward_before(block[start:place], statement) or before:
                yield before, count  # maybe the same forward pass, with two losses
            start = place + 1

    def _forward_before(self, block: list[ast.stmt], backward: ast.stmt) -> Forward | None:
        first = next(filter(self._is_forward, block), None)
        if self._is_forward(backward):
            raise NotRewritable
        # Only whole lines can be indented, so the two statements must not share one.
        if first is not None and _last_line(block[-1]) >= backward.lineno:
            raise NotRewritable
        return None if first is None else (first, block[-1])

    def _goes_back_elsewhere(self) -> bool:
        """Return whether the cell calls a function of another cell that has a backward pass."""
        own = {each.name for each in ast.walk(self._tree) if isinstance(each, ast.FunctionDef)}
        names = {each.id for each in ast.walk(self._tree) if isinstance(each, ast.Name)} - own
        codes = (getattr(self._namespace.get(name), "__code__", None) for name in names)
        return any("backward" in getattr(code, "co_names", ()) for code in codes)


def _last_line(node: Any) -> int:
    return int(node.end_lineno or node.lineno)


def _backward_count(tree: ast.AST) -> int:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return sum(isinstance(each, ast.Attribute) and each.attr == "backward" for each in calls)


def _without_mode(source: str, autocast: str, scaler: str | None) -> str:
    """Return a cell without what the mode adds, in a form that can be compared."""
    return ast.dump(_ModeRemover(autocast, scaler).visit(ast.parse(source)))


class _ModeRemover(ast.NodeTransformer):
    def __init__(self, autocast: str, scaler: str | None) -> None:
        self._autocast = ast.dump(ast.parse(autocast, mode="eval").body)
        self._scaler = scaler

    def visit_With(self, node: ast.With) -> Any:
        self.generic_visit(node)
        contexts = [ast.dump(each.context_expr) for each in node.items]
        return node.body if contexts == [self._autocast] else node

    def visit_Expr(self, node: ast.Expr) -> Any:
        match node.value:
            case ast.Call(ast.Attribute(ast.Name(name), "update" | "unscale_")):
                return None if name == self._scaler else node
            case ast.Call(ast.Attribute(ast.Name(name), "step"), [owner]) if name == self._scaler:
                return ast.Expr(ast.Call(ast.Attribute(owner, "step", ast.Load()), [], []))
            case ast.Call(ast.Attribute(ast.Call(ast.Attribute(ast.Name(name), "scale"), [loss]))):
                if name == self._scaler:
                    node.value.func.value = loss  # type: ignore[attr-defined]
        return node
