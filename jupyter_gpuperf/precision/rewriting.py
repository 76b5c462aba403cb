"""Rewrite a cell for a mode as its user would: change as few lines as possible."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

INDENT: Final = "    "
DTYPES: Final = {"bf16": "torch.bfloat16", "fp16": "torch.float16"}
NOT_FORWARD: Final = ("zero_grad", "train", "eval", "to", "cuda", "item", "append")
TF32_LINES: Final = (
    "torch.backends.cuda.matmul.allow_tf32 = True",
    "torch.backends.cudnn.allow_tf32 = True",
)
Forward = tuple[ast.stmt, ast.stmt]
"""The first and the last statement of a forward pass."""


def rewrite_cell(
    source: str,
    mode: str,
    device_type: str,
    *,
    compiled: tuple[str, ...] = (),
    has_scaler: bool = False,
    is_forward: Callable[[ast.stmt], bool] = lambda statement: True,
) -> str:
    """Return the cell rewritten for ``mode``; if it has no forward pass, the lines to add, with a comment saying where.

    Parameters
    ----------
    compiled
        Names of models to compile.
    is_forward
        Returns whether a statement is part of the forward pass; see :func:`forward_call_test`.
    """
    before = [
        f"{name} = torch.compile({name})  # once, where the model is created" for name in compiled
    ]
    if mode == "tf32":
        return "\n".join(["import torch", "", *TF32_LINES, *before, "", source.rstrip()])
    if mode not in DTYPES:
        return "\n".join(["import torch", "", *before, source.rstrip()]) if before else ""
    head = ["import torch", "", *before]
    scaled = mode == "fp16" and not has_scaler
    if scaled:
        head.append(f'scaler = torch.amp.GradScaler("{device_type}")')
    forward = _forward_of(source, is_forward)
    if forward is not None:
        header = f'with torch.autocast("{device_type}", dtype={DTYPES[mode]}):'
        body = _indented(source, forward, header)
        body = list(_scaled(body)) if scaled else body
        rewritten = "\n".join([*head, *([""] if len(head) > 2 else []), *body])
        if _parsed(rewritten) is not None:
            return rewritten
    return "\n".join([*head, *_template(mode, device_type, scaled)])


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
        return functional or own or isinstance(value, torch.nn.Module)

    def is_forward(statement: ast.stmt) -> bool:
        return any(isinstance(node, ast.Call) and called(node) for node in ast.walk(statement))

    return is_forward


def _forward_of(source: str, is_forward: Callable[[ast.stmt], bool]) -> Forward | None:
    tree = _parsed(source)
    for node in ast.walk(tree) if tree else ():
        for block in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(block, list) and (forward := _before_backward(block, is_forward)):
                return forward
    return None


def _parsed(source: str) -> ast.Module | None:
    with contextlib.suppress(SyntaxError):
        return ast.parse(source)
    return None


def _before_backward(
    statements: list[ast.stmt], is_forward: Callable[[ast.stmt], bool]
) -> Forward | None:
    for index, statement in enumerate(statements):
        if _is_backward(statement):
            before = statements[:index]
            first = next(filter(is_forward, before), None)
            # Only whole lines can be indented, so the two statements must not share one.
            if first is None or _last_line(before[-1]) >= statement.lineno:
                return None
            return first, before[-1]
    return None


def _last_line(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno


def _is_backward(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Call(function, losses), "backward"))):
            # scaler.scale(loss).backward()
            return getattr(function, "attr", None) == "scale" and bool(losses)
        case ast.Expr(ast.Call(ast.Attribute(_, "backward"))):
            return True
    return False


def _indented(source: str, forward: Forward, header: str) -> list[str]:
    lines = source.rstrip().splitlines()
    begin, end = forward[0].lineno - 1, _last_line(forward[1])
    margin = " " * forward[0].col_offset
    return [
        *lines[:begin],
        f"{margin}{header}",
        *(INDENT + line if line.strip() else line for line in lines[begin:end]),
        *lines[end:],
    ]


def _scaled(lines: list[str]) -> Iterator[str]:
    for line in lines:
        stripped = line.strip()
        margin = line[: len(line) - len(line.lstrip())]
        owner, method = _plain_call(stripped)
        if method == "backward":
            yield f"{margin}scaler.scale({owner}){stripped[len(owner) :]}"
        elif method == "step" and "sched" not in owner.lower():
            yield from (f"{margin}scaler.step({owner})", f"{margin}scaler.update()")
        elif "clip_grad" in stripped:
            yield from (f"{margin}scaler.unscale_(optimizer)  # your optimizer's name", line)
        else:
            yield line


def _plain_call(line: str) -> tuple[str, str]:
    """Split the line ``owner.method(…)`` into owner and method; both are empty for any other line."""
    match _parsed(line):
        case ast.Module([ast.Expr(ast.Call(ast.Attribute(owner, method)))]):
            return ast.unparse(owner), method
    return "", ""


def _template(mode: str, device_type: str, scaled: bool) -> list[str]:
    backward = ["loss.backward()", "optimizer.step()"]
    return [
        "# where the forward pass is:",
        f'with torch.autocast("{device_type}", dtype={DTYPES[mode]}):',
        f"{INDENT}output = model(inputs)",
        f"{INDENT}loss = loss_function(output, targets)",
        *(_scaled(backward) if scaled else backward),
    ]
