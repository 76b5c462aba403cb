"""Checks of the Python environment: conflicts, duplicates, and what compiling needs."""

from __future__ import annotations

from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import gpus as look
from jupyter_gpuperf.checks.probes.installed import (
    Package,
    canonical,
    conflicts,
    installed,
    versions,
)
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.runtime import is_about_torch
from jupyter_gpuperf.messages import Message

OPENCV: Final = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
COMPILERS: Final = ("cc", "gcc", "clang")


@check(
    label="Dependencies",
    why="A package with another version of its dependency than it asks for fails where nobody looks.",
    expected="None in conflict, as pip check says it.",
    link="https://pip.pypa.io/en/stable/cli/pip_check/",
    messages=(
        "pip's dependency resolver does not currently take into account",
        "A module that was compiled using NumPy 1.x cannot be run in NumPy 2",
    ),
)
def _dependencies(machine: Machine) -> Outcome:
    found = conflicts(machine)
    if found is None:
        return not_known(
            "Neither packaging nor pip is in this environment, and nothing else understands requirements."
        )
    wrong = [each for each in found if not is_about_torch(each)]
    if not wrong:
        return fine(
            "{machine_count} packages, none in conflict.", machine_count=len(versions(machine))
        )
    first = wrong[0]
    has = first.found or "none"
    # Upgrade the package together with its requirement, so that the two agree.
    names = dict.fromkeys([name for each in wrong for name in (each.package, f'"{each.needs}"')])
    fix = machine.pip("install", *names)
    if len(wrong) > 1:
        return suspect(
            "{package} {version} needs {needs}, found {has}; {wrong_count} more such.",
            fix=fix,
            package=first.package,
            version=first.version,
            needs=first.needs,
            has=has,
            wrong_count=len(wrong) - 1,
        )
    return suspect(
        "{package} {version} needs {needs}, found {has}.",
        fix=fix,
        package=first.package,
        version=first.version,
        needs=first.needs,
        has=has,
    )


@check(
    label="Packages that are there twice",
    why="Which of two versions is imported depends on the path, and an upgrade touches one of them.",
    expected="Each once.",
    link="https://packaging.python.org/en/latest/specifications/recording-installed-packages/",
    messages=("WARNING: Ignoring invalid distribution",),
)
def _duplicate_packages(machine: Machine) -> Outcome:
    by_name: dict[str, list[Package]] = {}
    for each in installed(machine):
        by_name.setdefault(canonical(each.name), []).append(each)
    for name, several in by_name.items():
        if len({each.version for each in several}) < 2:
            continue
        first, second = several[0], several[1]
        if first.folder != second.folder:
            return suspect(
                "{name} is there as {version} and {version_2}; {folder} wins over {folder_2}.",
                fix=machine.pip("uninstall", name),
                then="Each call removes the one that wins.",
                name=name,
                version=first.version,
                version_2=second.version,
                folder=first.folder,
                folder_2=second.folder,
            )
        return suspect(
            "{name} is there as {version} and {version_2}, both in {folder}.",
            fix=f"rm -r {' '.join(each.metadata for each in several)}\n{machine.pip('install', '--force-reinstall', '--no-deps', name)}",
            then="An interrupted upgrade leaves two.",
            name=name,
            version=first.version,
            version_2=second.version,
            folder=first.folder,
        )
    for folder in filter(None, machine.packages):
        for name in machine.names(folder):
            if name.startswith("~"):
                left = f"{folder}/{name}"
                return suspect(
                    "{left} is left from an installation that was broken off.",
                    fix=f"rm -r {left}",
                    left=left,
                )
    return fine("Each package is there once.")


@check(
    label="OpenCV",
    why="Four packages bring one module cv2. The one with windows needs libraries that servers lack.",
    expected="One of them; headless on a server.",
    link="https://github.com/opencv/opencv-python#installation-and-usage",
    messages=(
        "ImportError: libGL.so.1: cannot open shared object file",
        "partially initialized module 'cv2' has no attribute",
    ),
)
def _opencv(machine: Machine) -> Outcome:
    there = [name for name in OPENCV if name in versions(machine)]
    if not there:
        return fine("Not installed.")
    if len(there) > 1:
        contrib = any("contrib" in each for each in there)
        keep = "opencv-contrib-python-headless" if contrib else "opencv-python-headless"
        return suspect(
            "{there} write to the same folder cv2: the last one installed wins, in parts.",
            fix=f"{machine.pip('uninstall', *there)}\n{machine.pip('install', keep)}",
            there=" and ".join(there),
        )
    if not there[0].endswith("headless") and _lacks_gl(machine):
        return broken(
            "{there} needs libGL.so.1, which is not here: import cv2 fails.",
            fix=f"{machine.pip('uninstall', there[0])}\n{machine.pip('install', f'{there[0]}-headless')}",
            there=there[0],
        )
    return fine(
        f"{there[0]} {versions(machine)[there[0]]}.",
        there=there[0],
        machine=versions(machine)[there[0]],
    )


def _lacks_gl(machine: Machine) -> bool:
    listed = machine.run("ldconfig", "-p")
    if listed.code != 0:
        listed = machine.run("/sbin/ldconfig", "-p")
    return listed.code == 0 and "libGL.so.1" not in listed.out


@check(
    label="Pillow",
    why="Pillow and Pillow-SIMD bring one module PIL; with both, files of two versions mix.",
    expected="One of them.",
    link="https://pillow.readthedocs.io/",
    messages=("The _imaging extension was built for another version of Pillow or PIL",),
)
def _pillow(machine: Machine) -> Outcome:
    there = versions(machine)
    if "pillow" in there and "pillow-simd" in there:
        return suspect(
            "Pillow {pillow} and Pillow-SIMD {pillow_simd} write to the same folder PIL.",
            fix=f"{machine.pip('uninstall', 'pillow', 'pillow-simd')}\n{machine.pip('install', 'pillow')}",
            then="Measure before you choose the other: %gpubench imread.",
            pillow=there["pillow"],
            pillow_simd=there["pillow-simd"],
        )
    name = next((each for each in ("pillow-simd", "pillow") if each in there), None)
    return (
        fine(f"{name} {there[name]}.", name=name, there=there[name])
        if name
        else fine("Not installed.")
    )


@check(
    label="pandas' readers",
    why='With pyarrow, read_csv(engine="pyarrow") reads with several threads.',
    expected="pyarrow beside pandas.",
    link="https://pandas.pydata.org/docs/user_guide/pyarrow.html",
    messages=("Missing optional dependency 'pyarrow'",),
)
def _pandas_reader(machine: Machine) -> Outcome:
    there = versions(machine)
    if "pandas" not in there:
        return fine("Not installed.")
    if "pyarrow" in there:
        return fine(
            "pandas {pandas} with pyarrow {pyarrow}.",
            pandas=there["pandas"],
            pyarrow=there["pyarrow"],
        )
    return fine(
        "pandas {pandas} without pyarrow: read_csv takes its own reader.",
        fix=machine.pip("install", "pyarrow"),
        then="Measure both: %gpubench pandas.",
        pandas=there["pandas"],
    )


@check(
    label="C compiler",
    why="torch.compile and Triton write code and compile it here.",
    expected="A C compiler, and Python's headers.",
    link="https://pytorch.org/docs/stable/torch.compiler.html",
    messages=(
        "Failed to find C compiler. Please specify via CC environment variable",
        "fatal error: Python.h: No such file or directory",
        "InvalidCxxCompiler: No working C++ compiler found",
    ),
)
def _compiler(machine: Machine) -> Outcome:
    if "torch" not in versions(machine):
        return fine("torch is not installed: nothing compiles.")
    chosen = machine.environment.get("CC", "")
    found = next(filter(None, map(machine.which, [chosen] if chosen else COMPILERS)), None)
    header = machine.exists(f"{machine.headers}/Python.h")
    python = machine.headers.rpartition("/")[2].rstrip("t")  # such as python3.12
    if found and header:
        return fine("{value}, and Python.h.", value=found)
    sentence = (
        Message("There is no Python.h in {headers}.", headers=machine.headers)
        if found
        else "There is no C compiler (cc, gcc or clang) on the PATH."
    )
    fix = f"sudo apt-get install -y {python}-dev" if found else "sudo apt-get install -y gcc g++"
    if not look.has_gpu(machine):
        return fine(sentence, fix=fix, then="torch.compile would need it.")
    return suspect(sentence, fix=fix, then="torch.compile and Triton need it.")
