"""Find side effects in a cell's syntax tree, which every run would repeat."""

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
    *("write_text", "write_bytes", "mkdir", "makedirs", "rename", "dump", "copyfile", "copytree"),
    *("writerow", "writerows", "to_sql", "to_excel", "to_feather", "executemany", "commit"),
    *("savez", "savetxt", "save_pretrained", "add_scalar", "imwrite", "imsave"),
}
DELETES: Final = frozenset({"unlink", "rmtree", "rmdir", "removedirs"})
DELETES_OF: Final = {
    "os": frozenset({"remove", "replace", "rename", "renames"}),
    "shutil": frozenset({"move"}),
}
"""Module → functions whose names are methods of other classes, too."""
PLOTS: Final = frozenset({"plot", "imshow", "scatter", "hist", "figure", "subplots", "show"})
PROCESSES: Final = frozenset({"run", "Popen", "call", "check_call", "check_output"})

MOST_NAMED: Final = 4


def side_effect_warnings(tree: ast.AST) -> list[str]:
    """Return warnings about side effects of the code: every run repeats them.

    Raises
    ------
    BadRequest
        ``not_repeatable``: the code can't be run repeatedly.
    """
    nodes = list(ast.walk(tree))
    if obstacles := list(dict.fromkeys(filter(None, map(_obstacle, nodes)))):
        message = "The cell can't be run repeatedly: {obstacles}."
        hint = "Move this to an earlier cell or to --setup."
        raise BadRequest("not_repeatable", message, hint, obstacles=obstacles)
    side_effects = list(dict.fromkeys(filter(None, map(_side_effect, nodes))))
    if side_effects:
        return [Message("Repeated in every run: {effects}.", effects=side_effects[:MOST_NAMED])]
    return []


def _obstacle(node: ast.AST) -> Message | None:
    line = getattr(node, "lineno", 0)
    if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
        return Message("await on line {line}", line=line)
    owner, name = _called(node)
    if name in MAGICS and owner == "get_ipython()":
        return Message("magic or shell command on line {line}", line=line)
    if name == "input" and not owner:
        return Message("input() on line {line}", line=line)
    if name in DELETES or name in DELETES_OF.get(owner, ()):
        # Each run would delete more: of a hundred checkpoints, none would be left.
        return Message(
            "{name}() on line {line}, which deletes or moves files", name=name, line=line
        )
    if (owner == "subprocess" and name in PROCESSES) or (owner, name) == ("os", "system"):
        return Message("new process on line {line}", line=line)
    return None


def _side_effect(node: Any) -> Message | None:
    owner, name = _called(node)
    call = {"owner": owner, "name": name, "line": getattr(node, "lineno", 0)}
    if name in WRITES or (name == "open" and _opens_to_write(node)):
        return Message("{name}() writes (line {line})", **call)
    if name in PLOTS and owner.split(".")[0] in ("plt", "pyplot", "ax", "axes", "fig"):
        return Message("{owner}.{name}() plots (line {line})", **call)
    if name in ("print", "display") and not owner:
        return Message("{name}() shows output (line {line})", **call)
    return None


def names_mentioned(code: types.CodeType, namespace: Mapping[str, Any]) -> frozenset[str]:
    """Return the names that code may use, directly or through functions and classes of the notebook."""
    names, pending = set[str](), [code]
    for each in pending:  # the list grows during the loop
        for name in names_in(each).keys() - names:
            names.add(name)
            pending += _codes_of(namespace.get(name), namespace)
    return frozenset(names)


def _codes_of(value: object, namespace: Mapping[str, Any]) -> Iterable[types.CodeType]:
    if isinstance(value, types.MethodType):
        value = value.__func__
    if isinstance(value, types.FunctionType):
        return [value.__code__] if value.__globals__ is namespace else []
    kind = value if isinstance(value, type) else type(value)
    if kind.__module__ != namespace.get("__name__", "__main__"):
        return []
    return [each.__code__ for each in vars(kind).values() if isinstance(each, types.FunctionType)]


def _called(node: ast.AST) -> tuple[str, str]:
    """Return a call's owner and name, such as ``"plt", "plot"`` for ``plt.plot()``; both empty for anything else."""
    match node:
        case ast.Call(ast.Name(name)):
            return "", name
        case ast.Call(ast.Attribute(owner, name)):
            return ast.unparse(owner), name
    return "", ""


def _opens_to_write(call: ast.Call) -> bool:
    modes = [*call.args[1:2], *(each.value for each in call.keywords if each.arg == "mode")]
    return any(
        not isinstance(mode, ast.Constant) or not set("wax+").isdisjoint(str(mode.value))
        for mode in modes
    )
