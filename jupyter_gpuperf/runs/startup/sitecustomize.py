"""Python imports this in each process of a run, before anything of the script's; then the machine's own sitecustomize.

It runs in each Python that the script starts, also in those without torch, so it imports almost nothing.
"""

import os
import sys


def _watch() -> None:
    try:
        from jupyter_gpuperf.runs.child import watch_with_torch

        watch_with_torch()
    except Exception:  # noqa: BLE001  (a Python that lacks this package or its needs: the run says that nothing reported)
        return


def _give_way() -> None:
    """Leave the search path, and import the sitecustomize that Python would have found without this one."""
    folder = os.path.dirname(__file__)
    sys.path[:] = [each for each in sys.path if each != folder]
    own = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", own)  # the import system expects one


_watch()
_give_way()
