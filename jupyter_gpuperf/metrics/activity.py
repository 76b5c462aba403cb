"""Metrics of the device's activity: how busy the device and its units are.

The driver's utilization shows only that some GPU kernel was running. The GPM counters (Hopper and newer) show how much
of the chip was used. A GPM reading covers all the time from one tick to the next.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from jupyter_gpuperf.metrics.declaration import Metric

_metric = partial(Metric, family="activity")


def _gpm(name: str, label: str, gpm_id: int, help_text: str) -> Metric:
    return _metric(name, label, help_text, lambda nvml: nvml("gpm", gpm_id), covers_tick=True)


def _pipe(name: str, label: str, gpm_id: int, state: str) -> Metric:
    return _gpm(name, label, gpm_id, f"Share of time with {state}.")


def _tensor(name: str, precision: str, gpm_id: int, types: str) -> Metric:
    return _pipe(name, f"Tensor cores, {precision}", gpm_id, f"tensor cores processing {types}")


GRAPHICS, SM, OCCUPANCY, INTEGER, TENSOR, TENSOR_DOUBLE, TENSOR_HALF = 1, 2, 3, 4, 5, 6, 7
TENSOR_INTEGER, DRAM, FP64, FP32, FP16 = 9, 10, 11, 12, 13
"""GPM metric ids: values of ``NVML_GPM_METRIC_…``."""

METRICS: Final = (
    _metric(
        "utilization_percent",
        "Busy",
        "Share of the driver's last sample period (1/6 to 1 s) with a kernel running, even one that fills little of the chip.",
        lambda nvml: nvml("nvmlDeviceGetUtilizationRates").gpu,
        overview=True,
    ),
    _metric(
        "memory_controller_percent",
        "Memory controller",
        "Share of the driver's last sample period with memory access; not the share of memory used.",
        lambda nvml: nvml("nvmlDeviceGetUtilizationRates").memory,
    ),
    _metric(
        "encoder_percent",
        "Video encoder",
        "Share of the driver's last sample period with the video encoder busy.",
        lambda nvml: nvml("nvmlDeviceGetEncoderUtilization")[0],
    ),
    _metric(
        "decoder_percent",
        "Video decoder",
        "Share of the driver's last sample period with the video decoder busy.",
        lambda nvml: nvml("nvmlDeviceGetDecoderUtilization")[0],
    ),
    _metric(
        "graphics_active_percent",
        "Compute engine active",
        "Share of the last few seconds with work for the compute or graphics engine.",
        lambda nvml: nvml("gpm_slow", GRAPHICS),
        cadence="slow",  # on an H100, this takes 1.2 ms; other GPM metrics take 2 µs each
    ),
    _gpm(
        "sm_active_percent",
        "SMs active",
        SM,
        "Share of time with at least one warp, averaged over all SMs. Far below Busy: kernels too small for the chip.",
    ),
    _gpm(
        "sm_occupancy_percent",
        "SM occupancy",
        OCCUPANCY,
        "Active warps as a share of the maximum. A high value is not a goal: the fastest matrix kernels run at 10 to 20 %.",
    ),
    _gpm(
        "tensor_active_percent",
        "Tensor cores",
        TENSOR,
        "Share of time with tensor cores busy. Near 0 during matrix work: its precision doesn't use them.",
    ),
    _tensor("tensor_half_percent", "half precision", TENSOR_HALF, "fp16, bf16, TF32 or fp8"),
    _tensor("tensor_integer_percent", "integer", TENSOR_INTEGER, "integers"),
    _tensor("tensor_double_percent", "double precision", TENSOR_DOUBLE, "fp64"),
    _pipe("fp16_active_percent", "FP16 pipe", FP16, "fp16 units (not tensor cores) busy"),
    _pipe("fp32_active_percent", "FP32 pipe", FP32, "fp32 units busy"),
    _pipe("fp64_active_percent", "FP64 pipe", FP64, "fp64 units busy"),
    _pipe("integer_active_percent", "Integer pipe", INTEGER, "integer units busy"),
    _gpm(
        "dram_bandwidth_percent",
        "Memory bandwidth",
        DRAM,
        "Memory traffic as a share of the maximum. If it stays above 60 to 70 %, it limits the speed.",
    ),
)
