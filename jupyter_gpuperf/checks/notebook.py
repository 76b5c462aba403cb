"""Checks of what a notebook needs on both sides: widgets, figures, output limits, and the shell's startup."""

from __future__ import annotations

import re
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import server as look
from jupyter_gpuperf.checks.probes.installed import numbers, versions
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.messages import Message

MANAGER: Final = "@jupyter-widgets/jupyterlab-manager"
MANAGER_FOR: Final = {7: 3, 8: 5}
"""Major version of ipywidgets → major version of its JupyterLab extension."""
DEFAULT_RATE: Final = 1_000_000.0
SLOW_STARTERS: Final = (
    "oh-my-zsh",
    "nvm.sh",
    "conda initialize",
    "pyenv init",
    "rbenv init",
    "starship init",
)


@check(
    label="Widgets",
    why="A widget has a half in the kernel and one in the page; they must fit.",
    expected="Both halves, of versions that fit.",
    link="https://ipywidgets.readthedocs.io/en/stable/user_install.html",
    messages=("Error displaying widget: model not found", "Failed to load model class"),
)
def _widgets(machine: Machine) -> Outcome:
    here = versions(machine).get("ipywidgets")
    if here is None:
        return fine(
            "ipywidgets is not installed: progress is shown in plain text.",
            fix=machine.pip("install", "ipywidgets"),
        )
    if nothing := look.without_server(machine):
        return nothing
    front = look.lab_extensions(machine).get(MANAGER)
    wanted = MANAGER_FOR.get(numbers(here)[0])
    if front is None:
        return suspect(
            "ipywidgets {here} is in the kernel, and its half in the page is not installed.",
            fix=look.server_pip(machine, "install", "--upgrade", "jupyterlab_widgets"),
            then="Then reload the page.",
            here=here,
        )
    shown = str((front.package or {}).get("version", ""))
    if wanted is not None and numbers(shown)[:1] != (wanted,):
        return suspect(
            "ipywidgets {here} is in the kernel, and its half in the page is {shown}; they "
            "need {wanted}.",
            fix=f"{machine.pip('install', '--upgrade', 'ipywidgets')}\n{look.server_pip(machine, 'install', '--upgrade', 'jupyterlab_widgets')}",
            then="Then reload the page.",
            here=here,
            shown=shown,
            wanted=wanted,
        )
    return fine("ipywidgets {here}, in the page {shown}.", here=here, shown=shown)


@check(
    label="Figures that can be zoomed",
    why="%matplotlib widget needs ipympl in the kernel and in the page.",
    expected="ipympl on both sides, of one version.",
    link="https://matplotlib.org/ipympl/installing.html",
    messages=(
        "'widget' is not a recognised GUI loop or backend name",
        "Error displaying widget: model not found",
    ),
)
def _matplotlib_widget(machine: Machine) -> Outcome:
    there = versions(machine)
    if "matplotlib" not in there:
        return fine("matplotlib is not installed.")
    here = there.get("ipympl")
    if here is None:
        return fine(
            "Figures are still pictures; with ipympl they can be zoomed.",
            fix=machine.pip("install", "ipympl"),
            then="Install it where the server is, too; then: %matplotlib widget.",
        )
    if nothing := look.without_server(machine):
        return nothing
    beside = look.server_versions(machine).get("ipympl")
    if "jupyter-matplotlib" not in look.lab_extensions(machine):
        return suspect(
            "ipympl {here} is in the kernel, and its half in the page is not installed: "
            "%matplotlib widget shows nothing.",
            fix=look.server_pip(machine, "install", "--upgrade", "ipympl"),
            then="Then reload the page.",
            here=here,
        )
    if beside and numbers(beside)[:2] != numbers(here)[:2]:
        return suspect(
            "ipympl is {here} in the kernel and {beside} where the server is.",
            fix=look.server_pip(machine, "install", "--upgrade", f"ipympl=={here}"),
            then="Then reload the page.",
            here=here,
            beside=beside,
        )
    return fine("ipympl {here}: %matplotlib widget works.", here=here)


@check(
    label="Sharp figures",
    why="On a screen with a high density of pixels, figures at single resolution are blurred.",
    expected="As you like it.",
    link="https://ipython.readthedocs.io/en/stable/interactive/plotting.html",
)
def _retina_figures(machine: Machine) -> Outcome:
    if "matplotlib-inline" not in versions(machine):
        return fine("There are no inline figures in this environment.")
    folder = machine.environment.get("IPYTHONDIR") or f"{machine.home}/.ipython"
    profile = f"{folder}/profile_default/ipython_kernel_config.py"
    line = 'c.InlineBackend.figure_formats = {"retina"}'
    configured = re.compile(r"^[^#\n]*InlineBackend\.figure_formats?\b.*(retina|svg)", re.MULTILINE)
    live = machine.live.get("inline_formats", ())
    if "retina" in live or configured.search(machine.text(profile) or ""):
        return fine("Figures are drawn at double resolution, or as vectors.")
    return fine(
        "Figures are drawn at single resolution, as IPython has it by default.",
        fix=f"mkdir -p {folder}/profile_default && echo '{line}' >> {profile}",
        then='Or for one notebook: %config InlineBackend.figure_formats = ["retina"].',
    )


@check(
    look.without_server,
    label="Limit of output",
    why="What a notebook prints beyond the limit is not shown.",
    expected="1 MB a second or more.",
    link="https://jupyter-server.readthedocs.io/en/latest/other/full-config.html",
    messages=("IOPub data rate exceeded", "IOPub message rate exceeded"),
)
def _output_limit(machine: Machine) -> Outcome:
    rate = machine.server.get("output_bytes_per_second")
    if rate is None:
        return not_known("Only the running server knows its limits of output; the panel asks it.")
    if rate and rate < DEFAULT_RATE:
        return suspect(
            "The server lets {rate:g} MB a second through: progress bars and figures stall.",
            fix="jupyter lab --ZMQChannelsWebsocketConnection.iopub_data_rate_limit=1000000",
            rate=rate / 1000000.0,
        )
    return fine(Message("{rate:g} MB a second.", rate=rate / 1000000.0) if rate else "No limit.")


@check(
    label="Start of a terminal",
    why="Each terminal waits for what the shell's files start.",
    expected="Nothing that takes long.",
    link="https://www.gnu.org/software/bash/manual/bash.html#Bash-Startup-Files",
)
def _shell_start(machine: Machine) -> Outcome:
    shell = machine.environment.get("SHELL", "").rpartition("/")[2]
    files = {"zsh": (".zshrc", ".zshenv"), "bash": (".bashrc", ".bash_profile")}.get(shell)
    if files is None:
        return not_known("It is not known which shell a terminal starts.")
    text = "\n".join(machine.text(f"{machine.home}/{name}") or "" for name in files)
    # Keep conda's comment: it marks the lines that conda added.
    active = re.sub(r"(?m)^\s*#(?!.*conda initialize).*$", "", text)
    found = [name for name in SLOW_STARTERS if name in active]
    plugins = re.search(r"^\s*plugins=\(([^)]*)\)", active, re.MULTILINE)
    if plugins:
        found.append(f"{len(plugins[1].split())} plugins")
    if found:
        return fine(
            "{shell} starts {value}.",
            fix=f"time {shell} -i -c exit",
            then="That line tells how long it takes; what it starts is in the files of your home folder.",
            shell=shell,
            value=", ".join(found),
        )
    return fine("{shell} starts nothing that is known to be slow.", shell=shell)
