"""Benchmark of matrix products: the highest rate that this device reaches, per number format.

No product reaches the data sheet's rate. How close it gets depends on its shape, the library and the power limit.
The benchmark therefore searches for the best shape: first in a coarse grid, then among the neighbors of the best
shapes, then by timing the winners again for longer. Operands are random: zeros draw less power and would look faster.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import RIGOROUS, Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.device import device_of
from jupyter_gpuperf.benchmarks.workloads.timing import Stopwatch
from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.measure.bounds import Work
from jupyter_gpuperf.measure.device import limits_of
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.shape_search import GRID_STEP, Search, Shape
from jupyter_gpuperf.measure.statistics import inverse, median_interval
from jupyter_gpuperf.measure.timer import block_timer, flusher
from jupyter_gpuperf.messages import Message

FORMATS: Final = ("fp32", "tf32", "fp16", "bf16", "fp8")
LARGEST_SIZE: Final = 16_384
SMALLEST_ON_CPU, LARGEST_ON_CPU = 256, 1024
SHARE_OF_MEMORY: Final = 0.5
ITEM_BYTES: Final = {"fp32": (4, 4), "tf32": (4, 4), "fp16": (2, 2), "bf16": (2, 2), "fp8": (1, 2)}
"""Bytes per element of an operand, and of the product."""
MINIMUM_CAPABILITY: Final = {"bf16": (8, 0), "tf32": (8, 0), "fp8": (8, 9)}
SEARCH_SHARE: Final = 0.75
"""Share of the time limit for the search; the rest is for timing the best shape."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure the highest rate per number format, in floating-point operations per second; see the module docstring."""
    import torch

    device = device_of(torch, context)
    precision = parameters["precision"]
    requested = FORMATS if precision == "all" else (precision,)
    kinds = [kind for kind in requested if _is_supported(torch, device, kind)]
    if not kinds:
        message = "This device does not support {precision} matrix products."
        hint = "Choose another precision."
        raise Unavailable("format_not_supported", message, hint, precision=precision)
    chip = limits_of(torch, device)
    samples: dict[str, list[float]] = {}
    figures: dict[str, Any] = {}
    limits: dict[str, float] = {}
    environment = describe(torch, device)
    if parameters["flush_l2"] and device.type == "cuda":
        environment["l2_flushed"] = True
    for index, kind in enumerate(kinds):
        part = context.part(index, len(kinds), kind)
        with contextlib.closing(Products(torch, device, kind, parameters["flush_l2"])) as products:
            shape, seconds = _measure(products, parameters, part, 1 / len(kinds))
        work = _work(shape, kind)
        samples[f"{kind}_seconds"] = seconds
        figures[f"{kind}_flops_per_second"] = inverse(median_interval(seconds), work.flop)
        environment[f"{kind}_shape"] = "×".join(map(str, shape))
        environment |= work.environment_entries(chip, kind, prefix=f"{kind}_")
        if chip is not None and kind in chip.flops:
            limits[f"{kind}_flops_per_second"] = chip.flops[kind]
    if chip is not None:
        environment |= chip.limit_entries(*kinds)
        if chip.bytes_per_second:
            limits["memory_bytes_per_second"] = chip.bytes_per_second
        if chip.not_recognized:
            message = "{reason} Limits are calculated from multiprocessors and clock, as far as these are known."
            context.warn(Message(message, reason=chip.not_recognized))
    return Measured(
        unit="flops_per_second",
        figures=figures,
        samples=samples,
        environment=environment,
        limits=limits,
    )


def _measure(
    products: Products, parameters: Mapping[str, Any], context: Context, share: float
) -> tuple[Shape, list[float]]:
    """Search for the best shape within ``share`` of the time limit; return it, and its samples in seconds per call."""

    def so_far(flops_per_second: float) -> str:
        return Message("{best:.3g} Tflop/s so far", best=flops_per_second / 1e12)

    search = Search(
        products.rate,
        largest=products.largest,
        limit_seconds=SEARCH_SHARE * share * parameters["time_limit_seconds"],
        report_progress=lambda ratio, best: context.progress(SEARCH_SHARE * ratio, so_far(best)),
    )
    shape = search.best_of(products.grid())
    span = context.span(SEARCH_SHARE, 1.0)
    timing = Stopwatch(parameters, span, (1 - SEARCH_SHARE) * share).call(
        products.call(shape),
        products.device,
        describe=lambda seconds: so_far(_flop(shape) / seconds),
        flush=products.flush,
    )
    return shape, timing.call_seconds


def _flop(shape: Shape) -> float:
    return 2.0 * math.prod(shape)


def _work(shape: Shape, kind: str) -> Work:
    rows, columns, inner = shape
    read, written = ITEM_BYTES[kind]
    traffic = read * (rows * inner + inner * columns) + written * rows * columns
    return Work(flop=_flop(shape), traffic_bytes=float(traffic))


class Products:
    """Matrix products in one number format. The operands are allocated once; every shape is a view of them.

    Sets torch's TF32 switch for the format; :meth:`close` restores it.

    Parameters
    ----------
    flush_l2
        Whether the GPU's L2 cache is emptied before each timed product.
    """

    def __init__(self, torch: Any, device: Any, kind: str, flush_l2: bool = False) -> None:
        self._torch, self.device, self._kind = torch, device, kind
        self.flush = flusher(torch, device) if flush_l2 and device.type == "cuda" else None
        self.largest = LARGEST_SIZE if device.type == "cuda" else LARGEST_ON_CPU
        self._before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
        self._fit_memory()
        count = self.largest**2
        types = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp8": torch.float8_e4m3fn}
        stored = types.get(kind, torch.float32)
        self._operands = [torch.randn(count, device=device).to(stored) for _ in range(2)]
        product = torch.bfloat16 if kind == "fp8" else stored
        self._out = torch.empty(count, device=device, dtype=product)

    def close(self) -> None:
        """Free the operands and restore torch's TF32 switch."""
        self._torch.set_float32_matmul_precision(self._before)
        self._operands, self._out = [], None

    def grid(self) -> list[Shape]:
        """Return the shapes of the coarse grid, medium sizes first, so that even a search cut short has tried these."""
        step = GRID_STEP if self.device.type == "cuda" else SMALLEST_ON_CPU
        sizes = range(step, self.largest + 1, step)
        shapes = list(itertools.product(sizes, sizes, sizes))
        middle = self.largest / 3
        return sorted(shapes, key=lambda shape: sum(abs(math.log(size / middle)) for size in shape))

    def call(self, shape: Shape) -> Callable[[], object]:
        """Return a function that computes one product of this shape."""
        rows, columns, inner = shape
        torch = self._torch
        a = self._operands[0][: rows * inner].view(rows, inner)
        b = self._operands[1][: inner * columns]
        if self._kind == "fp8":
            transposed = b.view(columns, inner).t()
            one = torch.ones((), device=self.device)
            return lambda: torch._scaled_mm(a, transposed, one, one, out_dtype=torch.bfloat16)
        out = self._out[: rows * columns].view(rows, columns)
        wide = b.view(inner, columns)
        return lambda: torch.mm(a, wide, out=out)

    def rate(self, shape: Shape, seconds: float) -> float:
        """Return the floating-point operations per second of this shape, measured for about ``seconds``."""
        time_block = block_timer(self.call(shape), self.device, self.flush)
        once = time_block(1)  # this call also selects the GPU kernel
        calls = max(1, math.ceil(seconds / max(min(once, time_block(1)), 1e-7)))
        return _flop(shape) / time_block(calls)

    def _fit_memory(self) -> None:
        if self.device.type != "cuda":
            return
        free_bytes, _ = self._torch.cuda.mem_get_info(self.device)
        while 4 * 4 * self.largest**2 > SHARE_OF_MEMORY * free_bytes and self.largest > GRID_STEP:
            self.largest -= GRID_STEP


def _is_supported(torch: Any, device: Any, kind: str) -> bool:
    if device.type == "cpu":
        return kind in ("fp32", "bf16")
    capability = torch.cuda.get_device_capability(device)
    if kind == "fp8" and not hasattr(torch, "_scaled_mm"):
        return False
    return bool(capability >= MINIMUM_CAPABILITY.get(kind, (0, 0)))


BENCHMARK = Benchmark(
    name="matmul",
    label="Matrix products",
    help="The highest rate of matrix products over many shapes, compared with the data sheet.",
    requires=("torch",),
    parameters=(
        Parameter.choice(
            "precision", "bf16", (*FORMATS, "all"), "Format of the operands; all: each in turn."
        ),
        Parameter.boolean("flush_l2", False, "Empty the L2 cache before each product."),
        RIGOROUS,
        Parameter.time_limit(60.0, "Total measuring time, including the search.", minimum=2.0),
    ),
    run=run,
)
