"""Import numpy and torch and print facts about them as JSON. This runs in its own process: an import may crash or hang.

``--no-torch`` skips torch, for a kernel that has loaded torch and reports the facts itself.
"""

from __future__ import annotations

import ctypes
import glob
import importlib
import importlib.util
import json
import os
import sys
import time
import warnings
from typing import Any

BUILT_ON_TORCH = {
    "torchvision": "_C*.so",
    "torchaudio": "lib/*torchaudio*.so",
    "xformers": "_C*.so",
    "flash_attn_2_cuda": "",
    "apex_C": "",
    "amp_C": "",
    "causal_conv1d_cuda": "",
    "selective_scan_cuda": "",
}
"""Module that loads only with the torch that it was built for → pattern of its libraries; if empty, the module is
imported."""


def main() -> None:
    """Print the facts as JSON."""
    sys.path.pop(0)  # remove this folder: its files must not shadow modules
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # send what an import prints to standard error
    facts: dict[str, Any] = {"numpy": _imported("numpy", _numpy_facts)}
    if "--no-torch" not in sys.argv:
        facts["torch"] = _imported("torch", _fresh_torch_facts)
        if "error" not in facts["torch"]:
            facts["built_on_torch"] = _built_on_torch()
    facts["libraries"] = loaded_libraries()
    output.write(json.dumps(facts))
    output.flush()
    os._exit(0)


def _imported(name: str, describe: Any) -> dict[str, Any]:
    if importlib.util.find_spec(name) is None:
        return {"error": "missing"}
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            module = importlib.import_module(name)
            seconds = time.perf_counter() - began
            facts = describe(module)
            return {**facts, "seconds": seconds, "warnings": [str(each.message) for each in caught]}
        except BaseException as error:  # noqa: BLE001  (whatever an import raises is the finding)
            return {"error": f"{type(error).__name__}: {error}"}


def _numpy_facts(numpy: Any) -> dict[str, Any]:
    try:
        blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    except Exception:  # noqa: BLE001  (before numpy 1.26, show_config only prints)
        blas = ""
    return {"version": numpy.__version__, "blas": blas}


def _fresh_torch_facts(torch: Any) -> dict[str, Any]:
    available = bool(torch.cuda.is_available())
    count = torch.cuda.device_count() if available else 0
    return {**torch_facts(torch), "available": available, "count": count}


def torch_facts(torch: Any) -> dict[str, Any]:
    """Return the build and settings of the imported torch, without calling the driver or starting anything."""
    architectures = getattr(torch._C, "_cuda_getArchFlags", lambda: None)()
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    return {
        "version": str(torch.__version__),
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "architectures": (architectures or "").split(),
        "settings": {
            "cudnn_enabled": _setting(lambda: cudnn.enabled),
            "cudnn_benchmark": _setting(lambda: cudnn.benchmark),
            "cudnn_deterministic": _setting(lambda: cudnn.deterministic),
            "cudnn_tf32": _setting(lambda: cudnn.allow_tf32),
            "matmul_tf32": _setting(lambda: matmul.allow_tf32),
            "deterministic": _setting(torch.are_deterministic_algorithms_enabled),
            "anomaly": _setting(torch.is_anomaly_enabled),
        },
    }


def _setting(read: Any) -> bool | None:
    try:
        return bool(read())
    except Exception:  # noqa: BLE001  (torch raises if its old and new TF32 settings are mixed)
        return None


def _built_on_torch() -> dict[str, str]:
    """Return module → error for the modules whose libraries do not load with this torch."""
    failed = {}
    for name, pattern in BUILT_ON_TORCH.items():
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        folder = os.path.dirname(spec.origin)
        for library in glob.glob(os.path.join(folder, pattern)) if pattern else [spec.origin]:
            try:
                ctypes.CDLL(library, mode=os.RTLD_NOW | os.RTLD_LOCAL)
            except OSError as error:
                failed[name] = str(error)
                break
    return failed


def loaded_libraries() -> list[str]:
    """Return the paths of the shared libraries that this process has loaded."""
    try:
        with open("/proc/self/maps") as maps:
            paths = {line.split(maxsplit=5)[5].strip() for line in maps if line.count("/")}
    except (OSError, IndexError):
        return []
    return sorted(path for path in paths if ".so" in path)


if __name__ == "__main__":
    main()
