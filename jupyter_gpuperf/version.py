"""The version of the installed package. Standard library only."""

from __future__ import annotations

import functools


@functools.cache
def package_version() -> str:
    """Return the version from the package's metadata; ``0+unknown`` if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("jupyter_gpuperf")
    except PackageNotFoundError:  # run from a checkout on the path, not installed
        return "0+unknown"
