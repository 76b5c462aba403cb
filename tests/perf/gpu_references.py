"""Compare the GPU benchmarks with references, in one run on one device.

    python tests/perf/gpu_references.py [--what bandwidth matmul compute] [--json]

The reference of bandwidth is the driver's own copies (cuMemcpy…Async), timed with the same events; of matmul, the
best shape of the whole fine grid, with the same timer; of compute, torch.utils.benchmark. It prints ours ÷ the
reference.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import statistics
import time

import torch

from jupyter_gpuperf.benchmarks import Context, bandwidth, compute, find, matmul
from jupyter_gpuperf.measure import shape_search
from jupyter_gpuperf.measure.timer import block_timer, time_call

QUIET = Context(progress=lambda ratio, words: None, warn=print)
DEVICE = torch.device("cuda")


def defaults(name: str, **wishes: object) -> dict[str, object]:
    """Return a benchmark's parameters: ``wishes``, and the defaults of the others."""
    return find(name).check(wishes)


def bandwidth_ratios() -> dict[str, float]:
    """Return the rate of our copies ÷ the driver's, measured in alternation."""
    size = 512 << 20
    driver = ctypes.CDLL("libcuda.so.1")
    pinned = torch.ones(size, dtype=torch.uint8).pin_memory()
    here, there = (torch.ones(size, dtype=torch.uint8, device=DEVICE) for _ in range(2))
    stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)

    def copy(function: str, target: int, source: int):
        call = getattr(driver, function)
        arguments = (
            ctypes.c_uint64(target),
            ctypes.c_uint64(source),
            ctypes.c_size_t(size),
            stream,
        )
        if function == "cuMemcpyHtoDAsync_v2":
            arguments = (arguments[0], ctypes.c_void_p(source), *arguments[2:])
        if function == "cuMemcpyDtoHAsync_v2":
            arguments = (ctypes.c_void_p(target), *arguments[1:])

        def run() -> None:
            assert call(*arguments) == 0

        return run

    references = {
        "copy": (copy("cuMemcpyDtoDAsync_v2", there.data_ptr(), here.data_ptr()), 2.0 * size),
        "host_to_device_pinned": (copy("cuMemcpyHtoDAsync_v2", there.data_ptr(), pinned.data_ptr()), size),
        "device_to_host_pinned": (copy("cuMemcpyDtoHAsync_v2", pinned.data_ptr(), there.data_ptr()), size),
    }  # fmt: skip
    parameters = defaults("bandwidth", rigorous=True, time_limit_seconds=20.0)
    ratios: dict[str, list[float]] = {name: [] for name in references}
    for _ in range(3):
        ours = bandwidth.run(parameters, QUIET)["figures"]
        for name, (call, moved_bytes) in references.items():
            timing = time_call(
                call, device=DEVICE, target_ratio=0.01, limit_seconds=5, progress=lambda *_: None
            )
            theirs = moved_bytes / statistics.median(timing.call_seconds)
            ratios[name].append(ours[f"{name}_bytes_per_second"]["value"] / theirs)
    found = {
        f"{name}_ratio": round(statistics.median(values), 4) for name, values in ratios.items()
    }
    return {**found, **{name: round(each["value"] / 1e9, 1) for name, each in ours.items()}}


def matmul_ratios(kind: str = "bf16") -> dict[str, object]:
    """Return our best shape's rate ÷ that of the best shape of the whole fine grid, measured in alternation."""
    began = time.perf_counter()
    ours = matmul.run(defaults("matmul", precision=kind), QUIET)
    took_seconds = time.perf_counter() - began
    winner = tuple(int(size) for size in ours["environment"][f"{kind}_shape"].split("×"))
    products = matmul.Products(torch, DEVICE, kind)
    sizes = range(1024, products.largest + 1, 1024)
    began = time.perf_counter()
    rates = {
        shape: products.rate(shape, shape_search.BLOCK_SECONDS)
        for shape in itertools.product(sizes, sizes, sizes)
    }
    exhaustive_seconds = time.perf_counter() - began
    best = sorted(rates, key=rates.__getitem__, reverse=True)[:20]
    looks: dict[tuple[int, ...], list[float]] = {shape: [] for shape in {*best, winner}}
    for _ in range(7):
        for shape, values in looks.items():
            values.append(products.rate(shape, 0.2))
    medians = {shape: statistics.median(values) for shape, values in looks.items()}
    champion = max(medians, key=medians.__getitem__)
    products.close()
    return {
        "search_seconds": round(took_seconds, 1),
        "exhaustive_seconds": round(exhaustive_seconds, 1),
        "shapes": len(rates),
        "winner": winner,
        "champion": champion,
        "winner_tflops": round(medians[winner] / 1e12, 1),
        "champion_tflops": round(medians[champion] / 1e12, 1),
        "reported_tflops": round(ours["figures"][f"{kind}_flops_per_second"]["value"] / 1e12, 1),
        "ratio": round(medians[winner] / medians[champion], 4),
    }


def compute_ratios() -> dict[str, float]:
    """Return our time per pass ÷ that of torch.utils.benchmark."""
    from torch.utils.benchmark import Timer

    ratios = []
    for _ in range(3):
        parameters = defaults("compute")
        ours = compute.run(parameters, QUIET)["figures"]["pass_seconds"]["value"]
        forward = compute._forward(parameters, DEVICE)
        theirs = Timer("forward()", globals={"forward": forward}).blocked_autorange(min_run_time=2)
        ratios.append(ours / theirs.median)
    return {"ratio": round(statistics.median(ratios), 4), "median_ms": round(1000 * ours, 4)}


KNOWN = {"bandwidth": bandwidth_ratios, "matmul": matmul_ratios, "compute": compute_ratios}


def main() -> None:
    """Measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--what", nargs="+", choices=KNOWN, default=list(KNOWN))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    block_timer(lambda: torch.zeros(1, device=DEVICE), DEVICE)(1)
    found = {name: KNOWN[name]() for name in options.what}
    print(json.dumps(found) if options.json else found)


if __name__ == "__main__":
    main()
