"""Read the examined environment's packages from their metadata, without importing them. Standard library only."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.metadata import Distribution, distributions
from typing import Any, NamedTuple

from jupyter_gpuperf.checks.declaration import Outcome, fine
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.messages import Message


class Package(NamedTuple):
    """One installed distribution."""

    name: str
    version: str
    folder: str
    metadata_path: str
    """The path of its ``.dist-info`` or ``.egg-info``."""
    requires: tuple[str, ...]


def canonical(name: str) -> str:
    """Return a package name in the normalized form used for comparison: ``Pillow_SIMD`` → ``pillow-simd``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(machine: Machine) -> list[Package]:
    """Return every distribution on the interpreter's ``sys.path``, in search order."""
    return machine.cached("installed", lambda: packages_in(machine, machine.package_folders))


def packages_in(machine: Machine, folders: Iterable[str]) -> list[Package]:
    """Return every distribution in these folders, in the order of the folders."""
    packages: dict[str, Package] = {}
    for folder in filter(None, dict.fromkeys(folders)):
        for each in distributions(path=[str(machine.actual_path(folder))]):
            metadata = str(getattr(each, "_path", ""))
            header = metadata_fields(each)
            if "Name" in header and metadata not in packages:
                name, version = header["Name"][0], header.get("Version", ["0"])[0]
                requires = header.get("Requires-Dist") or each.requires or ()
                packages[metadata] = Package(name, version, folder, metadata, tuple(requires))
    return list(packages.values())


def metadata_fields(distribution: Distribution) -> dict[str, list[str]]:
    """Return the fields of a package's metadata, without the description, which is most of the text."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    fields: dict[str, list[str]] = {}
    for line in re.split(r"\r?\n", text.split("\n\n", 1)[0]):
        name, colon, value = line.partition(":")
        if colon and not name.startswith((" ", "\t")):
            fields.setdefault(name, []).append(value.strip())
    return fields


def versions(machine: Machine) -> dict[str, str]:
    """Return canonical name → version of the package that Python finds first."""
    return versions_of(installed(machine))


def versions_of(packages: Sequence[Package]) -> dict[str, str]:
    """Return canonical name → version of the first package of that name."""
    return {canonical(each.name): each.version for each in reversed(packages)}


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``13.0`` → ``(13, 0)``."""
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, leading[0].split("."))) if leading else ()


def version_of(package: str) -> Callable[[Machine], str | Outcome]:
    """Return a function for ``@check`` that returns a package's version, or an outcome if it is not installed."""

    def version(machine: Machine) -> str | Outcome:
        return versions(machine).get(package) or fine(
            "{package} is not installed.", package=package
        )

    return version


def requirement_class() -> Any:
    """Return the Requirement class of ``packaging``, or of pip's copy; ``None`` if neither is installed."""
    for name in ("packaging.requirements", "pip._vendor.packaging.requirements"):
        with contextlib.suppress(ImportError):
            return import_module(name).Requirement
    return None


class Conflict(NamedTuple):
    """A requirement that the installed packages don't meet."""

    package: str
    version: str
    needs: str
    """The requirement as written in the metadata, without its marker."""
    required_package: str
    """The name of the required package."""
    installed: str | None
    """The installed version; ``None`` if the package is missing."""

    @property
    def message(self) -> Message:
        """The conflict as a sentence."""
        if self.installed is None:
            return Message("{package} {version} needs {needs}, which is missing.", **self._asdict())
        return Message("{package} {version} needs {needs}, found {installed}.", **self._asdict())


def conflicts(machine: Machine) -> list[Conflict] | None:
    """Return the conflicts that ``pip check`` would report; ``None`` without ``packaging`` or pip to parse them."""
    return machine.cached("conflicts", lambda: _conflicts(machine))


def _conflicts(machine: Machine) -> list[Conflict] | None:
    requirement = requirement_class()
    if requirement is None:
        return None
    present = versions(machine)
    conflicting = [
        _conflict(package, text, requirement, present)
        for package in installed(machine)
        if present[canonical(package.name)] == package.version  # not shadowed by another copy
        for text in package.requires
    ]
    return sorted(filter(None, conflicting), key=lambda each: (each.package, each.needs))


def _conflict(
    package: Package, text: str, requirement: Callable[[str], Any], present: dict[str, str]
) -> Conflict | None:
    try:
        needed = requirement(text)
        applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
    except ValueError:
        return None  # an old package, not in the standard format
    version = present.get(canonical(needed.name))
    if not applies or (version and needed.specifier.contains(version, prereleases=True)):
        return None
    needs = f"{needed.name}{needed.specifier}"
    return Conflict(package.name, package.version, needs, needed.name, version)
