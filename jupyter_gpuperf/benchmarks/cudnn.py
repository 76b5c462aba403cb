"""Benchmark of cuDNN's search for the fastest algorithm (``torch.backends.cudnn.benchmark``): its gain and its cost.

With the search, the first call with each new shape tries all algorithms. This pays off if shapes are constant, but its
cost recurs with every new batch size, and some algorithms need much more memory. Measures, with the switch on and off:
steps with a constant shape, the first call with each new shape, and the peak memory of these first calls.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads import training
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.benchmarks.workloads.training import Size, TrainingStep
from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.measure.device import PRECISIONS
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.memory import free_device_memory, largest_that_fits
from jupyter_gpuperf.measure.statistics import exact_interval, small_sample_mean
from jupyter_gpuperf.measure.timer import warmed_up_timer

NEW_SHAPES: Final = 5
"""Number of new batch sizes whose first call is timed."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure step times, first calls and peak memory with the search on and off; see the module docstring."""
    import torch

    if not torch.cuda.is_available() or not torch.backends.cudnn.is_available():
        message = "cuDNN needs a GPU; PyTorch found none."
        raise Unavailable("no_gpu", message, "Use a GPU and a CUDA build of torch.")
    device = torch.device("cuda")
    training.check_precision(torch, device, parameters["precision"])
    options = {name: parameters[name] for name in ("precision", "channels_last")}
    make = functools.partial(TrainingStep, torch, device, network="resnet", **options)
    size = largest_that_fits(
        torch, lambda each: make(size=each)(), training.SIZES["resnet", "cuda"], context.warn
    )
    if size.batch <= NEW_SHAPES:
        message = "Too little GPU memory is free: only {batch} images fit, too few to vary the batch size."
        hint = "Free memory held by other processes."
        raise Unavailable("out_of_memory", message, hint, batch=size.batch)
    firsts: dict[str, list[float]] = {}
    peaks: dict[str, Any] = {}
    with search_thread(torch, False) as off, search_thread(torch, True) as on:
        lanes = {"off": off, "on": on}
        first_calls = functools.partial(_first_calls, torch, device, make, size)
        for index, (name, run_in) in enumerate(lanes.items()):
            message = "New shapes with search" if name == "on" else "New shapes without search"
            context.progress(0.2 * index, message)
            seconds, allocated, reserved = run_in(first_calls)
            firsts[f"{name}_new_shape_seconds"] = seconds
            peaks[f"{name}_peak_allocated_bytes"] = exact_interval(allocated)
            peaks[f"{name}_peak_reserved_bytes"] = exact_interval(reserved)
        # Allocate these steps only after the peaks are measured, or they would count in them.
        blocks: dict[str, Callable[[], float]] = {}
        for name, run_in in lanes.items():
            block = run_in(functools.partial(warmed_up_timer, make(size=size), device))
            blocks[name] = functools.partial(run_in, block)
        timings = Stopwatch(parameters, context.span(0.4, 1.0)).in_turn(blocks)
    figures = timings.figures("step_seconds", "off")
    figures |= {name: small_sample_mean(values) for name, values in firsts.items()}
    samples = {f"{name}_step_seconds": values for name, values in timings.samples.items()}
    environment = {
        **describe(torch, device),
        "cudnn": torch.backends.cudnn.version(),
        "measured_batch_size": size.batch,
    }
    figures, samples = figures | peaks, samples | firsts
    return Measured(unit="seconds", figures=figures, samples=samples, environment=environment)


@contextlib.contextmanager
def search_thread(torch: Any, searches: bool) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Yield a function that runs another function in its own thread, with the switch on or off.

    cuDNN keeps its plans per thread and shape, and does not distinguish them by the switch. In a single thread, both
    settings would use the plans that were made first. The switch is restored after each run.
    """

    def switched(work: Callable[[], Any]) -> Any:
        switches = torch.backends.cudnn
        before, switches.benchmark = switches.benchmark, searches
        try:
            # Otherwise torch runs the backward pass in a thread that both settings share.
            with torch.autograd.set_multithreading_enabled(False):
                return work()
        finally:
            switches.benchmark = before

    with ThreadPoolExecutor(max_workers=1) as thread:
        yield lambda work: thread.submit(switched, work).result()


def _first_calls(
    torch: Any, device: Any, make: Callable[..., TrainingStep], size: Size
) -> tuple[list[float], float, float]:
    """Return the seconds of the first step with each new batch size, and the peak bytes allocated and reserved."""
    free_device_memory(torch)
    torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for index in range(NEW_SHAPES + 1):
        step = make(size=Size(batch=size.batch - index, side=size.side))
        torch.cuda.synchronize(device)
        began = time.perf_counter()
        step()
        torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
        del step
    allocated = float(torch.cuda.max_memory_allocated(device))
    reserved = float(torch.cuda.max_memory_reserved(device))
    free_device_memory(torch)
    return seconds[1:], allocated, reserved  # the very first call loads the libraries


BENCHMARK = Benchmark(
    name="cudnn",
    label="cuDNN's search",
    help="A convolutional network with torch.backends.cudnn.benchmark on and off: time per step, time of the "
    "first step with a new shape, and memory. Needs an NVIDIA GPU.",
    requires=("torch",),
    parameters=(
        Parameter.choice("precision", "fp16", PRECISIONS, training.PRECISION_HELP),
        Parameter.boolean("channels_last", False, "The layout that tensor cores prefer."),
        RIGOROUS,
        Parameter.time_limit(20.0, "Time for the steps; new shapes are timed first."),
    ),
    run=run,
)
