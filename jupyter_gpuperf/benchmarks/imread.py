"""Benchmark of reading and decoding images: OpenCV, Pillow and torchvision, on one thread and in DataLoader workers.

The fastest reader on one thread need not be the fastest in workers, which share memory bandwidth and caches. All
readers take turns in reading the same files, which are in the page cache: this measures decoding. The ``io`` benchmark
measures disks.
"""

from __future__ import annotations

import functools
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.images import (
    Reader,
    images_in,
    installed_readers,
    write_photographs,
)
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.errors import NotFound, Unavailable
from jupyter_gpuperf.loaders.timing import BatchBlocks
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import inverse, mean_interval
from jupyter_gpuperf.messages import Message

GENERATED_IMAGES: Final = 48
MOST_IMAGES: Final = 512
ONE_THREAD_SHARE: Final = 0.5
"""Share of the time limit for measuring on one thread; the rest is for measuring in workers."""
BATCH: Final = 16
ROUNDS_PER_BLOCK: Final = 2


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure the images per second of each reader; see the module docstring."""
    installed = installed_readers()
    if not installed:
        message = "None of OpenCV, Pillow and torchvision is installed."
        hint = "Run: pip install opencv-python-headless pillow"
        raise Unavailable("package_missing", message, hint)
    for name, package in (("opencv", "opencv-python-headless"), ("pillow", "pillow")):
        if name not in installed:
            message = "Skipped {name}: not installed. Run: pip install {package}"
            context.warn(Message(message, name=name, package=package))
    with tempfile.TemporaryDirectory(prefix="gpuperf-imread-") as folder:
        context.progress(0.0, "Listing the images" if parameters["folder"] else "Making the images")
        paths = _paths(parameters["folder"], Path(folder))
        names = [str(path) for path in paths]
        usable = _usable_readers(installed, names, context)
        figures, samples = _on_one_thread(usable, names, parameters, context)
        torch = _torch_if_installed(context, parameters["workers"])
        if torch is not None:
            for name, seconds in _in_workers(torch, usable, names, parameters, context).items():
                samples[f"{name}_image_seconds"] = seconds
                figures[f"{name}_images_per_second"] = inverse(mean_interval(seconds))
        environment = {
            **describe(torch),
            "images": len(paths),
            "mean_file_bytes": statistics.fmean(path.stat().st_size for path in paths),
            "page_cache": "warm",
        }
    return Measured(unit="seconds", figures=figures, samples=samples, environment=environment)


def _paths(folder: str, own_folder: Path) -> list[Path]:
    if not folder:
        return write_photographs(own_folder, GENERATED_IMAGES)
    paths = images_in(Path(folder).expanduser(), MOST_IMAGES)
    if not paths:
        hint = "Choose a folder with JPEG, PNG, WebP or BMP files."
        raise NotFound("no_images", "There are no images in {folder}.", hint, folder=folder)
    return paths


def _usable_readers(
    installed: Mapping[str, Reader], names: Sequence[str], context: Context
) -> dict[str, Reader]:
    """Return the readers that can read all images. Reading them also brings them into the page cache."""
    usable = {}
    for name, reader in installed.items():
        try:
            for path in names:
                reader(path)
        except Exception as error:  # each library raises different types  # noqa: BLE001
            message = "Skipped {name}, which can't read all images: {error}"
            context.warn(Message(message, name=name, error=error))
        else:
            usable[name] = reader
    if not usable:
        message, hint = "No installed library can read all images.", "Remove the broken images."
        raise Unavailable("images_not_readable", message, hint)
    return usable


def _on_one_thread(
    usable: Mapping[str, Reader],
    names: Sequence[str],
    parameters: Mapping[str, Any],
    context: Context,
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    def read_all(reader: Reader) -> float:
        began = time.perf_counter()
        for name in names:
            reader(name)
        return (time.perf_counter() - began) / len(names)

    span = context.span(0.1, 0.5, Message("One thread"))
    timings = Stopwatch(parameters, span, ONE_THREAD_SHARE).in_turn(
        {name: functools.partial(read_all, reader) for name, reader in usable.items()}
    )
    figures = {f"{name}_images_per_second": inverse(timings.median(name)) for name in usable}
    for name in usable:
        if name != "pillow" and "pillow" in usable:
            figures[f"{name}_speedup"] = timings.speedup(name, "pillow")
    return figures, {f"{name}_image_seconds": values for name, values in timings.samples.items()}


def _in_workers(
    torch: Any,
    usable: Mapping[str, Reader],
    names: Sequence[str],
    parameters: Mapping[str, Any],
    context: Context,
) -> dict[str, list[float]]:
    """Return each reader's seconds per image, one sample per block."""
    workers = parameters["workers"] or max(1, int(resources.usable_cpus()))
    samples: dict[str, list[float]] = {}
    for place, (name, reader) in enumerate(usable.items()):
        title = Message.counted(
            "{name}, {count} worker", "{name}, {count} workers", count=workers, name=name
        )
        part = context.span(0.5, 1.0).part(place, len(usable), title)
        figure = f"{name}_{workers}_{'worker' if workers == 1 else 'workers'}"
        samples[figure] = Stopwatch(parameters, part, (1 - ONE_THREAD_SHARE) / len(usable)).blocks(
            _block_in_workers(torch, reader, names, workers),
            describe=lambda seconds: f"{1000 * seconds:.3g} ms",
            interval_of=mean_interval,
        )
    return samples


def _block_in_workers(
    torch: Any, reader: Reader, names: Sequence[str], workers: int
) -> Callable[[], float]:
    images = EndlessImages(reader, names)
    loader = torch.utils.data.DataLoader(
        images, batch_size=BATCH, num_workers=workers, sampler=range(len(images))
    )
    batches = BatchBlocks(loader, prefetched=1 + 2 * workers)
    return lambda: batches.seconds_per_batch(ROUNDS_PER_BLOCK * workers) / BATCH


class EndlessImages:
    """An endless dataset that decodes image files. An item is only its index: workers send no pixels."""

    def __init__(self, reader: Reader, names: Sequence[str]) -> None:
        self._reader, self._names = reader, names

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> int:
        self._reader(self._names[index % len(self._names)])
        return index


def _torch_if_installed(context: Context, workers: int) -> Any:
    if importlib.util.find_spec("torch") is None:
        context.warn("Skipped DataLoader workers: torch is not installed.")
        return None
    import torch

    resources.warn_of_workers(workers, context.warn)
    return torch


BENCHMARK = Benchmark(
    name="imread",
    label="Image reading",
    help="Read and decode images with OpenCV, Pillow and torchvision, on one thread and in DataLoader workers.",
    requires=("numpy",),
    parameters=(
        Parameter.text("folder", "", "Folder with your images. Empty: create photo-like JPEGs."),
        Parameter.integer("workers", 0, (0, 256), "DataLoader workers; 0: one per usable CPU."),
        RIGOROUS,
        Parameter.time_limit(20.0),
    ),
    run=run,
)
