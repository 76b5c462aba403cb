"""Checks of the Jupyter server: versions, server and JupyterLab extensions, and kernel specs."""

from __future__ import annotations

import re
from functools import partial
from shlex import quote
from typing import Any, Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import server
from jupyter_gpuperf.checks.probes.installed import version_numbers
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import edit_command
from jupyter_gpuperf.messages import Message

PACKAGE: Final = "jupyter_gpuperf"
OUR_PANEL: Final = "jupyter-gpuperf"
OLDEST_LAB: Final = (4, 4)
SAFE_SERVER: Final = (2, 18)
MOST_SHOWN: Final = 6
RESTART_SERVER: Final = Message("Then restart the Jupyter server.")
EXTENSIONS: Final = "https://jupyterlab.readthedocs.io/en/stable/user/extensions.html"


def _edit_extensions(machine: Machine, file: str, statement: str) -> str:
    statement = f"it['ServerApp']['jpserver_extensions']{statement}"
    return edit_command(machine.server.get("interpreter", "python"), file, statement)


_server_check = partial(check, server.no_server_outcome)


@_server_check(
    label="Jupyter versions",
    why="The panel needs JupyterLab 4.4; servers before 2.18 have known vulnerabilities.",
    expected="jupyter_server 2.18 and JupyterLab 4.4, or newer.",
    link="https://jupyter-server.readthedocs.io/en/latest/other/changelog.html",
)
def _jupyter_versions(machine: Machine) -> Outcome:
    versions = server.versions(machine)
    lab, version = versions.get("jupyterlab"), versions.get("jupyter-server")
    if version is None:
        return not_known("jupyter_server is not installed in this environment.")
    if version_numbers(version) < SAFE_SERVER:
        fix = server.pip_command(machine, "install", "--upgrade", '"jupyter_server>=2.18"')
        return suspect(
            "jupyter_server {version} has known vulnerabilities.", fix=fix, version=version
        )
    if lab is None:
        return fine("jupyter_server {version}; JupyterLab is not installed.", version=version)
    if version_numbers(lab) < OLDEST_LAB:
        fix = server.pip_command(machine, "install", "--upgrade", "jupyterlab")
        return suspect("JupyterLab {lab}: the panel needs 4.4 or newer.", fix=fix, lab=lab)
    return fine("jupyter_server {version}, JupyterLab {lab}.", version=version, lab=lab)


@_server_check(
    label="This extension",
    why="It has two parts. With only one, the panel is empty or missing.",
    expected="The server part is enabled, and the panel has the same version.",
    link=EXTENSIONS,
    messages=("The server extension is not enabled",),
)
def _gpuperf_installed(machine: Machine) -> Outcome:
    is_enabled, file = server.server_extensions(machine).get(PACKAGE, (False, ""))
    panel = server.lab_extensions(machine).get(OUR_PANEL)
    version = server.versions(machine).get(OUR_PANEL)
    reinstall = server.pip_command(machine, "install", "--force-reinstall", "--no-deps", PACKAGE)
    if file and not is_enabled:
        # `jupyter server extension enable` may write another file, which this one would override.
        fix = _edit_extensions(machine, file, f"[{PACKAGE!r}] = True")
        return broken("The panel's server part is disabled.", fix=fix, then=RESTART_SERVER)
    if not is_enabled:
        fix = f"jupyter server extension enable --sys-prefix {PACKAGE}"
        return broken("The panel's server part is not enabled.", fix=fix, then=RESTART_SERVER)
    if panel is None or panel.package is None:
        return broken("Only the server part is installed, not the panel.", fix=reinstall)
    if OUR_PANEL in server.disabled_lab_extensions(machine):
        fix = f"jupyter labextension enable --level=user {OUR_PANEL}"
        return broken("The panel is disabled in JupyterLab.", fix=fix)
    shown = panel.package.get("version")
    if version and shown and version != shown:
        return suspect(
            "The server part is {version}, the panel {shown}.",
            fix=reinstall,
            then="Then reload the page.",
            version=version,
            shown=shown,
        )
    return fine("Server part and panel: {version}.", version=shown or version or "?")


@_server_check(
    label="JupyterLab extensions",
    why="Every page loads them all; an extension for another version can break it.",
    expected="All support this JupyterLab.",
    link=EXTENSIONS,
    messages=(
        "Unsatisfied version from @jupyterlab/application",
        "The following lab extension is outdated",
    ),
)
def _lab_extensions(machine: Machine) -> Outcome:
    lab = server.versions(machine).get("jupyterlab")
    if lab is None:
        return not_known("JupyterLab is not installed in this environment.")
    disabled = server.disabled_lab_extensions(machine)
    extensions = server.lab_extensions(machine)
    for name, (folder, package) in extensions.items():
        if package is None:
            return suspect(
                "{folder} contains no extension.", fix=f"rm -r {quote(folder)}", folder=folder
            )
        supported = _supported_lab(package)
        if name not in disabled and not allows(supported, version_numbers(lab)[0]):
            return suspect(
                "{name} {version} supports JupyterLab {supported}; this is {lab}.",
                fix=f"jupyter labextension disable --level=user {quote(name)}",
                then="Or install a newer version.",
                name=name,
                version=package.get("version", "?"),
                supported=supported,
                lab=lab,
            )
    count, shown = len(extensions), sorted(disabled)[:MOST_SHOWN]
    if not disabled:
        return fine("Prebuilt extensions: {count}.", count=count)
    return fine("Prebuilt extensions: {count}. Disabled: {disabled}.", count=count, disabled=shown)


def _supported_lab(package: dict[str, Any]) -> str:
    dependencies = {**package.get("devDependencies", {}), **package.get("dependencies", {})}
    return str(dependencies.get("@jupyterlab/application", "*"))


def allows(versions: str, major: int) -> bool:
    """Return whether a range such as ``^3.0.6 || ^4.0.0`` allows a major version."""
    for part in versions.split("||"):
        bound = re.match(r"\s*([~^]|>=?|)\s*v?(\d+)", part)
        if bound is None or int(bound[2]) == major:
            return True  # no bound: `*`, a branch, or a format that is not parsed
        if bound[1].startswith(">") and int(bound[2]) < major:
            return True
    return False


@_server_check(
    label="Server extensions",
    why="The server imports each before it responds.",
    expected="All enabled extensions are installed.",
    link="https://jupyter-server.readthedocs.io/en/latest/developers/extensions.html",
    messages=(
        "Package is missing. Skipping it.",
        "Module could not be imported: skipping extension",
    ),
)
def _server_extensions(machine: Machine) -> Outcome:
    extensions = server.server_extensions(machine)
    files = {name: file for name, (is_enabled, file) in extensions.items() if is_enabled}
    for name, file in files.items():
        if not server.has_module(machine, name):
            return suspect(
                "{name} is enabled but not installed.",
                fix=_edit_extensions(machine, file, f".pop({name!r})"),
                then=RESTART_SERVER,
                name=name,
            )
    return fine(
        "{count} enabled: {names}.",
        then="To measure what each costs, run: %gpubench startup",
        names=sorted(files)[:MOST_SHOWN],
        count=len(files),
    )


@_server_check(
    label="Kernels",
    why="A kernel whose environment was removed is still offered, but fails to start.",
    expected="Each kernel's program exists.",
    link="https://jupyter-client.readthedocs.io/en/latest/kernels.html",
    messages=("Error Starting Kernel", "FileNotFoundError: [Errno 2] No such file or directory"),
)
def _kernel_specs(machine: Machine) -> Outcome:
    specs = server.kernel_specs(machine)
    for name, spec in specs.items():
        program = str((spec.get("argv") or [""])[0])
        if "/" in program and not machine.exists(program):
            return suspect(
                "The kernel {name} starts {program}, which does not exist.",
                fix=f"jupyter kernelspec remove -f {quote(name)}",
                name=name,
                program=program,
            )
    if not specs:
        return fine("Only the server's own Python.")
    return fine("{names}: their programs exist.", names=sorted(specs)[:MOST_SHOWN])
