"""Find side effects in a cell's syntax tree: every run would repeat them."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable, Mapping
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.state.roots import names_in

MAGICS: Final = {"system", "getoutput", "run_line_magic", "run_cell_magic", "run_cell", "magic"}
WRITES: Final = {
    *("save", "savefig", "to_csv", "to_parquet", "to_pickle", "to_json", "write", "writelines"),
    *("write_text", "write_bytes", "mkdir", "unlink", "rmtree", "rename", "dump"),
    *("savez", "savetxt", "save_pretrained", "add_scalar", "imwrite", "imsave"),
}
PLOTS: Final = frozenset({"plot", "imshow", "scatter", "hist", "figure", "subplots", "show"})
PROCESSES: Final = frozenset({"run", "Popen", "call", "check_call", "check_output"})

MOST_NAMED: Final = 4


def warnings_of(tree: ast.AST) -> list[str]:
    """Return warnings about the side effects of the code that every run repeats.

    Raises
    ------
    BadRequest
        ``not_repeatable``: the code can't be run many times.
    """
    refused: list[str] = []
    repeated: list[str] = []
    for node in ast.walk(tree):
        where = f"(line {getattr(node, 'lineno', 0)})"
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            refused.append(f"waits asynchronously {where}")
        elif isinstance(node, ast.Call):
            owner, name = _called(node.func)
            if (words := _refused(owner, name)) is not None:
                refused.append(f"{words} {where}")
            elif (words := _repeated(node, owner, name)) is not None:
                repeated.append(f"{words} {where}")
    if refused:
        message = Message(
            "The cell is run many times, and this one {refused}.",
            refused=", ".join(dict.fromkeys(refused)),
        )
        hint = "Move that into a cell before, or into --setup."
        raise BadRequest("not_repeatable", message, hint)
    said: list[str] = []
    if named := list(dict.fromkeys(repeated))[:MOST_NAMED]:
        said.append(Message("Each run repeats it: {named}.", named=", ".join(named)))
    return said


def _refused(owner: str, name: str) -> str | None:
    if name in MAGICS and owner == "get_ipython()":
        return "runs a magic or a shell command"
    if name == "input" and not owner:
        return "asks for input"
    if (owner == "subprocess" and name in PROCESSES) or (owner, name) == ("os", "system"):
        return "starts a process"
    return None


def _repeated(call: ast.Call, owner: str, name: str) -> str | None:
    if name in WRITES or (name == "open" and _opens_to_write(call)):
        return f"{name}() writes"
    if name in PLOTS and owner.split(".")[0] in ("plt", "pyplot", "ax", "axes", "fig"):
        return f"{owner}.{name}() draws"
    if name in ("print", "display") and not owner:
        return f"{name}() shows something"
    return None


def mentioned(code: types.CodeType, namespace: Mapping[str, Any]) -> frozenset[str]:
    """Return the names that code may use: its own, and those used by the notebook's functions and classes it names."""
    found: dict[str, None] = {}
    waiting = [code]
    for each in waiting:  # the list grows during the loop
        for name in names_in(each):
            if name not in found:
                found[name] = None
                waiting += _codes_of(namespace.get(name), namespace)
    return frozenset(found)


def _codes_of(value: object, namespace: Mapping[str, Any]) -> Iterable[types.CodeType]:
    if isinstance(value, types.MethodType):
        value = value.__func__
    if isinstance(value, types.FunctionType):
        return [value.__code__] if value.__globals__ is namespace else []
    kind = value if isinstance(value, type) else type(value)
    if kind.__module__ != namespace.get("__name__", "__main__"):
        return []
    return [each.__code__ for each in vars(kind).values() if isinstance(each, types.FunctionType)]


def _called(function: ast.expr) -> tuple[str, str]:
    if isinstance(function, ast.Name):
        return "", function.id
    if isinstance(function, ast.Attribute):
        return ast.unparse(function.value), function.attr
    return "", ""


def _opens_to_write(call: ast.Call) -> bool:
    modes = [*call.args[1:2], *(each.value for each in call.keywords if each.arg == "mode")]
    return any(
        not isinstance(mode, ast.Constant) or not set("wax+").isdisjoint(str(mode.value))
        for mode in modes
    )
