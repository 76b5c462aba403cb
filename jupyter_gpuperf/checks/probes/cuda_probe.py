"""Start the driver's CUDA and print the result as JSON. This runs in its own process, because it may hang or crash.

It creates no context on any device, so it has no lasting effect.
"""

from __future__ import annotations

import ctypes
import json
from typing import Any


def cuda_facts() -> dict[str, Any]:
    """Return the driver's CUDA version, the result of ``cuInit``, and the number of devices.

    If libcuda can't be loaded, return only the error, as ``missing``.
    """
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return {"missing": str(error)}
    version = ctypes.c_int(0)
    library.cuDriverGetVersion(ctypes.byref(version))
    driver = f"{version.value // 1000}.{version.value % 1000 // 10}"
    code = library.cuInit(0)
    name = ctypes.c_char_p()
    library.cuGetErrorName(code, ctypes.byref(name))
    count = ctypes.c_int(0)
    if code == 0:
        library.cuDeviceGetCount(ctypes.byref(count))
    text = (name.value or b"").decode()
    return {"driver": driver, "code": code, "name": text, "count": count.value}


if __name__ == "__main__":
    print(json.dumps(cuda_facts()))  # noqa: T201
