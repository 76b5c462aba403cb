"""How busy the device is.

The driver's utilization only says that some GPU kernel was running; the GPM counters (Hopper and newer) say how
much of the chip it used. GPM is read from one tick to the next, so that it covers all the time.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from jupyter_gpuperf.metrics.declaration import Metric

_metric = partial(Metric, family="activity")


def _gpm(name: str, label: str, gpm_id: int, help_text: str) -> Metric:
    return _metric(name, label, help_text, lambda nvml: nvml("gpm", gpm_id), covers_tick=True)


def _pipe(name: str, label: str, gpm_id: int, worked: str) -> Metric:
    return _gpm(name, label, gpm_id, f"Share of time in which the {worked}.")


def _tensor(name: str, precision: str, gpm_id: int, types: str) -> Metric:
    return _pipe(name, f"Tensor cores, {precision}", gpm_id, f"tensor cores worked on {types}")


GRAPHICS, SM, OCCUPANCY, INTEGER, TENSOR, TENSOR_DOUBLE, TENSOR_HALF = 1, 2, 3, 4, 5, 6, 7
TENSOR_INTEGER, DRAM, FP64, FP32, FP16 = 9, 10, 11, 12, 13
"""Values of ``NVML_GPM_METRIC_…``."""

METRICS: Final = (
    _metric(
        "utilization_percent",
        "Busy",
        "Share of the driver's last sample period (1/6 s to 1 s) in which at least one kernel "
        "ran. Says nothing about how much of the chip that kernel filled.",
        lambda nvml: nvml("nvmlDeviceGetUtilizationRates").gpu,
        overview=True,
    ),
    _metric(
        "memory_controller_percent",
        "Memory controller",
        "Share of the driver's last sample period in which device memory was read or written. "
        "Not the share of memory in use.",
        lambda nvml: nvml("nvmlDeviceGetUtilizationRates").memory,
    ),
    _metric(
        "encoder_percent",
        "Video encoder",
        "Share of the driver's last sample period in which the video encoder worked.",
        lambda nvml: nvml("nvmlDeviceGetEncoderUtilization")[0],
    ),
    _metric(
        "decoder_percent",
        "Video decoder",
        "Share of the driver's last sample period in which the video decoder worked.",
        lambda nvml: nvml("nvmlDeviceGetDecoderUtilization")[0],
    ),
    _metric(
        "graphics_active_percent",
        "Compute engine active",
        "Share of the last seconds in which the compute or graphics engine had work.",
        lambda nvml: nvml("gpm_slow", GRAPHICS),
        cadence="slow",  # on an H100 this one costs 1.2 ms, each other GPM metric 2 µs
    ),
    _gpm(
        "sm_active_percent",
        "SMs active",
        SM,
        "Share of time in which a streaming multiprocessor had at least one warp, as the mean of all "
        "of them. Well below the busy figure: kernels too small to fill the chip.",
    ),
    _gpm(
        "sm_occupancy_percent",
        "SM occupancy",
        OCCUPANCY,
        "Warps at work, of as many as the multiprocessors can hold. Not to be driven up for its own "
        "sake: the fastest matrix kernels run at 10 to 20 %.",
    ),
    _gpm(
        "tensor_active_percent",
        "Tensor cores",
        TENSOR,
        "Share of time in which the tensor cores worked, on any type. Near 0 while the device is busy "
        "with matrix work: the work is done in a precision that doesn't use them.",
    ),
    _tensor("tensor_half_percent", "half precision", TENSOR_HALF, "fp16, bf16, TF32 or fp8"),
    _tensor("tensor_integer_percent", "integer", TENSOR_INTEGER, "integers"),
    _tensor("tensor_double_percent", "double precision", TENSOR_DOUBLE, "fp64"),
    _pipe(
        "fp16_active_percent",
        "FP16 pipe",
        FP16,
        "half-precision units outside the tensor cores worked",
    ),
    _pipe("fp32_active_percent", "FP32 pipe", FP32, "single-precision units worked"),
    _pipe("fp64_active_percent", "FP64 pipe", FP64, "double-precision units worked"),
    _pipe("integer_active_percent", "Integer pipe", INTEGER, "integer units worked"),
    _gpm(
        "dram_bandwidth_percent",
        "Memory bandwidth",
        DRAM,
        "Traffic to device memory, of the most that it can carry. Above 60 to 70 % sustained, memory "
        "traffic sets the pace.",
    ),
)
