"""Checks of the installed packages: conflicts, duplicates, and the compiler that some of them need."""

from __future__ import annotations

import re
from collections import defaultdict
from shlex import quote
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes.gpus import has_gpu
from jupyter_gpuperf.checks.probes.imports import importing_check
from jupyter_gpuperf.checks.probes.installed import (
    Package,
    canonical,
    conflicts,
    installed,
    version_of,
    versions,
)
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.system_packages import install_command
from jupyter_gpuperf.checks.runtime import is_about_torch
from jupyter_gpuperf.messages import Message

OPENCV: Final = re.compile(r"opencv(-contrib)?-python(-headless)?")
COMPILERS: Final = ("cc", "gcc", "clang")


@check(
    label="Dependencies",
    why="A package whose dependency has the wrong version fails in unexpected places.",
    expected="No conflicts, as in pip check.",
    link="https://pip.pypa.io/en/stable/cli/pip_check/",
    messages=(
        "pip's dependency resolver does not currently take into account",
        "A module that was compiled using NumPy 1.x cannot be run in NumPy 2",
    ),
)
def _dependencies(machine: Machine) -> Outcome:
    all_conflicts = conflicts(machine)
    if all_conflicts is None:
        return not_known("This needs packaging or pip; neither is installed.")
    wrong = [each for each in all_conflicts if not is_about_torch(each)]
    if not wrong:
        return fine("No conflicts. Packages: {count}.", count=len(versions(machine)))
    # Install each package together with its requirement, so that pip finds versions that fit.
    names = dict.fromkeys(name for each in wrong for name in (each.package, f'"{each.needs}"'))
    return suspect(
        wrong[0].message,
        fix=machine.pip_command("install", *names),
        then="Conflicts: {count}. To list them all, run: pip check",
        count=len(wrong),
    )


@check(
    label="Duplicate packages",
    why="sys.path decides which of two versions is imported; an upgrade changes only one.",
    expected="One version of each.",
    link="https://packaging.python.org/en/latest/specifications/recording-installed-packages/",
    messages=("WARNING: Ignoring invalid distribution",),
)
def _duplicate_packages(machine: Machine) -> Outcome:
    by_name: dict[str, list[Package]] = defaultdict(list)
    for package in installed(machine):
        by_name[canonical(package.name)].append(package)
    for name, copies in by_name.items():
        if len({each.version for each in copies}) > 1:
            return _duplicate(machine, name, copies)
    for folder in filter(None, machine.package_folders):
        for name in machine.listdir(folder):
            if name.startswith("~"):
                path = f"{folder}/{name}"
                found = "An interrupted installation left {path}."
                return suspect(found, fix=f"rm -r {quote(path)}", path=path)
    return fine("No duplicates.")


def _duplicate(machine: Machine, name: str, copies: list[Package]) -> Outcome:
    folder, shown = copies[0].folder, [each.version for each in copies]
    beside = [each for each in copies if each.folder == folder]
    if len({each.version for each in beside}) == 1:
        return suspect(
            "Several versions of {name} are installed ({versions}); Python uses the one in {folder}.",
            fix=machine.pip_command("uninstall", quote(name)),
            then="Each run removes the version that Python uses.",
            name=name,
            versions=shown,
            folder=folder,
        )
    remove = f"rm -r {' '.join(quote(each.metadata_path) for each in beside)}"
    return suspect(
        "Several versions of {name} ({versions}) are in {folder}.",
        fix=f"{remove}\n{machine.pip_command('install', '--force-reinstall', '--no-deps', quote(name))}",
        then="An interrupted upgrade leaves two versions.",
        name=name,
        versions=[each.version for each in beside],
        folder=folder,
    )


@check(
    label="OpenCV",
    why="Four packages provide cv2. Those with a GUI need libraries that servers don't have.",
    expected="Only one; headless on a server.",
    link="https://github.com/opencv/opencv-python#installation-and-usage",
    messages=(
        "ImportError: libGL.so.1: cannot open shared object file",
        "partially initialized module 'cv2' has no attribute",
    ),
)
def _opencv(machine: Machine) -> Outcome:
    names = sorted(filter(OPENCV.fullmatch, versions(machine)))
    if not names:
        return fine("OpenCV is not installed.")
    if len(names) > 1:
        contrib = "-contrib" if any("contrib" in each for each in names) else ""
        return suspect(
            "{names} write to the same folder, cv2: their files mix.",
            fix=machine.replacement_commands(names, f"opencv{contrib}-python-headless"),
            names=names,
        )
    name = names[0]
    if not name.endswith("headless") and _lacks_gl(machine):
        return broken(
            "{name} needs libGL.so.1, which is missing: import cv2 fails.",
            fix=machine.replacement_commands(names, f"{name}-headless"),
            name=name,
        )
    return fine(f"{name} {versions(machine)[name]}")


def _lacks_gl(machine: Machine) -> bool:
    listed = machine.run("ldconfig", "-p")
    if listed.code != 0:
        listed = machine.run("/sbin/ldconfig", "-p")
    return listed.code == 0 and "libGL.so.1" not in listed.out


@check(
    label="Pillow",
    why="Pillow and Pillow-SIMD both provide PIL; together, their files mix.",
    expected="Only one of them.",
    link="https://pillow.readthedocs.io/",
    messages=("The _imaging extension was built for another version of Pillow or PIL",),
)
def _pillow(machine: Machine) -> Outcome:
    present = versions(machine)
    pillow, simd = present.get("pillow"), present.get("pillow-simd")
    if pillow and simd:
        return suspect(
            "Pillow {pillow} and Pillow-SIMD {simd} write to the same folder, PIL.",
            fix=machine.replacement_commands(["pillow", "pillow-simd"], "pillow"),
            then="To compare them, run: %gpubench imread",
            pillow=pillow,
            simd=simd,
        )
    if simd:
        return fine(f"Pillow-SIMD {simd}")
    return fine(f"Pillow {pillow}" if pillow else "Pillow is not installed.")


@check(
    version_of("pandas"),
    label="pandas CSV reader",
    why='With pyarrow, read_csv(engine="pyarrow") uses several threads.',
    expected="pyarrow is installed along with pandas.",
    link="https://pandas.pydata.org/docs/user_guide/pyarrow.html",
    messages=("Missing optional dependency 'pyarrow'",),
)
def _pandas_reader(machine: Machine, pandas: str) -> Outcome:
    if pyarrow := versions(machine).get("pyarrow"):
        return fine("pandas {pandas} with pyarrow {pyarrow}.", pandas=pandas, pyarrow=pyarrow)
    return fine(
        "pandas {pandas} without pyarrow: read_csv uses its own parser.",
        fix=machine.pip_command("install", "pyarrow"),
        then="To compare them, run: %gpubench pandas",
        pandas=pandas,
    )


@importing_check(
    version_of("torch"),
    label="C compiler",
    why="torch.compile and Triton generate code and compile it.",
    expected="A C compiler and Python's headers.",
    link="https://pytorch.org/docs/stable/torch.compiler.html",
    messages=(
        "Failed to find C compiler. Please specify via CC environment variable",
        "fatal error: Python.h: No such file or directory",
        "InvalidCxxCompiler: No working C++ compiler found",
    ),
)
def _compiler(machine: Machine, _: str) -> Outcome:
    chosen = machine.environment.get("CC")
    compiler = next(filter(None, map(machine.which, [chosen] if chosen else COMPILERS)), None)
    if compiler is None:
        found: str = Message("There is no C compiler (cc, gcc or clang) on the PATH.")
        fix = install_command(machine, "gcc", "g++")
    elif not machine.exists(f"{machine.headers}/Python.h"):
        found = Message("There is no Python.h in {folder}.", folder=machine.headers)
        python = machine.headers.rpartition("/")[2].rstrip("t")  # such as python3.12
        fix = install_command(machine, f"{python}-dev")
    else:
        return fine("{compiler} and Python.h.", compiler=compiler)
    judge = suspect if has_gpu(machine) else fine
    return judge(found, fix=fix, then="torch.compile and Triton need it.")
