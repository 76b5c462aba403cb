"""How fast images are read and decoded: OpenCV, Pillow and torchvision, on one thread and in DataLoader workers.

Both, because they rank differently: who is fastest alone need not be in workers that share memory bandwidth and
caches. The same files for all, in turn, from a warm page cache: what is measured is decoding. Disks: see ``io``.
"""

from __future__ import annotations

import functools
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.images import (
    Reader,
    images_in,
    readers,
    write_photographs,
)
from jupyter_gpuperf.errors import NotFound, Unavailable
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.interleaved import time_interleaved
from jupyter_gpuperf.measure.statistics import inverse, mean_interval
from jupyter_gpuperf.measure.stopping import StopRule, target_ratio

MADE: Final = 48
MOST_IMAGES: Final = 512
ALONE_SHARE: Final = 0.5
"""Of the time, for the readers on one thread; the rest is for the workers."""
BATCH: Final = 16
ROUNDS_A_BLOCK: Final = 2


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure; see the module."""
    found = readers()
    if not found:
        raise Unavailable(
            "package_missing",
            "None of OpenCV, Pillow and torchvision is installed here.",
            "Run: pip install opencv-python-headless pillow.",
        )
    for name, package in (("opencv", "opencv-python-headless"), ("pillow", "pillow")):
        if name not in found:
            context.warn(f"{name} is not installed: it was left out. Run: pip install {package}.")
    with tempfile.TemporaryDirectory(prefix="gpuperf-imread-") as folder:
        context.progress(0.0, "Making images" if not parameters["folder"] else "Listing images")
        paths = _paths(parameters["folder"], Path(folder))
        found = _working(found, paths, context)
        figures, samples = _alone(found, paths, parameters, context)
        torch = _torch(context, parameters["workers"])
        if torch is not None:
            more_figures, more_samples = _in_workers(torch, found, paths, parameters, context)
            figures |= more_figures
            samples |= more_samples
        total = sum(path.stat().st_size for path in paths)
    return {
        "unit": "seconds",
        "figures": figures,
        "samples": samples,
        "environment": {
            **describe(torch),
            "images": len(paths),
            "mean_file_bytes": total / len(paths),
            "page_cache": "warm",
        },
    }


def _paths(folder: str, own: Path) -> list[Path]:
    if not folder:
        return write_photographs(own, MADE)
    paths = images_in(Path(folder).expanduser(), MOST_IMAGES)
    if not paths:
        raise NotFound(
            "no_images",
            f"There are no images in {folder}.",
            "Name a folder that holds JPEG, PNG, WebP or BMP files.",
        )
    return paths


def _working(found: dict[str, Reader], paths: Sequence[Any], context: Context) -> dict[str, Reader]:
    """Return the readers that can read all of the images; it also warms the page cache."""
    working = {}
    for name, reader in found.items():
        try:
            for path in paths:
                reader(str(path))
        except Exception as error:  # each library has its own; which image is what matters  # noqa: BLE001
            context.warn(f"{name} can't read all of the images and was left out: {error}")
        else:
            working[name] = reader
    if not working:
        raise Unavailable(
            "images_not_readable",
            "Nothing here reads all of these images.",
            "Take out the broken ones; the warnings name them.",
        )
    return working


def _alone(
    found: Mapping[str, Reader],
    paths: Sequence[Any],
    parameters: Mapping[str, Any],
    context: Context,
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    names = [str(path) for path in paths]

    def read_all(reader: Reader) -> float:
        began = time.perf_counter()
        for name in names:
            reader(name)
        return (time.perf_counter() - began) / len(names)

    measured = time_interleaved(
        {name: functools.partial(read_all, reader) for name, reader in found.items()},
        target_ratio=target_ratio(parameters["rigorous"]),
        limit_seconds=ALONE_SHARE * parameters["time_limit_seconds"],
        progress=lambda ratio, words: context.progress(0.1 + 0.4 * ratio, words),
    )
    if measured.doubt:
        context.warn(f"On one thread: {measured.doubt}")
    figures: dict[str, Any] = {}
    for name in found:
        figures[f"{name}_images_per_second"] = inverse(measured.median(name))
    for name in found:
        if name != "pillow" and "pillow" in found:
            figures[f"{name}_speedup"] = measured.speedup(name, "pillow")
    return figures, {f"{name}_image_seconds": values for name, values in measured.samples.items()}


def _in_workers(
    torch: Any,
    found: Mapping[str, Reader],
    paths: Sequence[Any],
    parameters: Mapping[str, Any],
    context: Context,
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    workers = parameters["workers"] or max(1, int(resources.usable_cpus()))
    figures: dict[str, Any] = {}
    samples: dict[str, list[float]] = {}
    for place, (name, reader) in enumerate(found.items()):
        rule = StopRule(
            target_ratio=target_ratio(parameters["rigorous"]),
            limit_seconds=(1 - ALONE_SHARE) * parameters["time_limit_seconds"] / len(found),
            interval_of=mean_interval,
        )
        for seconds in _blocks(torch, reader, [str(path) for path in paths], workers):
            rule.add(seconds)
            done = (place + rule.progress_ratio) / len(found)
            context.progress(0.5 + 0.5 * done, f"{name}, {workers} workers")
            if rule.done:
                break
        if doubt := rule.doubt():
            context.warn(f"{name}, {workers} workers: {doubt}")
        figure = f"{name}_{workers}_{'worker' if workers == 1 else 'workers'}"
        samples[f"{figure}_image_seconds"] = rule.blocks
        figures[f"{figure}_images_per_second"] = inverse(mean_interval(rule.blocks))
    return figures, samples


class Images:
    """A data set of files: what a worker returns is only the reader's proof that it decoded."""

    def __init__(self, reader: Reader, names: Sequence[str], length: int) -> None:
        self._reader, self._names, self._length = reader, names, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> int:
        self._reader(self._names[index % len(self._names)])
        return index


def _blocks(torch: Any, reader: Reader, names: Sequence[str], workers: int) -> Iterator[float]:
    """Yield seconds per image over whole rounds of all workers, what prefetching had ready left out."""
    loader = torch.utils.data.DataLoader(
        Images(reader, names, 1 << 40),
        batch_size=BATCH,
        num_workers=workers,
        sampler=range(1 << 40),
    )
    batches = iter(loader)
    try:
        for _ in range(1 + 2 * workers):
            next(batches)
        a_block = ROUNDS_A_BLOCK * workers
        while True:
            began = time.perf_counter()
            for _ in range(a_block):
                next(batches)
            yield (time.perf_counter() - began) / (a_block * BATCH)
    finally:
        _shut_down(batches)


def _shut_down(batches: Any) -> None:
    shut: Callable[[], None] | None = getattr(batches, "_shutdown_workers", None)
    if shut is not None:
        shut()


def _torch(context: Context, workers: int) -> Any:
    if importlib.util.find_spec("torch") is None:
        context.warn("torch is not installed: the readers were not measured in DataLoader workers.")
        return None
    import torch

    if workers > resources.usable_cpus():
        context.warn(
            f"{workers} workers share {resources.usable_cpus():g} processors: they wait for each other."
        )
    return torch


BENCHMARK = Benchmark(
    name="imread",
    label="Image reading",
    help="Reading and decoding images with OpenCV, Pillow and torchvision: on one thread, and in DataLoader "
    "workers.",
    requires=("numpy",),
    parameters=(
        Parameter.text(
            "folder", "", "Your own images; without it, photograph-like JPEGs are made."
        ),
        Parameter.integer(
            "workers",
            0,
            "Workers of the DataLoader; 0 takes one per processor.",
            minimum=0,
            maximum=256,
        ),
        RIGOROUS,
        Parameter.time_limit(20.0),
    ),
    run=run,
)
