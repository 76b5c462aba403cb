"""The change as code, for the loader that the step clock knows."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.schemas.training import LoaderSteps

FIRST_WORKERS: Final = 4
"""Where there are none yet; the tuner finds how many are enough."""

WATCH: Final = """\
import jupyter_gpuperf as gpuperf

# Then run the loop: the step clock tells what it waits for.
loader = gpuperf.watch(loader)
"""

LOWER_PRECISION: Final = """\
import torch

torch.set_float32_matmul_precision("high")  # TF32 for matrix products
with torch.autocast("cuda", dtype=torch.bfloat16):  # around the forward pass and the loss
    loss = ...
"""

FEWER_LAUNCHES: Final = """\
import torch

model = torch.compile(model, mode="reduce-overhead")  # fuses kernels, and launches them as CUDA graphs
"""

FUSED: Final = """\
import torch

model = torch.compile(model)  # fuses elementwise kernels, so that memory is read and written less often
"""

NON_BLOCKING: Final = """\
batch = batch.to("cuda", non_blocking=True)  # returns at once, from pinned memory
"""


def more_workers(loader: LoaderSteps, cores_limit: float | None) -> str:
    """Return the loader with more workers, as many as the machine's cores allow."""
    wanted = max(FIRST_WORKERS, 2 * loader.num_workers)
    if cores_limit is not None:
        wanted = max(1, min(wanted, int(cores_limit) - 1))
    return loader_with(loader, num_workers=wanted, pin_memory=True, persistent_workers=True)


def loader_with(loader: LoaderSteps, **options: int | bool) -> str:
    """Return code that makes the same loader with other options."""
    # What the step clock gives may be the data set's type: no variable starts with a capital.
    name = (
        loader.loader if loader.loader.isidentifier() and loader.loader[0].islower() else "loader"
    )
    kept = {"prefetch_factor": loader.prefetch_factor} if loader.prefetch_factor else {}
    changed = {**kept, **options}
    if not changed.get("num_workers", loader.num_workers):
        # Both are refused without workers.
        changed = {
            key: value
            for key, value in changed.items()
            if key not in ("prefetch_factor", "persistent_workers")
        }
    changed.setdefault("num_workers", loader.num_workers)
    arguments = [
        f"{name}.dataset",
        f"batch_size={loader.batch_size or f'{name}.batch_size'}",
        f"sampler={name}.sampler",
        f"collate_fn={name}.collate_fn",
        f"drop_last={name}.drop_last",
        *(f"{key}={value}" for key, value in changed.items()),
    ]
    lines = "".join(f"    {each},\n" for each in arguments)
    return f"from torch.utils.data import DataLoader\n\n{name} = DataLoader(\n{lines})\n"
