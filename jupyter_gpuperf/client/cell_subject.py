"""A notebook cell, or a function, as a subject that can be run any number of times from the same state."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
import types
from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.precision.effects import side_effect_warnings
from jupyter_gpuperf.precision.profiled_code import ProfiledCode
from jupyter_gpuperf.precision.session import CellFailed

SHELL_NAMES: Final = re.compile(r"_+|_i+|_i?\d+|In|Out|_ih|_oh|_dh|exit|quit|get_ipython|open")
"""Names that IPython itself puts into the namespace."""


def subject_of_cell(shell: Any, cell: str) -> tuple[ProfiledCode, str, list[str]]:
    """Return an IPython cell as a subject, its source as Python, and warnings about what can't be restored.

    Raises
    ------
    BadRequest
        ``syntax`` or ``empty_cell``.
    """
    from IPython.utils.capture import capture_output

    source = shell.transform_cell(cell)
    try:
        tree = ast.parse(source)
    except SyntaxError:
        shell.showsyntaxerror()
        raise BadRequest(
            "syntax", "The cell is not valid Python.", "See the error above."
        ) from None
    if not tree.body:
        raise BadRequest("empty_cell", "The cell is empty.", "Write the training step below.")
    notes = side_effect_warnings(tree)
    file = shell.compile.cache(source, shell.execution_count)
    whole = compile(source, file, "exec", dont_inherit=True)
    namespace: dict[str, Any] = shell.user_ns
    subject = ProfiledCode(
        body=lambda: exec(whole, namespace),  # noqa: S102
        first_run=_ordinary(tree, cell, file, namespace),
        namespace=namespace,
        code=whole,
        hidden=frozenset(shell.user_ns_hidden)
        | {name for name in namespace if SHELL_NAMES.fullmatch(name)}
        | {"__builtins__"},
        quiet=capture_output,
    )
    return subject, source, notes


def _ordinary(
    tree: ast.Module, cell: str, file: str, namespace: dict[str, Any]
) -> Callable[[], object] | None:
    """Return a function that runs the cell and displays its last expression; ``None`` if it ends with no expression."""
    last = tree.body[-1]
    if not isinstance(last, ast.Expr) or cell.rstrip().endswith(";"):
        return None
    body = compile(
        ast.Module(body=tree.body[:-1], type_ignores=[]), file, "exec", dont_inherit=True
    )
    value = compile(ast.Expression(last.value), file, "eval", dont_inherit=True)

    def run() -> None:
        from IPython.display import display

        exec(body, namespace)  # noqa: S102
        shown = eval(value, namespace)
        if shown is not None:
            display(shown)

    return run


def subject_of_function(function: Callable[[], object]) -> ProfiledCode:
    """Return a function without arguments as a subject."""
    plain = function
    while isinstance(plain, types.MethodType):
        plain = plain.__func__
    namespace = getattr(plain, "__globals__", None) or vars(sys.modules["__main__"])
    return ProfiledCode(
        body=function,
        namespace=namespace,
        code=getattr(plain, "__code__", None),
        roots={"function": function},
        hidden=frozenset(name for name in namespace if name.startswith("__")),
        quiet=lambda: contextlib.redirect_stdout(io.StringIO()),
    )


def as_the_cell_raised(error: CellFailed, code: types.CodeType | None) -> BaseException:
    """Return the exception that the cell raised, with a traceback that begins in the cell."""
    cause = error.__cause__ or error
    trace = cause.__traceback__
    while trace is not None and code is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            return cause.with_traceback(trace)
        trace = trace.tb_next
    return cause
