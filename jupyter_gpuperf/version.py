"""The installed package's version. Standard library only."""

from __future__ import annotations

import functools


@functools.cache
def package_version() -> str:
    """Return the version as the package's metadata has it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("jupyter_gpuperf")
    except PackageNotFoundError:  # run from a checkout that is on the path, not installed
        return "0+unknown"
