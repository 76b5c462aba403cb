"""Benchmark of a DataLoader: how fast it delivers batches of random images in memory, or a notebook's own batches.

This is the well-known test with 10000×3×224×224 random floats, without its usual mistakes. The start of the workers is
timed separately. Prefetched batches are discarded. A timed block is a whole number of rounds over all workers, because
batches arrive in bursts of one per worker, and single waits would mislead. Measures until the interval is narrow, not a
fixed number of batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.endless import loader_like, loader_settings
from jupyter_gpuperf.loaders.randomness import random_state_restored
from jupyter_gpuperf.loaders.timing import measure_loader
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.device import first_device, started_device
from jupyter_gpuperf.measure.environment import describe

if TYPE_CHECKING:
    import torch

IMAGE_SHAPE: Final = (3, 224, 224)
CLASSES: Final = 1000
IMAGE_BYTES: Final = 4 * 3 * 224 * 224
HANG_SECONDS: Final = 60.0
"""Added to the time limit, this is the loader's timeout: a worker that takes longer for a batch is hanging."""
MEMORY_SHARE: Final = 0.6
"""Share of the available memory that the images may take."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure a DataLoader over random images; see the module docstring."""
    import torch

    batch_bytes = parameters["batch_size"] * IMAGE_BYTES
    _check_memory(parameters, batch_bytes)
    _warn_of_settings(parameters, context, torch.cuda.is_available())
    context.progress(0.0, "Making the images")
    loader = _loader(parameters)
    measured = measure_loader(loader, parameters, context.progress, context.warn, things="images")
    environment = _result_environment(torch, first_device(torch))
    return {**measured, "environment": {**environment, "batch_bytes": batch_bytes}}


def run_on(subject: object, name: str, given: Mapping[str, Any], context: Context) -> Measured:
    """Measure a copy of a notebook's loader, in the notebook's process, where its data is.

    Parameters
    ----------
    subject
        A torch DataLoader or a dataset. Measures a new loader like it, and never uses its own iterator.
    name
        The object's name in the notebook.
    given
        The requested parameters; all others are the loader's own.

    Raises
    ------
    BadRequest
        ``not_a_loader``, ``batch_size_is_fixed`` or ``data_too_short``.
    """
    import torch

    settings = loader_settings(subject, given)
    limits = {key: given[key] for key in ("rigorous", "time_limit_seconds")}
    _warn_of_settings(settings, context, torch.cuda.is_available())
    with random_state_restored():
        loader = loader_like(subject, settings, HANG_SECONDS + limits["time_limit_seconds"])
        used = {**settings, **limits}
        measured = measure_loader(loader, used, context.progress, context.warn, things="samples")
    data = loader.dataset
    measured["parameters"] = {"loader": name, **used}
    measured["environment"] = {
        **_result_environment(torch, started_device(torch)),
        "data_set": type(data).__name__,
        "data_set_items": len(data) if isinstance(data, Sized) else None,
    }
    return measured


def _check_memory(parameters: Mapping[str, Any], batch_bytes: int) -> None:
    needed_bytes = parameters["items"] * IMAGE_BYTES
    available_bytes = resources.available_memory_bytes()
    if available_bytes is not None and needed_bytes > MEMORY_SHARE * available_bytes:
        raise BadRequest(
            "not_enough_memory",
            "{items} images need {needed:.1f} GiB of memory; {free:.1f} GiB are free.",
            "Choose at most {most} items.",
            items=parameters["items"],
            needed=needed_bytes / 2**30,
            free=available_bytes / 2**30,
            most=int(MEMORY_SHARE * available_bytes / IMAGE_BYTES),
        )
    in_flight_bytes = (parameters["workers"] * parameters["prefetch_factor"] + 2) * batch_bytes
    shared_bytes = resources.shared_memory_free_bytes()
    if parameters["workers"] and shared_bytes is not None and in_flight_bytes > shared_bytes:
        raise BadRequest(
            "shared_memory_too_small",
            "Workers need {needed:.2f} GiB in /dev/shm; {free:.2f} GiB are free.",
            "Raise the container's --shm-size, or lower workers, batch_size or prefetch_factor.",
            needed=in_flight_bytes / 2**30,
            free=shared_bytes / 2**30,
        )


def _warn_of_settings(parameters: Mapping[str, Any], context: Context, has_cuda: bool) -> None:
    if parameters["pin_memory"] and not has_cuda:
        context.warn("pin_memory has no effect: PyTorch found no GPU.")
    resources.warn_of_workers(parameters["workers"], context.warn)


def _loader(parameters: Mapping[str, Any]) -> torch.utils.data.DataLoader[Any]:
    import torch
    from torch.utils.data import DataLoader, RandomSampler, TensorDataset

    items = parameters["items"]
    data = TensorDataset(torch.rand(items, *IMAGE_SHAPE), torch.randint(0, CLASSES, (items,)))
    workers = parameters["workers"]
    return DataLoader(
        data,
        batch_size=parameters["batch_size"],
        # One endless epoch in random order, so that no epoch begins while batches are timed.
        sampler=RandomSampler(data, replacement=True, num_samples=2**40),
        num_workers=workers,
        prefetch_factor=parameters["prefetch_factor"] if workers else None,
        pin_memory=parameters["pin_memory"] and torch.cuda.is_available(),
        drop_last=True,
    )


def _result_environment(torch: Any, device: Any) -> dict[str, Any]:
    start_method = str(torch.multiprocessing.get_start_method())
    return {**describe(torch, device), "start_method": start_method}


BENCHMARK = Benchmark(
    name="dataloader",
    label="DataLoader",
    help="Batches of random 224×224 images in memory, from torch's DataLoader: time per batch, and start-up time "
    "of the workers.",
    requires=("torch",),
    parameters=(
        Parameter.integer(
            "items", 1000, (1, 1_000_000), "Images in the dataset; the usual 10000 take 6 GB."
        ),
        Parameter.integer("batch_size", 64, (1, 4096), "Images per batch."),
        Parameter.integer("workers", 4, (0, 128), "0: load in the training process itself."),
        Parameter.integer("prefetch_factor", 2, (1, 64), "Batches that each worker prefetches."),
        Parameter.boolean("pin_memory", False, "Pin batches, for faster copies to the GPU."),
        RIGOROUS,
        Parameter.time_limit(30.0),
    ),
    run=run,
    run_on=run_on,
)
