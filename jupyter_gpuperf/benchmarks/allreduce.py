"""Benchmark of all-reduce across all GPUs of this machine: how fast data-parallel training sums gradients.

Runs one process per GPU with NCCL; without GPUs, runs processes on the CPU with gloo. Bus bandwidth is the rate on the
links: a message's size divided by its time, times 2(n-1)/n for n ranks, as in NVIDIA's nccl-tests. It can be compared
with a link's data sheet for any number of ranks.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.child import last_line
from jupyter_gpuperf.errors import BadRequest, GpuPerfError, Unavailable
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import half_width_ratio, inverse, median_interval
from jupyter_gpuperf.measure.stopping import QUICK_RATIO
from jupyter_gpuperf.messages import Message

RANK_PROGRAM: Final = Path(__file__).parent / "workloads" / "rank.py"
MIB: Final = 1 << 20
GROWTH: Final = 16
"""Factor from one message size to the next."""
LATENCY_BYTES: Final = 8
TOO_WIDE: Final = (
    "{size}: the interval is ±{reached:.1f} %, not ±{target:.0f} %; raise the time limit."
)
START_SECONDS: Final = 120.0
"""Time allowed for importing torch from a slow disk, and for the ranks to connect."""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure all-reduce times and bus bandwidths; see the module docstring."""
    import torch

    backend, processes = _plan(torch, parameters, context)
    sizes = _sizes(parameters)
    if backend == "gloo":
        resources.check_available_memory(
            3 * sizes[-1] * processes, hint="Choose a smaller largest_mib."
        )
    samples: dict[str, list[float]] = {}
    figures: dict[str, Any] = {}
    context.progress(0.0, Message("Starting {processes} processes", processes=processes))
    factor = 2 * (processes - 1) / processes
    limit_seconds = parameters["time_limit_seconds"]
    answers = _run_ranks(processes, backend, [LATENCY_BYTES, *sizes], limit_seconds)
    for index, (size_bytes, seconds) in enumerate(answers):
        size = _size_label(size_bytes)
        context.progress((index + 1) / (len(sizes) + 1), Message("{size} done", size=size))
        interval = median_interval(seconds)
        if size_bytes == LATENCY_BYTES:
            samples["latency_seconds"], figures["latency_seconds"] = seconds, interval
        else:
            name = size.replace(" ", "_").lower()
            samples[f"reduce_{name}_seconds"] = seconds
            figures[f"bus_{name}_bytes_per_second"] = inverse(interval, factor * size_bytes)
        if (reached_ratio := half_width_ratio(interval)) > QUICK_RATIO:
            context.warn(
                Message(TOO_WIDE, size=size, reached=100 * reached_ratio, target=100 * QUICK_RATIO)
            )
    cuda = backend == "nccl"
    environment = {
        **describe(torch, torch.device("cuda" if cuda else "cpu")),
        "backend": backend,
        "processes": processes,
        "nccl": _nccl_version(torch) if cuda else None,
        "nvlink_multicast": False if cuda else None,
    }
    return Measured(unit="seconds", figures=figures, samples=samples, environment=environment)


def _plan(torch: Any, parameters: Mapping[str, Any], context: Context) -> tuple[str, int]:
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    backend, processes = parameters["backend"], parameters["processes"]
    if backend == "auto":
        backend = "nccl" if gpus else "gloo"
    if backend == "nccl":
        processes = processes or gpus
        if gpus < 2 or processes > gpus:
            raise Unavailable(
                "not_enough_gpus",
                "All-reduce over {needed} GPUs is impossible: PyTorch found {gpus}.",
                "Use a machine with more GPUs, or add --backend gloo to measure the CPU.",
                needed=max(2, processes),
                gpus=gpus,
            )
    else:
        processes = processes or 2
        context.warn("gloo uses the CPU; this does not measure the links between GPUs.")
    if processes < 2:
        message, hint = "All-reduce needs at least two processes.", "Increase processes."
        raise BadRequest("too_few_processes", message, hint)
    return backend, processes


def _sizes(parameters: Mapping[str, Any]) -> list[int]:
    smallest, largest = parameters["smallest_mib"], parameters["largest_mib"]
    if smallest > largest:
        message, hint = "smallest_mib is larger than largest_mib.", "Swap them."
        raise BadRequest("sizes_wrong_way_round", message, hint)
    sizes = []
    while smallest < largest:
        sizes.append(MIB * smallest)
        smallest *= GROWTH
    return [*sizes, MIB * largest]


def _run_ranks(
    processes: int, backend: str, sizes: Sequence[int], limit_seconds: float
) -> Iterator[tuple[int, list[float]]]:
    """Start the ranks, and yield each size in bytes with its samples in seconds. Kills all ranks at the end."""
    with tempfile.TemporaryDirectory(prefix="gpuperf-allreduce-") as made:
        folder = Path(made)
        task = {
            "processes": processes,
            "backend": backend,
            "rendezvous_file": str(folder / "rendezvous"),
            "sizes_bytes": list(sizes),
            "seconds_per_size": limit_seconds / len(sizes),
        }
        ranks: list[subprocess.Popen[str]] = []
        try:
            for rank in range(processes):
                ranks.append(_start({**task, "rank": rank}, folder / f"{rank}.log"))
            yield from _read_answers(ranks, len(sizes), folder, START_SECONDS + 3 * limit_seconds)
        finally:
            for each in ranks:
                each.kill()
            for each in ranks:
                with contextlib.suppress(OSError), each:
                    pass  # leaving the block waits for the process and closes its pipes


def _start(task: Mapping[str, Any], log: Path) -> subprocess.Popen[str]:
    # With NVLink multicast, the switch does the sums. That does not measure the links, and not
    # every machine has it set up.
    environment = os.environ | {"NCCL_NVLS_ENABLE": "0", "OMP_NUM_THREADS": "1"}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(RANK_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        )
    assert process.stdin is not None  # it is a pipe
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()  # left open: the rank exits when its standard input is closed
    return process


def _read_answers(
    ranks: Sequence[subprocess.Popen[str]], answers: int, folder: Path, limit_seconds: float
) -> Iterator[tuple[int, list[float]]]:
    import select

    output = ranks[0].stdout
    assert output is not None  # it is a pipe
    ends_at = time.monotonic() + limit_seconds
    while answers:
        readable, _, _ = select.select([output], [], [], 0.2)
        line = output.readline() if readable else ""
        if line:
            answer = json.loads(line)
            yield answer["size_bytes"], answer["seconds"]
            answers -= 1
            continue
        ended = [rank for rank, process in enumerate(ranks) if process.poll() not in (None, 0)]
        if ended or readable:  # end of file: rank 0 exited without an error
            raise _rank_error(ended[0] if ended else 0, folder)
        if time.monotonic() > ends_at:
            raise GpuPerfError(
                "rank_hangs",
                "The processes did not respond within {seconds:.0f} s.",
                "Check for a firewall, or set NCCL_DEBUG=INFO for a detailed log.",
                seconds=limit_seconds,
            )


def _rank_error(rank: int, folder: Path) -> GpuPerfError:
    log = folder / f"{rank}.log"
    return GpuPerfError(
        "rank_failed",
        "Process {rank} died: {last_line}",
        "Set NCCL_DEBUG=INFO for a detailed log.",
        rank=rank,
        last_line=last_line(log.read_text(errors="replace") if log.exists() else ""),
    )


def _size_label(size_bytes: int) -> str:
    if size_bytes < MIB:
        return f"{size_bytes} B"
    gib, rest = divmod(size_bytes, 1024 * MIB)
    return f"{size_bytes // MIB} MiB" if rest else f"{gib} GiB"


def _nccl_version(torch: Any) -> str | None:
    with contextlib.suppress(AttributeError, RuntimeError):
        return ".".join(map(str, torch.cuda.nccl.version()))
    return None


BENCHMARK = Benchmark(
    name="allreduce",
    label="All-reduce",
    help="Sum gradients over all GPUs with NCCL, or over processes with gloo: latency, and link bandwidth by "
    "message size.",
    requires=("torch",),
    all_devices=True,
    parameters=(
        Parameter.integer("processes", 0, (0, 64), "0: one per GPU, or two without a GPU."),
        Parameter.choice(
            "backend", "auto", ("auto", "nccl", "gloo"), "nccl between GPUs, gloo on the CPU."
        ),
        Parameter.integer("smallest_mib", 1, (1, 65536), "Smallest message, in MiB."),
        Parameter.integer("largest_mib", 256, (1, 65536), "Largest message, in MiB."),
        Parameter.time_limit(20.0, "Approximate measuring time, for all sizes together."),
    ),
    run=run,
)
