"""Find the version of the installed package. This module uses only the standard library."""

from __future__ import annotations

import functools


@functools.cache
def package_version() -> str:
    """Return the version from the package's metadata; ``0+unknown`` if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("jupyter_gpuperf")
    except PackageNotFoundError:  # imported from a source checkout that is not installed
        return "0+unknown"
