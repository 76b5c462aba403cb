"""Benchmark of NumPy's matrix products by number of threads: which BLAS it uses, and whether threads help.

Each number of threads runs in its own process, because thread pools read their settings only once. BLAS libraries
ignore a container's CPU quota. They may therefore start more threads than there are CPUs, the usual reason why more
threads are slower.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.child import run_program
from jupyter_gpuperf.measure import resources
from jupyter_gpuperf.measure.environment import describe
from jupyter_gpuperf.measure.statistics import inverse, median_interval
from jupyter_gpuperf.messages import Message

THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
DTYPES: Final = ("float32", "float64")

CHILD_PROGRAM: Final = """
import numpy as np
size, kind, seconds = request
draw = np.random.default_rng(0)
a, b = (draw.standard_normal((size, size)).astype(kind) for _ in range(2))
out = np.empty_like(a)
for _ in range(3):
    np.dot(a, b, out=out)
taken = timed(lambda: np.dot(a, b, out=out), seconds)
library = {}
try:
    library = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
except Exception:  # an older NumPy reports this differently: the library is then unknown
    pass
blas = " ".join(str(library.get(each, "")) for each in ("name", "version")).strip() or None
answer(seconds=taken, numpy=np.__version__, blas=blas)
"""


def run(parameters: Mapping[str, Any], context: Context) -> Measured:
    """Measure the rate of matrix products per number of threads; see the module docstring."""
    size = parameters["size"]
    resources.check_available_memory(5 * 8 * size**2, hint="Choose a smaller size.")
    _warn_of_settings(context)
    plan = [(kind, count) for kind in DTYPES for count in thread_counts(parameters["threads"])]
    samples: dict[str, list[float]] = {}
    figures: dict[str, Any] = {}
    answer: dict[str, Any] = {}
    for index, (kind, count) in enumerate(plan):
        progress = Message.counted(
            "{kind}, {count} thread", "{kind}, {count} threads", count=count, kind=kind
        )
        context.progress(index / len(plan), progress)
        answer = run_program(
            CHILD_PROGRAM,
            [size, kind, parameters["time_limit_seconds"] / len(plan)],
            environment=dict.fromkeys(THREAD_VARIABLES, str(count)),
            error_code="blas_failed",
            package="NumPy",
            hint="Reinstall numpy, or choose a smaller size.",
        )
        name = f"{kind}_{count}_{'thread' if count == 1 else 'threads'}"
        samples[f"{name}_seconds"] = seconds = answer["seconds"]
        figures[f"{name}_flops_per_second"] = inverse(median_interval(seconds), 2.0 * size**3)
    environment = {
        **describe(),
        "numpy": answer["numpy"],
        "blas": answer["blas"],
        **{name.lower(): os.environ.get(name) for name in (*THREAD_VARIABLES, "KMP_AFFINITY")},
    }
    return Measured(
        unit="flops_per_second", figures=figures, samples=samples, environment=environment
    )


def thread_counts(threads: int) -> list[int]:
    """Return the numbers of threads to try: only ``threads``, or, if that is 0, several counts up to the number of usable CPUs.

    After 1 and 2, each number is twice the one before; with more than 16 CPUs, four times.
    """
    if threads:
        return [threads]
    most = max(1, int(resources.usable_cpus()))
    counts, count = [1], 2
    while count < most:
        counts.append(count)
        count *= 4 if most > 16 else 2
    return [*counts, most] if most > 1 else counts


def _warn_of_settings(context: Context) -> None:
    cpus = resources.usable_cpus()
    for name in THREAD_VARIABLES:
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > cpus:
            message = "{name}={value} exceeds {cpus:g} CPUs; this benchmark sets its own value."
            context.warn(Message(message, name=name, value=value, cpus=cpus))
    if "verbose" in os.environ.get("KMP_AFFINITY", ""):
        context.warn("KMP_AFFINITY contains verbose: each process with MKL prints its threads.")


BENCHMARK = Benchmark(
    name="blas",
    label="NumPy matrix products",
    help="np.dot of square matrices in float32 and float64, by number of threads; reports the BLAS library.",
    requires=("numpy",),
    parameters=(
        Parameter.integer("size", 2048, (16, 32768), "Rows and columns of the matrices."),
        Parameter.integer("threads", 0, (0, 1024), "0: try 1, 2, 4, … up to all usable CPUs."),
        Parameter.time_limit(12.0, "Approximate measuring time, for all thread counts together."),
    ),
    run=run,
)
