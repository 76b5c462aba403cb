"""What importing the package costs, and where it works."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "tornado", "pynvml", "msgspec", "IPython", "jupyter_server", "psutil")


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_loads_nothing_heavy():
    run(
        "import sys, jupyter_gpuperf\n"
        f"loaded = [name for name in {HEAVY} if name in sys.modules]\n"
        "assert not loaded, loaded"
    )


def test_the_magics_load_without_torch_and_the_server():
    run(
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.instance().run_line_magic('load_ext', 'jupyter_gpuperf')\n"
        "loaded = [name for name in ('torch', 'jupyter_server', 'pynvml') if name in sys.modules]\n"
        "assert not loaded, loaded"
    )


MODULES = ("app", "cli", "magics.gpubench", "jobs.manager", "sources", "sampling", "benchmarks")


def test_everything_imports_where_there_is_no_posix():
    """Windows lacks the POSIX modules."""
    blocked = ("fcntl", "resource", "termios", "pwd", "grp")
    run(
        "import sys\n"
        "import jupyter_server.serverapp, psutil  # they bring what they need of their own\n"
        f"for name in {blocked}:\n"
        "    sys.modules[name] = None\n"
        + "\n".join(f"import jupyter_gpuperf.{module}" for module in MODULES)
    )
