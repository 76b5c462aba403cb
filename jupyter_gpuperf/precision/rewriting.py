"""The cell as its user would write it for a mode: the fewest lines changed, the rest as it stands."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

INDENT: Final = "    "
DTYPES: Final = {"bf16": "torch.bfloat16", "fp16": "torch.float16"}
NOT_FORWARD: Final = ("zero_grad", "train", "eval", "to", "cuda", "item", "append")
TF32_LINES: Final = (
    "torch.backends.cuda.matmul.allow_tf32 = True",
    "torch.backends.cudnn.allow_tf32 = True",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the forward pass is: lines from the first to the last, counted from 1, and the backward call's line."""

    first: int
    last: int
    backward: int
    column: int
    loss: str


def code_for(
    source: str,
    mode: str,
    device_type: str,
    *,
    compiled: tuple[str, ...] = (),
    has_scaler: bool = False,
    is_forward: Callable[[ast.stmt], bool] = lambda statement: True,
) -> str:
    """Return the cell rewritten for ``mode``; lines to add and where, when its forward pass is elsewhere.

    Parameters
    ----------
    compiled
        Names of models that are to be compiled.
    is_forward
        Tells whether a statement calls a model or a function of the notebook.
    """
    before = [
        f"{name} = torch.compile({name})  # once, where the model is made" for name in compiled
    ]
    if mode == "tf32":
        return "\n".join(["import torch", "", *TF32_LINES, *before, "", source.rstrip()])
    if mode not in DTYPES:
        return "\n".join(["import torch", "", *before, source.rstrip()]) if before else ""
    head = ["import torch", "", *before]
    scaled = mode == "fp16" and not has_scaler
    if scaled:
        head.append(f'scaler = torch.amp.GradScaler("{device_type}")')
    place = _forward_of(source, is_forward)
    if place is None:
        return "\n".join([*head, *_pattern(mode, device_type, scaled)])
    body = _indented(source, place, f'with torch.autocast("{device_type}", dtype={DTYPES[mode]}):')
    if scaled:
        body = _scaled(body)
    rewritten = "\n".join([*head, *([""] if len(head) > 2 else []), *body])
    try:
        ast.parse(rewritten)
    except SyntaxError:
        return "\n".join([*head, *_pattern(mode, device_type, scaled)])
    return rewritten


def calls_of(namespace: Mapping[str, Any], torch: Any) -> Callable[[ast.stmt], bool]:
    """Return what tells whether a statement calls a model, a loss, or a function of the notebook."""

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


def _forward_of(source: str, is_forward: Callable[[ast.stmt], bool]) -> Place | None:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        for field in ("body", "orelse"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                place = _before_backward(statements, is_forward)
                if place is not None:
                    return place
    return None


def _before_backward(
    statements: list[ast.stmt], is_forward: Callable[[ast.stmt], bool]
) -> Place | None:
    for index, statement in enumerate(statements):
        loss = _backward_of(statement)
        if loss is None:
            continue
        first = next((at for at, each in enumerate(statements[:index]) if is_forward(each)), None)
        if first is None:
            return None
        last = statements[index - 1]
        begin = statements[first]
        # Two statements on a line can't be told apart by lines.
        if (last.end_lineno or last.lineno) >= statement.lineno:
            return None
        return Place(
            first=begin.lineno,
            last=last.end_lineno or last.lineno,
            backward=statement.lineno,
            column=begin.col_offset,
            loss=loss,
        )
    return None


def _backward_of(statement: ast.stmt) -> str | None:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return None
    function = statement.value.func
    if isinstance(function, ast.Attribute) and function.attr == "backward":
        if isinstance(function.value, ast.Call):  # scaler.scale(loss).backward()
            inner = function.value
            scales = isinstance(inner.func, ast.Attribute) and inner.func.attr == "scale"
            return ast.unparse(inner.args[0]) if scales and inner.args else None
        return ast.unparse(function.value)
    return None


def _indented(source: str, place: Place, header: str) -> list[str]:
    lines = source.rstrip().splitlines()
    margin = " " * place.column
    return [
        *lines[: place.first - 1],
        f"{margin}{header}",
        *(INDENT + line if line.strip() else line for line in lines[place.first - 1 : place.last]),
        *lines[place.last :],
    ]


def _scaled(lines: list[str]) -> list[str]:
    changed: list[str] = []
    for line in lines:
        stripped = line.strip()
        margin = line[: len(line) - len(line.lstrip())]
        call = _plain_call(stripped)
        if call and call[1] == "backward":
            rest = stripped[len(call[0]) :]
            changed.append(f"{margin}scaler.scale({call[0]}){rest}")
        elif call and call[1] == "step" and "sched" not in call[0].lower():
            changed += [f"{margin}scaler.step({call[0]})", f"{margin}scaler.update()"]
        elif "clip_grad" in stripped:
            changed += [f"{margin}scaler.unscale_(optimizer)  # your optimizer's name", line]
        else:
            changed.append(line)
    return changed


def _plain_call(line: str) -> tuple[str, str] | None:
    """Split ``name.method(…)`` on one line into name and method."""
    try:
        tree = ast.parse(line)
    except SyntaxError:
        return None
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    call = tree.body[0].value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    return ast.unparse(call.func.value), call.func.attr


def _pattern(mode: str, device_type: str, scaled: bool) -> list[str]:
    lines = [
        "# where the forward pass is:",
        f'with torch.autocast("{device_type}", dtype={DTYPES[mode]}):',
        f"{INDENT}output = model(inputs)",
        f"{INDENT}loss = loss_function(output, targets)",
    ]
    if scaled:
        return [
            *lines,
            "scaler.scale(loss).backward()",
            "scaler.step(optimizer)",
            "scaler.update()",
        ]
    return [*lines, "loss.backward()", "optimizer.step()"]
