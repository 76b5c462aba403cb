"""Install a wheel or an sdist into an empty environment without Node, and check its content.

The environment borrows the packages of this one, so that only our package is installed: the
dependencies that a user's pip would fetch are not checked here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

EXPECTED = (
    "share/jupyter/labextensions/jupyter-gpuperf/package.json",
    "share/jupyter/labextensions/jupyter-gpuperf/install.json",
    "share/jupyter/labextensions/jupyter-gpuperf/static/style.js",
    "etc/jupyter/jupyter_server_config.d/jupyter_gpuperf.json",
    "bin/jupyter-gpuperf",
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LISTED = {
    # As modules: the jupyter command would run the programs of the borrowed environment.
    "jupyter_server.extension.serverextension": (
        r"jupyter_gpuperf enabled\n.*\n\s*jupyter_gpuperf \S+ OK"
    ),
    "jupyterlab.labextensions": r"jupyter-gpuperf v\S+ enabled +OK",
}
IMPORTS = """
import jupyter_gpuperf, pathlib, sys
assert pathlib.Path(jupyter_gpuperf.__file__).is_relative_to(sys.prefix), jupyter_gpuperf.__file__
from jupyter_gpuperf.recordings.load import PACKAGED_FOLDER
assert list(PACKAGED_FOLDER.glob("*.gz")), "the recordings are missing"
from jupyterlab_server.translation_utils import get_installed_packages_locale
assert "jupyter_gpuperf" in get_installed_packages_locale("zh_CN")[0], "the translations are missing"
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jupyter_gpuperf")
assert shell.find_line_magic("gpubench"), "the magic is missing"
"""


def check(package: Path) -> None:
    """Check ``package``; raise what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        prefix = home / "env"
        run(sys.executable, "-m", "venv", "--without-pip", str(prefix), folder=home)
        python = str(prefix / "bin" / "python")
        (site,) = prefix.glob("lib/python*/site-packages")
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        install = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install")
        options = ("--no-deps", "--no-build-isolation", "--force-reinstall", "--prefix")
        run(python, *install, *options, str(prefix), str(package), folder=home)
        missing = [name for name in EXPECTED if not (prefix / name).exists()]
        if missing:
            raise SystemExit(f"{package.name} does not bring: {', '.join(missing)}")
        run(python, "-c", IMPORTS, folder=home)
        run(python, str(prefix / "bin" / "jupyter-gpuperf"), "--help", folder=home)
        for module, expected in LISTED.items():
            listed = COLOUR.sub("", run(python, "-m", module, "list", folder=home))
            if not re.search(expected, listed):
                raise SystemExit(f"{package.name} is not enabled by {module}:\n{listed}")


def without_node() -> str:
    """Return a PATH without Node."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(each for each in folders if not Path(each, "node").exists())


def run(*command: str, folder: Path) -> str:
    """Run a command outside the checkout and return its output; raise it if the command failed."""
    environment = {**os.environ, "PATH": without_node(), "JUPYTER_CONFIG_DIR": str(folder)}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    check(Path(sys.argv[1]).absolute())
    print(
        f"{Path(sys.argv[1]).name}: installs without Node; extension, panel, magics and command are there"
    )
