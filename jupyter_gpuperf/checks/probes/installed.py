"""The packages of the examined environment, read from metadata without importing them. Standard library only."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.metadata import Distribution, distributions
from typing import Any, NamedTuple

from jupyter_gpuperf.checks.probes.machine import Machine


class Package(NamedTuple):
    """One installed distribution."""

    name: str
    version: str
    folder: str
    metadata: str
    """The path of its ``.dist-info`` or ``.egg-info``."""
    requires: tuple[str, ...]


def canonical(name: str) -> str:
    """Return a package name in the normalized form used for comparison: ``Pillow_SIMD`` → ``pillow-simd``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(machine: Machine) -> list[Package]:
    """Return every distribution on the path, in Python's search order."""
    return machine.once("installed", lambda: packages_in(machine, machine.packages))


def packages_in(machine: Machine, folders: Iterable[str]) -> list[Package]:
    """Return every distribution in these folders, in the order of the folders."""
    found, seen = [], set()
    for folder in filter(None, dict.fromkeys(folders)):
        for each in distributions(path=[str(machine.at(folder))]):
            metadata = str(getattr(each, "_path", ""))
            header = header_of(each)
            if "Name" in header and metadata not in seen:
                seen.add(metadata)
                version = header.get("Version", ["0"])[0]
                requires = header.get("Requires-Dist") or each.requires or ()
                name = header["Name"][0]
                found.append(Package(name, version, folder, metadata, tuple(requires)))
    return found


def header_of(each: Distribution) -> dict[str, list[str]]:
    """Return the fields of a package's metadata. Skips the description, which is most of the text."""
    text = each.read_text("METADATA") or each.read_text("PKG-INFO") or ""
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


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``13.0`` → ``(13, 0)``."""
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, leading[0].split("."))) if leading else ()


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
    name: str
    found: str | None
    """The installed version, or ``None``."""


def conflicts(machine: Machine) -> list[Conflict] | None:
    """Return the conflicts that ``pip check`` would report; ``None`` if no library here can parse requirements."""
    return machine.once("conflicts", lambda: _conflicts(machine))


def _conflicts(machine: Machine) -> list[Conflict] | None:
    requirement = requirement_class()
    if requirement is None:
        return None
    there = versions(machine)
    found = [
        _conflict(package, text, requirement, there)
        for package in installed(machine)
        if there[canonical(package.name)] == package.version  # not shadowed by another copy
        for text in package.requires
    ]
    return sorted(filter(None, found), key=lambda each: (each.package, each.needs))


def _conflict(
    package: Package, text: str, requirement: Callable[[str], Any], there: dict[str, str]
) -> Conflict | None:
    try:
        needed = requirement(text)
        applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
    except ValueError:
        return None  # metadata older than the standard
    has = there.get(canonical(needed.name))
    if not applies or (has and needed.specifier.contains(has, prereleases=True)):
        return None
    needs = f"{needed.name}{needed.specifier}"
    return Conflict(package.name, package.version, needs, needed.name, has)
