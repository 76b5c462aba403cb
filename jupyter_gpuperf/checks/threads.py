"""Checks of NumPy's and PyTorch's threads: their number, their libraries, and pinning to CPUs."""

from __future__ import annotations

import re
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import limits
from jupyter_gpuperf.checks.probes.imports import import_facts, importing_check, loaded_libraries
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import SET_EARLY, unset_advice

COUNT_VARS: Final = tuple(f"{each}_NUM_THREADS" for each in ("OMP", "MKL", "OPENBLAS", "NUMEXPR"))
PINNING_VARS: Final = ("GOMP_CPU_AFFINITY", "OMP_PROC_BIND", "OMP_PLACES")
OPENMP: Final = re.compile(r"(lib(?:gomp|iomp5|omp))(?:-[0-9a-f]+)?\.so")


@check(
    label="Thread counts",
    why="More threads than CPUs take turns, which costs time.",
    expected="No more than this process's CPUs.",
    link="https://pytorch.org/docs/stable/notes/cpu_threading_torchscript_inference.html",
    messages=("OpenBLAS blas_thread_init: pthread_create failed",),
)
def _thread_counts(machine: Machine) -> Outcome:
    cpus = limits.usable_cpus(machine)
    values = {name: value for name in COUNT_VARS if (value := machine.environment.get(name))}
    for name, value in values.items():
        first = value.split(",")[0].strip()
        if not first.isdigit():
            steps = unset_advice(machine, name)
            return suspect("{name}={value} is not a number.", name=name, value=value, **steps)
        if int(first) > max(1.0, cpus) * 1.25:
            return suspect(
                "{name}={value}, but this process has {cpus:g} CPUs: threads wait for each other.",
                fix=f"export {name}={max(1, int(cpus))}",
                then=SET_EARLY,
                name=name,
                value=value,
                cpus=cpus,
            )
    if not values:
        return fine("Not set. CPUs of this process: {cpus:g}.", cpus=cpus)
    shown = [f"{name}={value}" for name, value in values.items()]
    return fine("{variables}. CPUs of this process: {cpus:g}.", variables=shown, cpus=cpus)


@importing_check(
    label="NumPy's BLAS",
    why="It determines the speed of NumPy's matrix products.",
    expected="OpenBLAS, MKL or another that uses all vector instructions.",
    link="https://numpy.org/doc/stable/building/blas_lapack.html",
    messages=("numpy.core.multiarray failed to import",),
)
def _blas(machine: Machine) -> Outcome:
    numpy = import_facts(machine).get("numpy") or {}
    error = numpy.get("error")
    if error == "missing":
        return not_known("NumPy is not installed.")
    if error:
        reinstall = machine.pip_command("install", "--force-reinstall", "numpy")
        return suspect("import numpy fails: {error}", fix=reinstall, error=error)
    blas = numpy.get("blas")
    if blas == "none":
        return suspect(
            "NumPy {version} has no BLAS: matrix products use one core and no vector instructions.",
            fix=machine.pip_command("install", "--force-reinstall", "--only-binary=:all:", "numpy"),
            then="To compare them, run: %gpubench blas",
            **numpy,
        )
    if not blas:
        return fine("NumPy {version} does not report its BLAS.", **numpy)
    if blas in ("auto", "blas", "cblas"):
        return fine("NumPy {version} with the system's {blas}.", **numpy)
    return fine("NumPy {version} with {blas}.", **numpy)


@importing_check(
    label="OpenMP runtimes",
    why="Two in one process start twice as many threads and may crash.",
    expected="One.",
    link="https://pytorch.org/docs/stable/threading_environment_variables.html",
    messages=(
        "OMP: Error #15: Initializing libiomp5.so, but found libiomp5.so already initialized",
        "mkl-service + Intel(R) MKL: MKL_THREADING_LAYER=INTEL is incompatible with libgomp",
    ),
)
def _openmp_runtimes(machine: Machine) -> Outcome:
    loaded = loaded_libraries(machine, OPENMP)
    if machine.environment.get("KMP_DUPLICATE_LIB_OK", "").upper() in ("TRUE", "1"):
        steps = unset_advice(machine, "KMP_DUPLICATE_LIB_OK")
        return suspect(
            "KMP_DUPLICATE_LIB_OK allows several runtimes: results may be wrong.", **steps
        )
    intel_like = [path for kind in ("libiomp5", "libomp") for path in loaded.get(kind, [])]
    if len(intel_like) > 1 or (intel_like and "libgomp" in loaded):
        return suspect(
            "Several OpenMP runtimes are loaded: {paths}. Each starts its own threads.",
            fix="export MKL_THREADING_LAYER=GNU",
            then="Better: install NumPy and PyTorch both with pip, or both with conda.",
            paths=[paths[0] for paths in loaded.values()],
        )
    return fine("Only {names}." if loaded else "No OpenMP runtime is loaded.", names=list(loaded))


@importing_check(
    label="Thread pinning",
    why="Workers inherit it: they all share a few CPUs while the others idle.",
    expected="Not set if a DataLoader has workers.",
    link="https://www.intel.com/content/www/us/en/docs/dpcpp-cpp-compiler/developer-guide-reference/2025-0/thread-affinity-interface.html",
    messages=("OMP: Info #", "KMP_AFFINITY"),
)
def _pinned_threads(machine: Machine) -> Outcome:
    values = machine.environment
    names = [name for name in PINNING_VARS if values.get(name, "").lower() not in ("", "false")]
    affinity = values.get("KMP_AFFINITY", "")
    has_reader = bool(loaded_libraries(machine, OPENMP).keys() - {"libgomp"})
    if has_reader and re.search(r"compact|scatter|explicit", affinity):
        names.append("KMP_AFFINITY")
    if names:
        found = "Threads are pinned by {names}, so all DataLoader workers share the same CPUs."
        return suspect(found, names=names, **unset_advice(machine, *names))
    if affinity and not has_reader:
        return fine("KMP_AFFINITY has no effect: Intel's OpenMP is not loaded.")
    return fine(f"KMP_AFFINITY={affinity}" if affinity else "None is set.")
