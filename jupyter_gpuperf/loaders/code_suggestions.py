"""The code that findings suggest. The server has no loader object, only the step clock's report on the loader.

The report has DataLoader's settings under their own names, ``loader`` (the variable's name or the dataset's type) and
``arguments``: code that the kernel ran and compared with the loader; empty or ``None`` if there is none. What names
objects that nobody has looked up is shown as comments.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from jupyter_gpuperf.loaders.setting import SETTINGS, accepted_arguments

FIRST_WORKERS: Final = 4
"""Number of workers suggested when there are none yet; the tuner finds how many are enough."""

WATCH_SNIPPET: Final = """\
# Run this before the loop: the step clock reports what the loop waits for.
%load_ext jupyter_gpuperf
%gpuwatch on
"""

PROFILE_SNIPPET: Final = """\
# The loop has no DataLoader. Run this before it: a profile of five steps shows where the GPU is idle.
%gpuwatch explain
"""

LOWER_PRECISION_SNIPPET: Final = """\
import torch

torch.set_float32_matmul_precision("high")  # TF32 for matrix products
# Or run the forward pass and the loss inside: with torch.autocast("cuda", dtype=torch.bfloat16):
# To measure both on your own step, put %%amp_profile above it.
"""

FEWER_LAUNCHES_SNIPPET: Final = """\
# Where the model is created; it fuses kernels, and launches them as CUDA graphs:
# model = torch.compile(model, mode="reduce-overhead")
"""

COMPILE_SNIPPET: Final = """\
# Where the model is created; it fuses elementwise kernels, so that memory is read and written less often:
# model = torch.compile(model)
"""

FUSED_CLASSES: Final = ("Adam", "AdamW", "SGD", "Adagrad")
"""Optimizers of torch that take ``fused=True``."""

NON_BLOCKING_SNIPPET: Final = """\
# Where the loop copies its batch; from pinned memory, it returns at once:
# batch = batch.to("cuda", non_blocking=True)
"""


def fused_optimizer_code(class_name: str) -> str:
    """Return a comment with the optimizer's arguments, or nothing if the class is none of torch's."""
    if class_name not in FUSED_CLASSES:
        return ""
    return (
        "# Where the optimizer is created; its other arguments stay, but foreach:\n"
        f"# optimizer = torch.optim.{class_name}(model.parameters(), …, fused=True)\n"
    )


def more_workers_code(loader: Any, cores_limit: float | None) -> str:
    """Return code for the loader with more workers, as many as the machine's cores allow."""
    workers = max(FIRST_WORKERS, 2 * loader.num_workers)
    if cores_limit is not None:
        workers = max(1, min(workers, int(cores_limit) - 1))
    return loader_code(loader, num_workers=workers, pin_memory=True, persistent_workers=True)


def loader_code(loader: Any, **changes: int | bool) -> str:
    """Return code that creates the same loader with changed settings; only comments if no code creates an equal one."""
    own = {name: getattr(loader, name) for name in SETTINGS}
    settings = accepted_arguments({name: each for name, each in own.items() if each} | changes)
    settings.setdefault("num_workers", loader.num_workers)
    given = [f"{name}={value}" for name, value in settings.items()]
    persists = settings.get("persistent_workers", False) > loader.persistent_workers
    note = "# Persistent workers keep their copies of the dataset from epoch to epoch.\n"
    lines = "".join(f"    {each},\n" for each in [*(loader.arguments or ()), *given])
    code = f"import torch\n\n{note * persists}{loader.loader} = torch.utils.data.DataLoader(\n{lines})\n"
    if not loader.arguments or not _is_one_assignment(code, loader.loader):
        return (
            "# No code that creates an equal loader is known. Set them where it is created,\n"
            f"# before anything wraps it: {', '.join(given)}\n"
        )
    return code


def _is_one_assignment(code: str, name: str) -> bool:
    """Return whether the code creates one object of this name: the report may come from any program, or from a file."""
    try:
        match ast.parse(code).body:
            case [
                ast.Import(),
                ast.Assign([ast.Name(found)], ast.Call(ast.Attribute(attr="DataLoader"))),
            ]:
                return found == name
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    return False
