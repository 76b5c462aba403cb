"""Benchmark of NumPy's matrix products by number of threads: which BLAS it uses, and whether threads help.

Each number of threads runs in its own process, because thread pools read their settings only once. The libraries
ignore a container's CPU quota, so having more threads than CPUs is the usual reason why more threads are slower.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from jupyter_gpuperf.benchmarks.declaration import Benchmark, Context, Measured, Parameter
from jupyter_gpuperf.benchmarks.workloads.child import answer_of
from jupyter_gpuperf.errors import GpuPerfError
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
KINDS: Final = ("float32", "float64")

CHILD: Final = """
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
    resources.check_room(5 * 8 * size**2, hint="Ask for a smaller size.")
    _warn_of_settings(context)
    counts = thread_counts(parameters["threads"])
    plan = [(kind, count) for kind in KINDS for count in counts]
    samples: dict[str, list[float]] = {}
    figures: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for place, (kind, count) in enumerate(plan):
        context.progress(
            place / len(plan), Message("{kind}, {value} threads", kind=kind, value=count)
        )
        found = _measure(size, kind, count, parameters["time_limit_seconds"] / len(plan))
        name = f"{kind}_{count}_{'thread' if count == 1 else 'threads'}"
        samples[f"{name}_seconds"] = seconds = found["seconds"]
        figures[f"{name}_flops_per_second"] = inverse(median_interval(seconds), 2.0 * size**3)
    environment = {
        **describe(),
        "numpy": found["numpy"],
        "blas": found["blas"],
        **{name.lower(): os.environ.get(name) for name in (*THREAD_VARIABLES, "KMP_AFFINITY")},
    }
    return Measured(
        unit="flops_per_second", figures=figures, samples=samples, environment=environment
    )


def thread_counts(wanted: int) -> list[int]:
    """Return the numbers of threads to try: ``wanted`` alone, or from 1 up to the CPUs that this process may use.

    They double each time, or grow fourfold with more than 16 CPUs.
    """
    if wanted:
        return [wanted]
    most = max(1, int(resources.usable_cpus()))
    counts, count = [1], 2
    while count < most:
        counts.append(count)
        count *= 4 if most > 16 else 2
    return [*counts, most] if most > 1 else counts


def _measure(size: int, kind: str, threads: int, seconds: float) -> dict[str, Any]:
    return answer_of(
        CHILD,
        [size, kind, seconds],
        environment=dict.fromkeys(THREAD_VARIABLES, str(threads)),
        failed=lambda code, last: GpuPerfError(
            "blas_failed",
            "NumPy ended with {value}: {last}",
            "Install numpy again, or ask for a smaller size.",
            value=code,
            last=last,
        ),
    )


def _warn_of_settings(context: Context) -> None:
    cpus = resources.usable_cpus()
    for name in THREAD_VARIABLES:
        value = os.environ.get(name, "")
        if value.isdecimal() and int(value) > cpus:
            context.warn(
                Message(
                    "{name}={value} in this environment: its threads share {cpus:g} processors and "
                    "wait for each other. Here each number of threads was set for itself.",
                    name=name,
                    value=value,
                    cpus=cpus,
                )
            )
    if "verbose" in os.environ.get("KMP_AFFINITY", ""):
        context.warn("KMP_AFFINITY holds verbose: every process that uses MKL prints its threads.")


BENCHMARK = Benchmark(
    name="blas",
    label="NumPy products",
    help="np.dot of square matrices in float32 and float64, by number of threads; names the BLAS library.",
    requires=("numpy",),
    parameters=(
        Parameter.integer("size", 2048, (16, 32768), "Rows and columns of the matrices."),
        Parameter.integer(
            "threads", 0, (0, 1024), "Only this number; 0 tries one, doubling, and all."
        ),
        Parameter.time_limit(12.0, "About how long to measure, all numbers of threads together."),
    ),
    run=run,
)
