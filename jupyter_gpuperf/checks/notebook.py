"""Checks of widgets and figures in a notebook, the server's output limit, and the start of a terminal."""

from __future__ import annotations

import re
from shlex import quote
from typing import Final

from jupyter_gpuperf.checks.declaration import Outcome, check, fine, not_known, suspect
from jupyter_gpuperf.checks.probes import server
from jupyter_gpuperf.checks.probes.installed import version_numbers, version_of, versions
from jupyter_gpuperf.checks.probes.machine import Machine
from jupyter_gpuperf.messages import Message

MANAGER: Final = "@jupyter-widgets/jupyterlab-manager"
MANAGER_VERSIONS: Final = {7: 3, 8: 5}
"""Major version of ipywidgets → major version of its JupyterLab extension."""
DEFAULT_RATE: Final = 1_000_000.0
SLOW_STARTERS: Final = re.compile(
    "oh-my-zsh|nvm.sh|conda initialize|pyenv init|rbenv init|starship init"
)
RELOAD: Final = Message("Then reload the page.")


@check(
    label="Widgets",
    why="A widget needs matching versions in the kernel and in JupyterLab.",
    expected="Matching versions on both sides.",
    link="https://ipywidgets.readthedocs.io/en/stable/user_install.html",
    messages=("Error displaying widget: model not found", "Failed to load model class"),
)
def _widgets(machine: Machine) -> Outcome:
    kernel = versions(machine).get("ipywidgets")
    if kernel is None:
        found = "ipywidgets is not installed: progress bars are plain text."
        return fine(found, fix=machine.pip_command("install", "ipywidgets"))
    if unknown := server.no_server_outcome(machine):
        return unknown
    manager = server.lab_extensions(machine).get(MANAGER)
    upgrade = server.pip_command(machine, "install", "--upgrade", "jupyterlab_widgets")
    if manager is None:
        found = "ipywidgets {kernel} is in the kernel, but its JupyterLab extension is missing."
        return suspect(found, fix=upgrade, then=RELOAD, kernel=kernel)
    lab = str((manager.package or {}).get("version", ""))
    if not lab:
        return not_known("The version of JupyterLab's extension for widgets can't be read.")
    needed = MANAGER_VERSIONS.get(version_numbers(kernel)[0])
    if needed is not None and version_numbers(lab)[:1] != (needed,):
        return suspect(
            "ipywidgets {kernel} needs version {needed} of its JupyterLab extension, not {lab}.",
            fix=f"{machine.pip_command('install', '--upgrade', 'ipywidgets')}\n{upgrade}",
            then=RELOAD,
            kernel=kernel,
            needed=needed,
            lab=lab,
        )
    return fine("ipywidgets {kernel}, JupyterLab extension {lab}.", kernel=kernel, lab=lab)


@check(
    version_of("matplotlib"),
    label="Interactive figures",
    why="%matplotlib widget needs ipympl in the kernel and in JupyterLab.",
    expected="The same ipympl on both sides.",
    link="https://matplotlib.org/ipympl/installing.html",
    messages=(
        "'widget' is not a recognised GUI loop or backend name",
        "Error displaying widget: model not found",
    ),
)
def _matplotlib_widget(machine: Machine, _: str) -> Outcome:
    kernel = versions(machine).get("ipympl")
    if kernel is None:
        return fine(
            "Figures are static; ipympl makes them zoomable.",
            fix=machine.pip_command("install", "ipympl"),
            then="Install it in the server's environment too, then use %matplotlib widget.",
        )
    if unknown := server.no_server_outcome(machine):
        return unknown
    if "jupyter-matplotlib" not in server.lab_extensions(machine):
        return suspect(
            "ipympl {kernel} is in the kernel only: %matplotlib widget shows nothing.",
            fix=server.pip_command(machine, "install", "--upgrade", "ipympl"),
            then=RELOAD,
            kernel=kernel,
        )
    lab = server.versions(machine).get("ipympl")
    if lab and version_numbers(lab)[:2] != version_numbers(kernel)[:2]:
        return suspect(
            "ipympl is {kernel} in the kernel, but {lab} in JupyterLab.",
            fix=server.pip_command(machine, "install", "--upgrade", quote(f"ipympl=={kernel}")),
            then=RELOAD,
            kernel=kernel,
            lab=lab,
        )
    return fine("ipympl {kernel}: %matplotlib widget works.", kernel=kernel)


@check(
    version_of("matplotlib-inline"),
    label="Figure resolution",
    why="On high-density screens, figures at single resolution look blurred.",
    expected="Whatever you prefer.",
    link="https://ipython.readthedocs.io/en/stable/interactive/plotting.html",
)
def _retina_figures(machine: Machine, _: str) -> Outcome:
    folder = machine.environment.get("IPYTHONDIR") or f"{machine.home}/.ipython"
    profile = f"{folder}/profile_default/ipython_kernel_config.py"
    line = 'c.InlineBackend.figure_formats = {"retina"}'
    configured = re.compile(r"^[^#\n]*InlineBackend\.figure_formats?\b.*(retina|svg)", re.MULTILINE)
    live = machine.live.get("inline_formats", ())
    if "retina" in live or configured.search(machine.read(profile) or ""):
        return fine("Double resolution, or vector graphics.")
    return fine(
        "Single resolution, IPython's default.",
        fix=f"mkdir -p {quote(folder)}/profile_default && echo '{line}' >> {quote(profile)}",
        then='Or in one notebook: %config InlineBackend.figure_formats = ["retina"]',
    )


@check(
    server.no_server_outcome,
    label="Output limit",
    why="Jupyter drops output beyond the limit.",
    expected="1 MB/s or more.",
    link="https://jupyter-server.readthedocs.io/en/latest/other/full-config.html",
    messages=("IOPub data rate exceeded", "IOPub message rate exceeded"),
)
def _output_limit(machine: Machine) -> Outcome:
    rate = machine.server.get("output_bytes_per_second")
    if rate is None:
        return not_known("Only the running server knows its limit; see the panel.")
    if not rate:
        return fine("No limit.")
    if rate < DEFAULT_RATE:
        return suspect(
            "The limit is {rate:g} MB/s: progress bars and figures stall.",
            fix="jupyter lab --ZMQChannelsWebsocketConnection.iopub_data_rate_limit=1000000",
            rate=rate / 1e6,
        )
    return fine("{rate:g} MB/s.", rate=rate / 1e6)


@check(
    label="Terminal start",
    why="Each new terminal waits for the programs in the shell's startup files.",
    expected="No slow programs.",
    link="https://www.gnu.org/software/bash/manual/bash.html#Bash-Startup-Files",
)
def _shell_start(machine: Machine) -> Outcome:
    shell = machine.environment.get("SHELL", "").rpartition("/")[2]
    files = {"zsh": (".zshrc", ".zshenv"), "bash": (".bashrc", ".bash_profile")}.get(shell)
    if files is None:
        return not_known("The terminal's shell is unknown.")
    text = "\n".join(machine.read(f"{machine.home}/{name}") or "" for name in files)
    # Keep conda's comment: it marks the lines that conda added.
    active = re.sub(r"(?m)^\s*#(?!.*conda initialize).*$", "", text)
    slow: list[str] = list(dict.fromkeys(SLOW_STARTERS.findall(active)))
    if plugins := re.search(r"^\s*plugins=\(([^)]*)\)", active, re.MULTILINE):
        count = len(plugins[1].split())
        slow.append(Message.counted("{count} plugin", "{count} plugins", count=count))
    if slow:
        return fine(
            "{shell} starts {slow}.",
            fix=f"time {quote(shell)} -i -c exit",
            then="This measures the start; to shorten it, edit the files in your home folder.",
            shell=shell,
            slow=slow,
        )
    return fine("{shell} starts nothing known to be slow.", shell=shell)
