"""Checks of the threads of numpy and torch: how many, which library starts them, and how they are pinned."""

from __future__ import annotations

import re
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import limits
from jupyter_gpuperf.checks.probes.imports import imported, importing_check, libraries
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import unset
from jupyter_gpuperf.messages import Message

COUNTS: Final = tuple(f"{each}_NUM_THREADS" for each in ("OMP", "MKL", "OPENBLAS", "NUMEXPR"))
PINNING: Final = ("GOMP_CPU_AFFINITY", "OMP_PROC_BIND", "OMP_PLACES")
OPENMP: Final = re.compile(r"lib(gomp|iomp5|omp)(?:-[0-9a-f]+)?\.so")
FAMILIES: Final = {"gomp": "GNU's", "iomp5": "Intel's", "omp": "LLVM's"}


@check(
    label="Numbers of threads",
    why="More threads than processors take turns, and each turn costs.",
    expected="Not above what this process gets.",
    link="https://pytorch.org/docs/stable/notes/cpu_threading_torchscript_inference.html",
    messages=("OpenBLAS blas_thread_init: pthread_create failed",),
)
def _thread_counts(machine: Machine) -> Outcome:
    usable, values = limits.usable_cpus(machine), machine.environment
    for name in COUNTS:
        value = values.get(name, "")
        first = value.split(",")[0].strip()
        if value and not first.isdigit():
            return suspect(
                Message("{name}={value} is no number.", name=name, value=value),
                **unset(machine, name),
            )
        if first.isdigit() and int(first) > max(1.0, usable) * 1.25:
            return suspect(
                "{name}={value}, and this process gets {usable:g} processors: more threads "
                "than that wait for each other.",
                fix=f"export {name}={max(1, int(usable))}",
                then="Set it before Jupyter starts, or in the first cell with %env, before numpy and torch are imported.",
                name=name,
                value=value,
                usable=usable,
            )
    set_here = [f"{name}={values[name]}" for name in COUNTS if values.get(name)]
    if set_here:
        return fine(
            "{set_here}, for {usable:g} processors.", set_here=", ".join(set_here), usable=usable
        )
    return fine(
        "Not set: each library takes what it counts; this process gets {usable:g} processors.",
        usable=usable,
    )


@importing_check(
    label="numpy's BLAS",
    why="Products of matrices are as fast as the library that numpy was built with.",
    expected="OpenBLAS, MKL or another that uses all vector instructions.",
    link="https://numpy.org/doc/stable/building/blas_lapack.html",
    messages=("numpy.core.multiarray failed to import",),
)
def _blas(machine: Machine) -> Outcome:
    found = imported(machine).get("numpy") or {}
    error = found.get("error")
    if error == "missing":
        return not_known("numpy is not installed in this environment.")
    if error:
        reinstall = machine.pip("install", "--force-reinstall", "numpy")
        return suspect("import numpy fails: {error}", fix=reinstall, error=error)
    blas = str(found.get("blas", ""))
    if not blas:
        return fine(
            "numpy {version}; this version does not tell its BLAS.", version=found["version"]
        )
    if blas == "none":
        return suspect(
            "numpy {version} is built with {blas}: products of matrices run on one core, "
            "without vector instructions.",
            fix=machine.pip("install", "--force-reinstall", "--only-binary=:all:", "numpy"),
            then="Measure both: %gpubench blas.",
            version=found["version"],
            blas=blas,
        )
    if blas in ("auto", "blas", "cblas"):
        return fine(
            "numpy {version} with the system's {blas}.", version=found["version"], blas=blas
        )
    return fine("numpy {version} with {blas}.", version=found["version"], blas=blas)


@importing_check(
    label="Runtimes of OpenMP",
    why="Two in one process start twice as many threads, and may crash.",
    expected="One.",
    link="https://pytorch.org/docs/stable/threading_environment_variables.html",
    messages=(
        "OMP: Error #15: Initializing libiomp5.so, but found libiomp5.so already initialized",
        "mkl-service + Intel(R) MKL: MKL_THREADING_LAYER=INTEL is incompatible with libgomp",
    ),
)
def _openmp_runtimes(machine: Machine) -> Outcome:
    loaded = libraries(machine, OPENMP)
    if machine.environment.get("KMP_DUPLICATE_LIB_OK", "").upper() in ("TRUE", "1"):
        return suspect(
            "KMP_DUPLICATE_LIB_OK is set: two runtimes of OpenMP may run side by side, and results may be wrong.",
            **unset(machine, "KMP_DUPLICATE_LIB_OK"),
        )
    intel_like = [path for kind in ("iomp5", "omp") for path in loaded.get(kind, [])]
    if len(intel_like) > 1 or (intel_like and "gomp" in loaded):
        listed = " and ".join(path for paths in loaded.values() for path in paths[:1])
        return suspect(
            "Several runtimes of OpenMP are in the process: {listed}. Each starts its own threads.",
            fix="export MKL_THREADING_LAYER=GNU",
            then="Better: numpy and torch from one source, both by pip or both by conda.",
            listed=listed,
        )
    if not loaded:
        return fine("No runtime of OpenMP is loaded.")
    return fine("{loaded} alone.", loaded=", ".join(FAMILIES[kind] for kind in loaded))


@importing_check(
    label="Pinned threads",
    why="Workers inherit the pinning: all of them then share a few processors, while the others idle.",
    expected="Not set, where a DataLoader has workers.",
    link="https://www.intel.com/content/www/us/en/docs/dpcpp-cpp-compiler/developer-guide-reference/2025-0/thread-affinity-interface.html",
    messages=("OMP: Info #", "KMP_AFFINITY"),
)
def _pinned_threads(machine: Machine) -> Outcome:
    values = machine.environment
    set_here = [name for name in PINNING if values.get(name, "").lower() not in ("", "false")]
    affinity = values.get("KMP_AFFINITY", "")
    reads_it = bool(libraries(machine, OPENMP).keys() - {"gomp"})
    if affinity and re.search(r"compact|scatter|explicit", affinity) and reads_it:
        set_here.append("KMP_AFFINITY")
    if set_here:
        return suspect(
            Message(
                "{set_here} pins threads to processors, and each worker of a DataLoader is "
                "pinned to the same ones.",
                set_here=", ".join(set_here),
            ),
            **unset(machine, *set_here),
        )
    if affinity and not reads_it:
        return fine(
            "KMP_AFFINITY is set, and nothing in this process reads it: it is Intel's OpenMP that does."
        )
    return fine(
        "None is set." if not affinity else Message("KMP_AFFINITY={affinity}.", affinity=affinity)
    )
