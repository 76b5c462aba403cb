"""Checks of the Jupyter server: versions, extensions on both sides, and kernel specs."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from jupyter_gpuperf.checks.declaration import Outcome, broken, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import server as look
from jupyter_gpuperf.checks.probes.installed import numbers
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.checks.probes.unset import line_that_edits

OURS: Final = "jupyter_gpuperf"
OUR_PANEL: Final = "jupyter-gpuperf"
OLDEST_LAB: Final = (4, 4)
SAFE_SERVER: Final = (2, 18)
SHOWN: Final = 6
EXTENSIONS_OF: Final = "it['ServerApp']['jpserver_extensions']"
EXTENSIONS: Final = "https://jupyterlab.readthedocs.io/en/stable/user/extensions.html"


def _editing(machine: Machine, file: str, statement: str) -> str:
    return line_that_edits(machine.server.get("interpreter", "python"), file, statement)


_server_check = partial(check, look.without_server)


@_server_check(
    label="Jupyter's versions",
    why="The panel needs JupyterLab 4.4; servers before 2.18 have known holes.",
    expected="jupyter_server 2.18 and JupyterLab 4.4, or newer.",
    link="https://jupyter-server.readthedocs.io/en/latest/other/changelog.html",
)
def _jupyter_versions(machine: Machine) -> Outcome:
    there = look.server_versions(machine)
    lab, server = there.get("jupyterlab"), there.get("jupyter-server")
    if server is None:
        return not_known("jupyter_server is not among the packages of this environment.")
    if numbers(server) < SAFE_SERVER:
        return suspect(
            "jupyter_server {server} has known security holes.",
            fix=look.server_pip(machine, "install", "--upgrade", '"jupyter_server>=2.18"'),
            server=server,
        )
    if lab is not None and numbers(lab) < OLDEST_LAB:
        return suspect(
            "JupyterLab {lab}: the panel needs 4.4 or newer.",
            fix=look.server_pip(machine, "install", "--upgrade", "jupyterlab"),
            lab=lab,
        )
    return fine(
        "jupyter_server {server}, JupyterLab {lab}.", server=server, lab=lab or "not installed"
    )


@_server_check(
    label="This extension",
    why="It has two halves; with one of them the panel is empty, or not there.",
    expected="The server's part is enabled, and the panel is of the same version.",
    link=EXTENSIONS,
    messages=("The server extension is not enabled",),
)
def _gpuperf_installed(machine: Machine) -> Outcome:
    enabled, file = look.server_extensions(machine).get(OURS, (None, ""))
    panel = look.lab_extensions(machine).get(OUR_PANEL)
    version = look.server_versions(machine).get(OUR_PANEL)
    again = look.server_pip(machine, "install", "--force-reinstall", "--no-deps", OURS)
    if not enabled:
        return broken(
            "The panel's server extension is disabled."
            if enabled is False
            else "The panel's server extension is not configured.",
            # The command would write next to the file that disables it, without effect.
            fix=_editing(machine, file, f"{EXTENSIONS_OF}[{OURS!r}] = True")
            if file
            else f"jupyter server extension enable --sys-prefix {OURS}",
            then="Then restart the Jupyter server.",
        )
    if panel is None or panel.package is None:
        found = "The server extension is there, and the panel for JupyterLab is not."
        return broken(found, fix=again)
    if OUR_PANEL in look.disabled_lab_extensions(machine):
        return broken(
            "The panel is disabled in JupyterLab.",
            fix=f"jupyter labextension enable --level=user {OUR_PANEL}",
        )
    shown = panel.package.get("version")
    if version and shown and version != shown:
        return suspect(
            "The server's part is {version}, the panel is {shown}.",
            fix=again,
            then="Then reload the page.",
            version=version,
            shown=shown,
        )
    return fine("Server and panel are {shown}.", shown=shown)


@_server_check(
    label="Extensions of JupyterLab",
    why="Each is loaded with every page; one made for another JupyterLab breaks it.",
    expected="All made for this JupyterLab.",
    link=EXTENSIONS,
    messages=(
        "Unsatisfied version from @jupyterlab/application",
        "The following lab extension is outdated",
    ),
)
def _lab_extensions(machine: Machine) -> Outcome:
    lab = look.server_versions(machine).get("jupyterlab")
    if lab is None:
        return not_known("JupyterLab is not among the packages of this environment.")
    disabled = look.disabled_lab_extensions(machine)
    every = look.lab_extensions(machine)
    for name, each in every.items():
        if each.package is None:
            return suspect(
                "{folder} holds no extension.", fix=f"rm -r {each.folder}", folder=each.folder
            )
        wants = _lab_wanted(each.package)
        if name not in disabled and not allows(wants, numbers(lab)[0]):
            return suspect(
                "{name} {value} is made for JupyterLab {wants}; this is {lab}.",
                fix=f"jupyter labextension disable --level=user {name}",
                then="Or install a newer one.",
                name=name,
                value=each.package.get("version", ""),
                wants=wants,
                lab=lab,
            )
    off = ", ".join(sorted(disabled)[:SHOWN]) or "none"
    return fine(
        "{every_count} prebuilt extensions; disabled: {off}.", every_count=len(every), off=off
    )


def _lab_wanted(package: dict[str, Any]) -> str:
    wants = {**package.get("devDependencies", {}), **package.get("dependencies", {})}
    return str(wants.get("@jupyterlab/application", "*"))


def allows(wanted: str, major: int) -> bool:
    """Return whether a range such as ``^3.0.6 || ^4.0.0`` allows a major version."""
    for part in wanted.split("||"):
        found = re.match(r"\s*([~^]|>=?|)\s*v?(\d+)", part)
        if found is None or int(found[2]) == major:
            return True  # None: `*`, a branch, or a format we don't parse
        if found[1].startswith(">") and int(found[2]) < major:
            return True
    return False


@_server_check(
    label="Extensions of the server",
    why="Each is imported before the server answers.",
    expected="All that are enabled are installed.",
    link="https://jupyter-server.readthedocs.io/en/latest/developers/extensions.html",
    messages=(
        "Package is missing. Skipping it.",
        "Module could not be imported: skipping extension",
    ),
)
def _server_extensions(machine: Machine) -> Outcome:
    every = look.server_extensions(machine)
    on = {name: file for name, (enabled, file) in every.items() if enabled}
    missing = [name for name in on if not look.has_module(machine, name)]
    if missing:
        return suspect(
            "{missing} is enabled, and not installed: the server looks for it at each start.",
            fix=_editing(machine, on[missing[0]], f"{EXTENSIONS_OF}.pop({missing[0]!r})"),
            then="Then restart the Jupyter server.",
            missing=missing[0],
        )
    return fine(
        "{on_count} enabled: {on}.",
        then="%gpubench startup measures what each costs.",
        on_count=len(on),
        on=", ".join(sorted(on)[:SHOWN]),
    )


@_server_check(
    label="Kernels",
    why="A kernel whose environment was removed is offered, and fails when it is started.",
    expected="Each starts a program that is there.",
    link="https://jupyter-client.readthedocs.io/en/latest/kernels.html",
    messages=(
        "Error Starting Kernel",
        "FileNotFoundError: [Errno 2] No such file or directory",
    ),
)
def _kernel_specs(machine: Machine) -> Outcome:
    specs = look.kernel_specs(machine)
    for name, spec in specs.items():
        program = str((spec.get("argv") or [""])[0])
        if "/" in program and not machine.exists(program):
            return suspect(
                "The kernel {name} starts {program}, which is not there.",
                fix=f"jupyter kernelspec remove -f {name}",
                name=name,
                program=program,
            )
    if not specs:
        return fine("None beside the server's own Python.")
    return fine(
        "{specs}: each starts a program that is there.", specs=", ".join(sorted(specs)[:SHOWN])
    )
