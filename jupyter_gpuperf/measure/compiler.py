"""Whether torch.compile can work here. Standard library only at module level."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

from jupyter_gpuperf.errors import Unavailable


def check_compiler(torch: Any, device: Any) -> None:
    """Raise an error if torch.compile can't work.

    Raises
    ------
    Unavailable
        ``package_missing`` for Triton, or ``compiler_missing``.
    """
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        if not has_triton():
            raise Unavailable(
                "package_missing",
                "torch.compile needs Triton, which is missing or doesn't support this GPU.",
                "Install the triton version for this torch; it needs compute capability 7.0 or higher.",
            )
    # What Inductor and Triton look for: Triton compiles the code that launches its kernels.
    variable, usual = "CXX", ["clang++" if sys.platform == "darwin" else "g++"]
    if device.type == "cuda":
        variable, usual = "CC", ["gcc", "clang"]
    named = os.environ.get(variable, "").partition(" ")[0]  # options may follow the name
    if not any(shutil.which(name) for name in ([named] if named else usual)):
        raise Unavailable(
            "compiler_missing",
            "torch.compile needs a compiler; not found: {compilers}.",
            "Install {compiler}, or set the environment variable {variable}.",
            compilers=named or usual,
            compiler=usual[0],
            variable=variable,
        )
