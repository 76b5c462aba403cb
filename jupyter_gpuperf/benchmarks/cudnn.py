"""What cuDNN's search for the fastest algorithm gains, and what it costs: ``torch.backends.cudnn.benchmark``.

With it, the first call of every new shape tries all algorithms. That pays where shapes stay the same, and
costs anew with each ragged batch; some algorithms take much more memory. Measured with the switch on and off: steps of
one shape in turn, the first call of shapes not seen before, and the most memory that these took.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.benchmarks.workloads.training import SIZES, Size, TrainingStep, check_precision
from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.measure.device import PRECISIONS
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.memory import fits, free
from jupyter_gpuperf.measure.statistics import exactly, mean_of_few
from jupyter_gpuperf.measure.timer import warm_block

NEW_SHAPES: Final = 5
"""Batches of sizes not seen before: as many first calls are timed."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure; see the module."""
    import torch

    if not torch.cuda.is_available() or not torch.backends.cudnn.is_available():
        message = "cuDNN works on CUDA devices alone, and this torch sees none."
        hint = "Run it on a machine with an NVIDIA GPU, with a CUDA build of torch."
        raise Unavailable("no_gpu", message, hint)
    device = torch.device("cuda")
    check_precision(torch, device, parameters["precision"])
    make = functools.partial(
        TrainingStep,
        torch,
        device,
        network="resnet",
        precision=parameters["precision"],
        channels_last=parameters["channels_last"],
    )
    size = fits(torch, lambda each: make(size=each)(), SIZES["resnet", "cuda"], context.warn)
    if size.batch <= NEW_SHAPES:
        raise Unavailable(
            "out_of_memory",
            f"Only {size.batch} images fit into the GPU's memory: too few for {NEW_SHAPES} sizes.",
            "Free what other processes hold.",
        )
    firsts: dict[str, list[float]] = {}
    peaks: dict[str, Any] = {}
    with lane(torch, False) as off, lane(torch, True) as on:
        lanes = {"off": off, "on": on}
        first_calls = functools.partial(_first_calls, torch, device, make, size)
        for place, (name, run_in) in enumerate(lanes.items()):
            context.progress(0.2 * place, f"New shapes, {name}")
            seconds, allocated, reserved = run_in(first_calls)
            firsts[f"{name}_new_shape_seconds"] = seconds
            peaks[f"{name}_peak_allocated_bytes"] = exactly(allocated)
            peaks[f"{name}_peak_reserved_bytes"] = exactly(reserved)
        # Only now what stays: it would have counted as the other's memory.
        blocks: dict[str, Callable[[], float]] = {}
        for name, run_in in lanes.items():
            block = run_in(functools.partial(warm_block, make(size=size), device))
            blocks[name] = functools.partial(run_in, block)
        found = Stopwatch(parameters, context.span(0.4, 1.0)).in_turn(blocks)
    figures = {f"{name}_step_seconds": found.median(name) for name in lanes}
    figures["on_speedup"] = found.speedup("on", "off")
    figures |= {name: mean_of_few(values) for name, values in firsts.items()}
    samples = {f"{name}_step_seconds": values for name, values in found.samples.items()}
    environment = {
        **describe(torch, device),
        "cudnn": torch.backends.cudnn.version(),
        "measured_batch_size": size.batch,
    }
    return Measured(
        unit="seconds",
        figures=figures | peaks,
        samples=samples | firsts,
        environment=environment,
    )


@contextlib.contextmanager
def lane(torch: Any, wanted: bool) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Give what runs a function in a thread in which the switch is on or off, backward pass and all.

    cuDNN's plans are kept per thread and shape, whatever the switch was when they were made. In one thread the
    plans of whichever came first would serve both. The switch is put back after each run.
    """

    def switched(work: Callable[[], Any]) -> Any:
        switches = torch.backends.cudnn
        before, switches.benchmark = switches.benchmark, wanted
        try:
            # Else torch runs the backward pass in a thread that all lanes would share.
            with torch.autograd.set_multithreading_enabled(False):
                return work()
        finally:
            switches.benchmark = before

    with ThreadPoolExecutor(max_workers=1) as thread:
        yield lambda work: thread.submit(switched, work).result()


def _first_calls(
    torch: Any,
    device: Any,
    make: Callable[..., TrainingStep],
    size: Size,
) -> tuple[list[float], float, float]:
    """Return seconds of a first step per new batch size, and the most memory allocated and reserved."""
    free(torch)
    torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for place in range(NEW_SHAPES + 1):
        step = make(size=Size(batch=size.batch - place, side=size.side))
        torch.cuda.synchronize(device)
        began = time.perf_counter()
        step()
        torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
        del step
    allocated = float(torch.cuda.max_memory_allocated(device))
    reserved = float(torch.cuda.max_memory_reserved(device))
    free(torch)
    return seconds[1:], allocated, reserved  # the very first loads the libraries


BENCHMARK = Benchmark(
    name="cudnn",
    label="cuDNN's search",
    help="A convolutional network with torch.backends.cudnn.benchmark on and off: time of a step, of the "
    "first step of a new shape, and memory. Needs an NVIDIA GPU.",
    requires=("torch",),
    parameters=(
        Parameter.choice(
            "precision",
            "fp16",
            PRECISIONS,
            "fp32 means IEEE, without TF32; bf16 and fp16 by autocast.",
        ),
        Parameter.boolean(
            "channels_last", False, "Keep images as tensor cores like them: channels last."
        ),
        RIGOROUS,
        Parameter.time_limit(20.0, "Stop measuring the steps after this time, converged or not."),
    ),
    run=run,
)
