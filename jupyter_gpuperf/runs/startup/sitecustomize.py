"""Python imports this in each process of a run, before anything of the script's; then the machine's own sitecustomize."""

import importlib
import sys
from pathlib import Path


def _watch() -> None:
    try:
        from jupyter_gpuperf.runs.child import watch_with_torch
    except ImportError:  # a Python that lacks this package: the run says that nothing reported
        return
    watch_with_torch()


def _give_way() -> None:
    """Leave the search path, and import the sitecustomize that Python would have found without this one."""
    folder = str(Path(__file__).parent)
    sys.path[:] = [each for each in sys.path if each != folder]
    own = sys.modules.pop("sitecustomize")
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", own)  # the import system expects one


_watch()
_give_way()
