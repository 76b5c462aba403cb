"""Windows made of plain figures, for what no recording shows."""

from __future__ import annotations

from jupyter_gpuperf.rules import Device, Process, ProcessListing, ReadingSeries, RuleInput
from jupyter_gpuperf.schemas.training import LoopSteps

GIB = float(1 << 30)
SECONDS, INTERVAL_SECONDS = 40.0, 0.5

BUSY = {
    "utilization_percent": 97.0,
    "memory_controller_percent": 50.0,
    "sm_active_percent": 88.0,
    "tensor_active_percent": 40.0,
    "fp32_active_percent": 3.0,
    "dram_bandwidth_percent": 45.0,
    "memory_used_bytes": 20 * GIB,
    "memory_total_bytes": 80 * GIB,
    "power_watts": 560.0,
    "power_limit_watts": 700.0,
    "temperature_celsius": 60.0,
    "clock_sm_mhz": 1980.0,
    "clock_sm_max_mhz": 1980.0,
    "clock_event_flags": 0.0,
    "pcie_receive_bytes_per_second": 5e7,
    "pcie_transmit_bytes_per_second": 5e6,
    "pcie_link_generation": 5.0,
    "pcie_link_max_lanes": 16.0,
}
HOST = {
    "host_cpu_percent": 6.5,
    "host_cpu_limit_cores": 16.0,
    "host_disk_read_bytes_per_second": 0.0,
    "host_disk_write_bytes_per_second": 0.0,
}


def times(interval_seconds: float = INTERVAL_SECONDS) -> list[float]:
    return [i * interval_seconds for i in range(int(SECONDS / interval_seconds) + 1)]


def series(readings: dict, interval_seconds: float = INTERVAL_SECONDS) -> ReadingSeries:
    """Return constant readings; a list repeats, a function is of the time."""
    moments = times(interval_seconds)

    def column(value):
        if callable(value):
            return [value(moment) for moment in moments]
        if isinstance(value, list):
            return [value[i % len(value)] for i in range(len(moments))]
        return [value] * len(moments)

    return ReadingSeries(
        times_seconds=moments, columns={name: column(value) for name, value in readings.items()}
    )


def device(uuid="GPU", processes=None, interval_seconds=INTERVAL_SECONDS, **changes) -> Device:
    listings = tuple(
        ProcessListing(time_seconds=each, processes=tuple(processes or ()))
        for each in range(0, 41, 5)
    )
    return Device(
        uuid=uuid,
        index=0,
        name="GPU",
        series=series({**BUSY, **changes}, interval_seconds),
        listings=listings if processes is not None else (),
    )


def window(*devices: Device, host=None, steps=(), interval_seconds=INTERVAL_SECONDS) -> RuleInput:
    return RuleInput(
        host=series({**HOST, **(host or {})}, interval_seconds),
        devices=devices or (device(),),
        steps=tuple(steps),
    )


def process(pid: int, gib: float = 10.0, share="not_supported", notebook=None) -> Process:
    return Process(
        pid=pid,
        notebook=notebook,
        memory_used_bytes=gib * GIB,
        sm_utilization_percent=share,
    )


def steps(**changes) -> LoopSteps:
    usual = {
        "pid": 7,
        "notebook": "train.ipynb",
        "device_uuid": "GPU",
        "loader": "train_loader",
        "loader_id": 1,
        "count": 400,
        "step_seconds": 0.1,
        "wait_ratio": 0.01,
        "idle_for_data_ratio": 0.0,
        "busy_ratio": 0.97,
        "idle_for_host_ratio": 0.03,
        "batch_size": 64,
        "batches_per_epoch": 1000,
        "num_workers": 2,
        "prefetch_factor": 2,
        "pin_memory": False,
        "persistent_workers": False,
        "worker_threads": 1,
        "is_training": True,
        "samples_per_second": 640.0,
        "busy_metric": "utilization_percent",
        "epoch_batches": 400,
        "epoch_left_seconds": 60.0,
        "last_seconds": SECONDS,
        "bins": [],
    }
    return LoopSteps(**{**usual, **changes})
