"""How fast a DataLoader hands over batches of in-memory images.

The well-known test of 10000×3×224×224 random floats, with what is usually wrong in it mended:
starting the workers is timed apart; the batches that prefetching had ready are discarded; blocks are
whole rounds of all workers (batches come in bursts of one per worker, so single waits mislead); and
it goes on until the interval is narrow instead of for a fixed count.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import inverse, mean_interval, mean_of_few
from jupyter_gpuperf.measure.stopping import QUICK_RATIO, RIGOROUS_RATIO, StopRule

if TYPE_CHECKING:
    import torch

IMAGE_SHAPE: Final = (3, 224, 224)
CLASSES: Final = 1000
IMAGE_BYTES: Final = 4 * 3 * 224 * 224
STARTS: Final = 4
"""How often the workers are started, to time it."""
BLOCK_SECONDS: Final = 0.1
"""Shortest block: long against the clock's resolution and the scheduler's time slice."""
MEMORY_SHARE: Final = 0.6
"""Share of the available memory that the images may take."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure; see the module."""
    import torch

    batch_bytes = parameters["batch_size"] * IMAGE_BYTES
    _check_room(parameters, batch_bytes)
    _warn_of_settings(parameters, context, torch.cuda.is_available())
    context.progress(0.0, "Making the images")
    loader = _loader(parameters)
    starts = [_start_seconds(loader, context, number) for number in range(STARTS)]
    blocks = _time_blocks(loader, parameters, context)
    batch = mean_interval(blocks)
    device = torch.device("cuda") if torch.cuda.is_available() else None
    return {
        "unit": "seconds",
        "figures": {
            "batch_seconds": batch,
            "images_per_second": inverse(batch, parameters["batch_size"]),
            "startup_seconds": mean_of_few(starts),
        },
        "samples": {"batch_seconds": blocks, "startup_seconds": starts},
        "environment": {
            **describe(torch, device),
            "start_method": _start_method(),
            "batch_bytes": batch_bytes,
        },
    }


def _check_room(parameters: Mapping[str, Any], batch_bytes: int) -> None:
    needed_bytes = parameters["items"] * IMAGE_BYTES
    available_bytes = resources.available_memory_bytes()
    if available_bytes is not None and needed_bytes > MEMORY_SHARE * available_bytes:
        raise BadRequest(
            "not_enough_memory",
            f"{parameters['items']} images take {needed_bytes / 2**30:.1f} GiB; "
            f"{available_bytes / 2**30:.1f} GiB are free.",
            f"Ask for at most {int(MEMORY_SHARE * available_bytes / IMAGE_BYTES)} items.",
        )
    in_flight_bytes = (parameters["workers"] * parameters["prefetch_factor"] + 2) * batch_bytes
    shared_bytes = resources.shared_memory_free_bytes()
    if parameters["workers"] and shared_bytes is not None and in_flight_bytes > shared_bytes:
        raise BadRequest(
            "shared_memory_too_small",
            f"Workers hand over batches through /dev/shm: {in_flight_bytes / 2**30:.2f} GiB are "
            f"needed, {shared_bytes / 2**30:.2f} GiB are free.",
            "Start the container with a larger --shm-size, or ask for fewer workers, a smaller "
            "batch or a smaller prefetch_factor.",
        )


def _warn_of_settings(parameters: Mapping[str, Any], context: Context, has_cuda: bool) -> None:
    if parameters["pin_memory"] and not has_cuda:
        context.warn("pin_memory does nothing here: this torch sees no CUDA device.")
    cpus = resources.usable_cpus()
    if parameters["workers"] > cpus:
        context.warn(
            f"{parameters['workers']} workers share {cpus:g} processors: they wait for each other."
        )


def _loader(parameters: Mapping[str, Any]) -> torch.utils.data.DataLoader[Any]:
    import torch
    from torch.utils.data import DataLoader, RandomSampler, TensorDataset

    items = parameters["items"]
    images = torch.rand(items, *IMAGE_SHAPE)
    labels = torch.randint(0, CLASSES, (items,))
    data = TensorDataset(images, labels)
    workers = parameters["workers"]
    return DataLoader(
        data,
        batch_size=parameters["batch_size"],
        # One endless epoch in random order: no restart ever falls into what is timed.
        sampler=RandomSampler(data, replacement=True, num_samples=2**40),
        num_workers=workers,
        prefetch_factor=parameters["prefetch_factor"] if workers else None,
        pin_memory=parameters["pin_memory"] and torch.cuda.is_available(),
        drop_last=True,
    )


def _start_seconds(
    loader: torch.utils.data.DataLoader[Any], context: Context, number: int
) -> float:
    context.progress(0.05 + 0.05 * number / STARTS, "Timing the start of the workers")
    began = time.perf_counter()
    batches = iter(loader)  # named, so that ending the workers comes after the time is taken
    next(batches)
    return time.perf_counter() - began


def _time_blocks(
    loader: torch.utils.data.DataLoader[Any], parameters: Mapping[str, Any], context: Context
) -> list[float]:
    workers, prefetch = parameters["workers"], parameters["prefetch_factor"]
    batches = iter(loader)
    _seconds_per_batch(batches, 1 + workers * prefetch)  # what was prefetched came for free
    # A block is whole rounds, longer than all that can be prefetched, or it would borrow from its
    # neighbour; doubled until it is long enough, since the first batches are slower than the rest.
    block_batches = max(1, workers) * 2 * prefetch
    while _seconds_per_batch(batches, block_batches) * block_batches < BLOCK_SECONDS:
        block_batches *= 2
    rule = StopRule(
        target_ratio=RIGOROUS_RATIO if parameters["rigorous"] else QUICK_RATIO,
        limit_seconds=parameters["time_limit_seconds"],
        interval_of=mean_interval,
    )
    while not rule.done:
        rule.add(_seconds_per_batch(batches, block_batches))
        mean_seconds = sum(rule.blocks) / len(rule.blocks)
        context.progress(
            0.1 + 0.9 * rule.progress_ratio, f"{1000 * mean_seconds:.1f} ms a batch so far"
        )
    if doubt := rule.doubt():
        context.warn(doubt)
    return rule.blocks


def _seconds_per_batch(batches: Iterator[Any], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        next(batches)
    return (time.perf_counter() - began) / count


def _start_method() -> str:
    import torch.multiprocessing

    return str(torch.multiprocessing.get_start_method())


BENCHMARK = Benchmark(
    name="dataloader",
    label="DataLoader",
    help="Batches of random 224×224 images from memory, through torch's DataLoader: how long one "
    "batch takes, and how long the workers take to start.",
    requires=("torch",),
    parameters=(
        Parameter(
            name="items",
            type="integer",
            default=1000,
            minimum=1,
            maximum=1_000_000,
            help="Images in the data set; 10000, as often used, take 6 GB.",
        ),
        Parameter(
            name="batch_size",
            type="integer",
            default=64,
            minimum=1,
            maximum=4096,
            help="Images in a batch.",
        ),
        Parameter(
            name="workers",
            type="integer",
            default=4,
            minimum=0,
            maximum=128,
            help="Worker processes; 0 loads in the training process itself.",
        ),
        Parameter(
            name="prefetch_factor",
            type="integer",
            default=2,
            minimum=1,
            maximum=64,
            help="Batches that each worker keeps ready.",
        ),
        Parameter(
            name="pin_memory",
            type="boolean",
            default=False,
            help="Copy each batch into page-locked memory, for faster copies to the device.",
        ),
        Parameter(
            name="rigorous",
            type="boolean",
            default=False,
            help="Measure in five fresh processes, each until its interval is within 1 % instead of 3 %; the interval then holds for the next run, too.",
        ),
        Parameter(
            name="time_limit_seconds",
            type="number",
            default=30.0,
            minimum=1.0,
            maximum=600.0,
            help="Stop measuring after this time, converged or not.",
        ),
    ),
    run=run,
)
