"""Check whether torch.compile can work in this environment.

At module level, this module imports only the standard library.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

from jupyter_gpuperf.errors import Unavailable


def check_compiler(torch: Any, device: Any) -> None:
    """Raise an error if torch.compile can't work on this device.

    Raises
    ------
    Unavailable
        ``package_missing``: Triton is missing or does not support the GPU.
        ``compiler_missing``: there is no C or C++ compiler.
    """
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        if not has_triton():
            raise Unavailable(
                "package_missing",
                "torch.compile needs Triton, which is missing or doesn't support this GPU.",
                "Install the triton version for this torch; it needs compute capability 7.0 or higher.",
            )
    # Inductor needs a C++ compiler, and Triton a C compiler for the code that launches its kernels.
    variable, usual = "CXX", ["clang++" if sys.platform == "darwin" else "g++"]
    if device.type == "cuda":
        variable, usual = "CC", ["gcc", "clang"]
    named = os.environ.get(variable, "").partition(" ")[0]  # options may follow the compiler's name
    if not any(shutil.which(name) for name in ([named] if named else usual)):
        raise Unavailable(
            "compiler_missing",
            "torch.compile needs a compiler; not found: {compilers}.",
            "Install {compiler}, or set the environment variable {variable}.",
            compilers=named or usual,
            compiler=usual[0],
            variable=variable,
        )
