"""The code that findings suggest. The server has no loader object, only the step clock's report on the loader.

The report has DataLoader's settings under their own names, ``loader`` (the variable's name or the dataset's type),
``batch_size``, and ``arguments``: the arguments as code, empty if no code creates an equal loader, ``None`` if unknown.
"""

from __future__ import annotations

from typing import Any, Final

from jupyter_gpuperf.loaders.setting import SETTINGS, accepted_arguments

FIRST_WORKERS: Final = 4
"""Number of workers suggested when there are none yet; the tuner finds how many are enough."""

WATCH_SNIPPET: Final = """\
import jupyter_gpuperf as gpuperf

# Then run the loop: the step clock reports what it waits for.
loader = gpuperf.watch(loader)
"""

LOWER_PRECISION_SNIPPET: Final = """\
import torch

torch.set_float32_matmul_precision("high")  # TF32 for matrix products
with torch.autocast("cuda", dtype=torch.bfloat16):  # around the forward pass and the loss
    loss = ...
"""

FEWER_LAUNCHES_SNIPPET: Final = """\
import torch

model = torch.compile(model, mode="reduce-overhead")  # fuses kernels, and launches them as CUDA graphs
"""

COMPILE_SNIPPET: Final = """\
import torch

model = torch.compile(model)  # fuses elementwise kernels, so that memory is read and written less often
"""

NON_BLOCKING_SNIPPET: Final = """\
batch = batch.to("cuda", non_blocking=True)  # returns at once, from pinned memory
"""


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
    if loader.arguments is not None and not loader.arguments:
        return (
            "# This loader can't be rebuilt from its settings. Set them where it is created,\n"
            f"# before anything wraps it: {', '.join(given)}\n"
        )
    # The step clock may report the dataset's type, which, unlike a variable, starts with a capital letter.
    named = loader.arguments or (loader.loader.isidentifier() and loader.loader[0].islower())
    name, note = loader.loader if named else "loader", ""
    if loader.arguments:
        arguments = list(loader.arguments)
    else:
        note = (
            "# For a map-style dataset. A stream takes no sampler; your own batch_sampler replaces\n"
            "# batch_size, sampler and drop_last.\n"
        )
        arguments = [
            f"{name}.dataset",
            f"batch_size={loader.batch_size or f'{name}.batch_size'}",
            *(
                f"{each}={name}.{each}"
                for each in ("sampler", "drop_last", "collate_fn", "worker_init_fn", "generator")
            ),
        ]
    lines = "".join(f"    {each},\n" for each in [*arguments, *given])
    return f"from torch.utils.data import DataLoader\n\n{note}{name} = DataLoader(\n{lines})\n"
