"""Read the Jupyter server's packages, configuration and extensions from files. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_gpuperf.checks.declaration import Outcome, not_known
from jupyter_gpuperf.checks.probes.installed import packages_in, versions_of
from jupyter_gpuperf.checks.probes.machine import Machine


class LabExtension(NamedTuple):
    """A prebuilt JupyterLab extension."""

    folder: str
    package: dict[str, Any] | None
    """The contents of its package.json; ``None`` if there is none."""


def no_server_outcome(machine: Machine) -> Outcome | None:
    """Return an outcome if nothing is known about the server; ``None`` otherwise."""
    if machine.server:
        return None
    return not_known("The Jupyter server runs in another environment; choose it to check this.")


def pip_command(machine: Machine, action: str, *arguments: str) -> str:
    """Return the pip command for the server's Python."""
    known = machine.server
    python, folders = known.get("interpreter", "python"), known.get("packages", [])
    of_server = replace(machine, interpreter=python, package_folders=folders)
    return of_server.pip_command(action, *arguments)


def versions(machine: Machine) -> dict[str, str]:
    """Return canonical name → version of the server's packages."""
    folders = machine.server.get("packages", [])
    return machine.cached("server_versions", lambda: versions_of(packages_in(machine, folders)))


def read_json(machine: Machine, path: str) -> Any:
    """Return the contents of a JSON file; an empty dictionary if it is missing or is not JSON."""
    try:
        return json.loads(machine.read(path) or "{}")
    except ValueError:
        return {}


def _in_data(machine: Machine, kind: str) -> Iterator[tuple[str, str]]:
    """Yield the name and path of each entry of a subfolder, such as ``kernels``, of the server's data folders."""
    for data in machine.server.get("data_path", []):
        for name in machine.listdir(f"{data}/{kind}"):
            yield name, f"{data}/{kind}/{name}"


def lab_extensions(machine: Machine) -> dict[str, LabExtension]:
    """Return name → prebuilt extension. Earlier folders take precedence."""
    extensions: dict[str, LabExtension] = {}
    for name, folder in _in_data(machine, "labextensions"):
        scoped = machine.listdir(folder) if name.startswith("@") else [""]
        for inner in (f"/{each}".rstrip("/") for each in scoped):
            package = read_json(machine, f"{folder}{inner}/package.json") or None
            extensions.setdefault(f"{name}{inner}", LabExtension(f"{folder}{inner}", package))
    return extensions


def disabled_lab_extensions(machine: Machine) -> set[str]:
    """Return the names of the extensions that page_config.json disables. The user's own file takes precedence."""
    pages = [f"{each}/labconfig/page_config.json" for each in machine.server.get("config_path", [])]
    pages.append(f"{machine.server.get('prefix', '')}/share/jupyter/lab/settings/page_config.json")
    merged: dict[str, bool] = {}
    for page in reversed(pages):
        disabled = read_json(machine, page).get("disabledExtensions", {})
        merged |= disabled if isinstance(disabled, dict) else dict.fromkeys(disabled, True)
    return {name for name, is_disabled in merged.items() if is_disabled}


def server_extensions(machine: Machine) -> dict[str, tuple[bool, str]]:
    """Return the server extensions: module → whether it is enabled, and the file that says so."""
    extensions: dict[str, tuple[bool, str]] = {}
    # The user's own folder comes first and takes precedence.
    for folder in reversed(machine.server.get("config_path", [])):
        parts = f"{folder}/jupyter_server_config.d"
        files = [f"{parts}/{name}" for name in machine.listdir(parts) if name.endswith(".json")]
        for file in [*files, f"{folder}/jupyter_server_config.json"]:
            listed = read_json(machine, file).get("ServerApp", {}).get("jpserver_extensions", {})
            extensions |= {str(name): (bool(on), file) for name, on in dict(listed).items()}
    return extensions


def has_module(machine: Machine, module: str) -> bool:
    """Return whether the server's Python can find a module, judged by the files in its package folders."""
    place = module.replace(".", "/")
    # An editable install has no such path, only files that are named after the module.
    editable = (f"_{module}", f"_editable_impl_{module}", f"__editable___{module}")
    for folder in machine.server.get("packages", []):
        if machine.exists(Path(folder) / place) or machine.exists(f"{folder}/{place}.py"):
            return True
        names = machine.listdir(folder)
        has_editable = any(
            each.endswith(".pth") or each.startswith("__editable__") for each in names
        )
        if has_editable and any(each.startswith(editable) for each in names):
            return True
    return False


def has_other_pythons(machine: Machine) -> bool:
    """Return whether a kernel starts a Python of another environment than the examined one."""
    programs = (str((spec.get("argv") or [""])[0]) for spec in kernel_specs(machine).values())
    # A virtual environment's Pythons have one folder; their links lead to a Python that others share.
    own = Path(machine.interpreter).parent
    return any("/" in each and Path(each).parent != own for each in programs)


def kernel_specs(machine: Machine) -> dict[str, dict[str, Any]]:
    """Return name → kernel.json. Earlier folders take precedence."""
    specs: dict[str, dict[str, Any]] = {}
    for name, folder in _in_data(machine, "kernels"):
        if spec := read_json(machine, f"{folder}/kernel.json"):
            specs.setdefault(name, spec)
    return specs
