"""Classify GPU kernels by name, to find how much of their time is spent in tensor-core kernels."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from jupyter_gpuperf.measure.profiling import keeping_events
from jupyter_gpuperf.messages import Message

TENSOR_CORES: Final = re.compile(
    r"nvjet|tensorop|[hs]?(884|1688|16816|161616)|[hiq]mma|xmma|wgmma|tcgen05|flash_(fwd|bwd)"
    r"|fmha|cudnn_.*sdpa|cudnn.*flash|sm\d+_xmma|bf16gemm|fp16gemm"
)
"""Tensor-core kernels of cuBLAS (nvjet since CUDA 12.8, and the older names), CUTLASS, cuDNN and FlashAttention."""
NO_TENSOR_CORES: Final = re.compile(r"sgemm|simt|ffma|dgemm|gemv")
NOT_KERNELS: Final = ("Memcpy", "Memset", "ProfilerStep", "Optimizer.")
PRODUCTS: Final = re.compile(r"gemm|conv|fprop|dgrad|wgrad|attention|rnn|lstm", re.IGNORECASE)


def kind_of(name: str) -> str:
    """Classify a GPU kernel by its name: ``tensor`` (uses tensor cores), ``product`` (without them) or ``other``."""
    lowered = name.lower()
    if NO_TENSOR_CORES.search(lowered) and not re.search(r"tensorop|nvjet|xmma.*16816", lowered):
        return "product"
    if TENSOR_CORES.search(lowered):
        return "tensor"
    return "product" if PRODUCTS.search(lowered) else "other"


def time_shares(seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return the shares of GPU kernel time spent in tensor-core kernels and in other products, and the longest kernels.

    Without any kernel time, return only ``reason``.
    """
    total = sum(seconds.values())
    if total <= 0:
        return {"reason": Message("No GPU kernels were recorded.")}
    sums = {"tensor": 0.0, "product": 0.0, "other": 0.0}
    for name, each in seconds.items():
        sums[kind_of(name)] += each
    longest = sorted(seconds.items(), key=lambda pair: -pair[1])[:5]
    return {
        "tensor_core_ratio": sums["tensor"] / total,
        "other_product_ratio": sums["product"] / total,
        "kernel_seconds": total,
        "longest": [{"kernel": name[:120], "ratio": each / total} for name, each in longest],
    }


def kernel_seconds(torch: Any, run: Callable[[], object]) -> dict[str, float]:
    """Call ``run`` once under torch's profiler and return each GPU kernel's name → its total seconds.

    Raises
    ------
    RuntimeError
        The profiler is in use, or not permitted.
    """
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    profile = torch.profiler.profile
    with profile(activities=activities, **keeping_events(profile)) as profiler:
        run()
        torch.cuda.synchronize()
    sums: dict[str, float] = defaultdict(float)
    for event in profiler.events():
        name = str(event.name)
        is_note = name.startswith(NOT_KERNELS) or getattr(event, "is_user_annotation", False)
        if event.device_type == torch.autograd.DeviceType.CUDA and not is_note:
            sums[name] += (getattr(event, "self_device_time_total", 0) or 0) / 1e6
    return {name: seconds for name, seconds in sums.items() if seconds > 0}
