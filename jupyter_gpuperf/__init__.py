"""Monitor GPUs, find out why training is slow, and measure possible gains, inside JupyterLab.

Importing this package is cheap on purpose: it loads neither torch, tornado nor pynvml. Jupyter's
hooks are below; the public functions are imported on first use.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would account for most of this module's import time
if TYPE_CHECKING:
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_gpuperf.client.ab_tests import apply as apply
    from jupyter_gpuperf.client.ab_tests import headroom as headroom
    from jupyter_gpuperf.client.batch_fit import fit as fit
    from jupyter_gpuperf.client.doctor import doctor as doctor
    from jupyter_gpuperf.client.memory import memory as memory
    from jupyter_gpuperf.client.precision import amp_profile as amp_profile
    from jupyter_gpuperf.client.public import bench as bench
    from jupyter_gpuperf.client.public import tune as tune
    from jupyter_gpuperf.client.public import watch as watch
    from jupyter_gpuperf.client.speedup import speedup as speedup

__all__ = [
    "__version__",
    "amp_profile",
    "apply",
    "bench",
    "doctor",
    "fit",
    "headroom",
    "load_ipython_extension",
    "memory",
    "speedup",
    "tune",
    "watch",
]


_MODULES = {
    "amp_profile": "precision",
    "apply": "ab_tests",
    "bench": "public",
    "doctor": "doctor",
    "fit": "batch_fit",
    "headroom": "ab_tests",
    "memory": "memory",
    "speedup": "speedup",
    "tune": "public",
    "watch": "public",
}
"""Public function → its module in ``client``."""


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-gpuperf"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyter_gpuperf.app import GpuPerf

    return [{"module": "jupyter_gpuperf", "app": GpuPerf}]


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Register the magics; called by ``%load_ext jupyter_gpuperf``."""
    from jupyter_gpuperf.magics import load_ipython_extension as load

    load(ipython)


def __getattr__(name: str) -> object:
    if name == "headspace":  # the old name of headroom; to be removed after the next release
        name = "headroom"
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"jupyter_gpuperf.client.{_MODULES[name]}"), name)
    if name == "__version__":
        from jupyter_gpuperf.version import package_version

        return package_version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
