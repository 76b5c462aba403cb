"""Name the commands of the system's package manager. Standard library only."""

from __future__ import annotations

import re
from typing import Final

from jupyter_gpuperf.checks.probes.machine import Machine

MANAGERS: Final = {
    "apt-get": ("apt-get install -y", "apt-cache search"),
    "dnf": ("dnf install -y", "dnf search"),
    "yum": ("yum install -y", "yum search"),
    "zypper": ("zypper install -y", "zypper search"),
    "pacman": ("pacman -S", "pacman -Ss"),
    "apk": ("apk add", "apk search"),
}
"""Package manager → how it installs and searches packages."""
NAMES: Final = {
    "g++": {"dnf": "gcc-c++", "yum": "gcc-c++", "zypper": "gcc-c++", "pacman": "gcc"},
    "nvidia-driver": {"pacman": "nvidia", "apk": "nvidia"},
    "python-dev": {
        **dict.fromkeys(("dnf", "yum", "zypper"), "python3-devel"),
        "pacman": "python",
        "apk": "python3-dev",
    },
}
"""Debian's name of a package, without Python's version → its names for other package managers."""


def install_command(machine: Machine, *packages: str) -> str:
    """Return the command that installs packages, given by Debian's names."""
    names = dict.fromkeys(_name(machine, each) for each in packages)
    return f"sudo {MANAGERS[_manager(machine)][0]} {' '.join(names)}"


def search_command(machine: Machine, package: str) -> str:
    """Return the command that searches a package, given by Debian's name."""
    return f"{MANAGERS[_manager(machine)][1]} {_name(machine, package)}"


def _name(machine: Machine, package: str) -> str:
    others = NAMES.get(re.sub(r"^python[\d.]+", "python", package), {})
    return others.get(_manager(machine), package)


def _manager(machine: Machine) -> str:
    return next(filter(machine.which, MANAGERS), "apt-get")
