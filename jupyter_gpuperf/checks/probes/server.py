"""The Jupyter server's packages, configuration and extensions, read from files. Standard library only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_gpuperf.checks.declaration import Outcome, not_known
from jupyter_gpuperf.checks.probes.installed import packages_in, versions_of
from jupyter_gpuperf.checks.probes.machine import Machine


class LabExtension(NamedTuple):
    """A prebuilt extension of JupyterLab."""

    folder: str
    package: dict[str, Any] | None
    """The contents of its package.json; ``None`` if there is none."""


def without_server(machine: Machine) -> Outcome | None:
    """Return an outcome saying why the server can't be checked; ``None`` if it can."""
    if machine.server:
        return None
    return not_known(
        "The Jupyter server runs in another environment; choose the server to look at that."
    )


def server_pip(machine: Machine, *words: str) -> str:
    """Return the pip command for the server's Python."""
    return f"{machine.server.get('interpreter', 'python')} -m pip {' '.join(words)}"


def server_versions(machine: Machine) -> dict[str, str]:
    """Return canonical name → version of the server's packages."""
    folders = machine.server.get("packages", [])
    return machine.once("server_versions", lambda: versions_of(packages_in(machine, folders)))


def read_json(machine: Machine, path: str) -> Any:
    """Return the contents of a JSON file; an empty dictionary if it is missing or is not JSON."""
    try:
        return json.loads(machine.text(path) or "{}")
    except ValueError:
        return {}


def lab_extensions(machine: Machine) -> dict[str, LabExtension]:
    """Return name → prebuilt extension. Earlier folders take precedence."""
    found: dict[str, LabExtension] = {}
    for data in machine.server.get("data_path", []):
        top = f"{data}/labextensions"
        for name in machine.names(top):
            scoped = machine.names(f"{top}/{name}") if name.startswith("@") else [""]
            for each in (f"{name}/{inner}".rstrip("/") for inner in scoped):
                package = read_json(machine, f"{top}/{each}/package.json") or None
                found.setdefault(each, LabExtension(f"{top}/{each}", package))
    return found


def disabled_lab_extensions(machine: Machine) -> set[str]:
    """Return the names of the extensions that page_config.json disables. The user's own file takes precedence."""
    pages = [f"{each}/labconfig/page_config.json" for each in machine.server.get("config_path", [])]
    pages.append(f"{machine.server.get('prefix', '')}/share/jupyter/lab/settings/page_config.json")
    found: dict[str, bool] = {}
    for page in reversed(pages):
        disabled = read_json(machine, page).get("disabledExtensions", {})
        found |= disabled if isinstance(disabled, dict) else dict.fromkeys(disabled, True)
    return {name for name, value in found.items() if value}


def server_extensions(machine: Machine) -> dict[str, tuple[bool, str]]:
    """Return the server's extensions: module → whether it is enabled, and the file that sets it."""
    found: dict[str, tuple[bool, str]] = {}
    # The user's own folder comes first and takes precedence.
    for folder in reversed(machine.server.get("config_path", [])):
        parts = f"{folder}/jupyter_server_config.d"
        files = [f"{parts}/{name}" for name in machine.names(parts) if name.endswith(".json")]
        for file in [*files, f"{folder}/jupyter_server_config.json"]:
            listed = read_json(machine, file).get("ServerApp", {}).get("jpserver_extensions", {})
            found |= {str(name): (bool(on), file) for name, on in dict(listed).items()}
    return found


def has_module(machine: Machine, module: str) -> bool:
    """Return whether the server's Python can find a module, by looking for its files."""
    place = module.replace(".", "/")
    for folder in machine.server.get("packages", []):
        if machine.exists(Path(folder) / place) or machine.exists(f"{folder}/{place}.py"):
            return True
        # Editable installs have no such path, only files that name the module.
        names = machine.names(folder)
        if any(each.endswith(".pth") or each.startswith("__editable__") for each in names) and any(
            each.startswith((f"_{module}", f"_editable_impl_{module}", f"__editable___{module}"))
            for each in names
        ):
            return True
    return False


def kernel_specs(machine: Machine) -> dict[str, dict[str, Any]]:
    """Return name → kernel.json. Earlier folders take precedence."""
    found: dict[str, dict[str, Any]] = {}
    for data in machine.server.get("data_path", []):
        for name in machine.names(f"{data}/kernels"):
            spec = read_json(machine, f"{data}/kernels/{name}/kernel.json")
            if spec:
                found.setdefault(name, spec)
    return found
