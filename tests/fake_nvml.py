"""A stand-in for the pynvml module, at the hardware's edge: the only fake the tests need."""

from __future__ import annotations

import queue
import threading
from types import SimpleNamespace
from typing import Any

TIMEOUT, NOT_FOUND, NOT_SUPPORTED = 10, 6, 3


class NVMLError(Exception):
    """Like pynvml's: carries the number of nvmlReturn_t."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


class Hang:
    """As an answer: the call returns when ``released`` is set, and no earlier."""

    def __init__(self) -> None:
        self.released = threading.Event()


class GpmRequest:
    """``c_nvmlGpmMetricsGet_t``."""

    def __init__(self) -> None:
        self.metrics = [SimpleNamespace(nvmlReturn=0, value=0.0) for _ in range(400)]


HEALTHY: dict[str, Any] = {
    "nvmlDeviceGetUUID": lambda index: f"GPU-{index:04d}",
    "nvmlDeviceGetName": lambda index: "NVIDIA H100 80GB HBM3",
    "nvmlDeviceGetPciInfo": lambda index: SimpleNamespace(busId=b"00000000:00:06.0"),
    "nvmlDeviceGetCudaComputeCapability": lambda index: (9, 0),
    "nvmlDeviceGetMigMode": lambda index: [0, 0],
    "nvmlDeviceGetUtilizationRates": lambda index: SimpleNamespace(gpu=63, memory=21),
    "nvmlDeviceGetEncoderUtilization": lambda index: [0, 100000],
    "nvmlDeviceGetDecoderUtilization": lambda index: [7, 100000],
    "nvmlDeviceGetMemoryInfo": lambda index, version: SimpleNamespace(
        total=85_520_809_984, used=13_200_000_000, free=71_817_493_504, reserved=503_316_480
    ),
    "nvmlDeviceGetBAR1MemoryInfo": lambda index: SimpleNamespace(
        bar1Used=1_703_936, bar1Total=137_438_953_472
    ),
    "nvmlDeviceGetPowerUsage": lambda index: 542_100,
    "nvmlDeviceGetEnforcedPowerLimit": lambda index: 700_000,
    "nvmlDeviceGetTotalEnergyConsumption": lambda index: 3_059_915,
    "nvmlDeviceGetTemperature": lambda index, sensor: 48,
    "nvmlDeviceGetTemperatureThreshold": lambda index, kind: 89,
    "nvmlDeviceGetMarginTemperature": lambda index: 40,
    "nvmlDeviceGetClockInfo": lambda index, kind: {1: 1755, 2: 2619}[kind],
    "nvmlDeviceGetMaxClockInfo": lambda index, kind: {1: 1980, 2: 2619}[kind],
    "nvmlDeviceGetCurrentClocksEventReasons": lambda index: 0x4,
    "nvmlDeviceGetCurrPcieLinkGeneration": lambda index: 5,
    "nvmlDeviceGetMaxPcieLinkGeneration": lambda index: 5,
    "nvmlDeviceGetCurrPcieLinkWidth": lambda index: 16,
    "nvmlDeviceGetMaxPcieLinkWidth": lambda index: 16,
    "nvmlDeviceGetPcieReplayCounter": lambda index: 0,
    "nvmlDeviceGetComputeRunningProcesses": lambda index: [],
    "nvmlDeviceGetGraphicsRunningProcesses": lambda index: [],
    "nvmlDeviceGetProcessesUtilizationInfo": lambda index, since: NVMLError(NOT_FOUND),
    "nvmlGpmQueryDeviceSupport": lambda index: SimpleNamespace(isSupportedDevice=1),
    "nvmlGpmSampleGet": lambda index, sample: sample,
    "nvmlDeviceRegisterEvents": lambda index, bits, events: None,
}

FIELDS: dict[int, float] = {
    186: 551_000,
    82: 57,
    74: 0,
    76: 0,
    269: 0,
    270: 0,
    271: 0,  # cumulative ns
    3: 2,
    4: 0,
    6: 0,
    142: 0,
    143: 0,
    144: 0,
    145: 0,
}
"""What a healthy device answers for its fields; any other is not supported."""


class FakeNvml:
    """A driver with healthy devices.

    ``answers[(index, function)]`` overrides a call's answer: an exception there is raised, a
    :class:`Hang` is waited for. ``fields[(index, field id)]`` does the same for field values, and
    ``gpm[metric id]`` for GPM. ``tell_xid`` makes the driver tell a critical error.
    """

    NVMLError = NVMLError
    c_nvmlGpmMetricsGet_t = GpmRequest  # noqa: N815

    def __init__(self, count: int = 1, init_error: int | None = None) -> None:
        self.count = count
        self.init_error: int | Hang | None = init_error
        self.answers: dict[tuple[Any, str], Any] = {}
        self.fields: dict[tuple[Any, int], Any] = {}
        self.gpm: dict[int, float] = {}
        self.gpm_samples = 0
        self.calls: list[tuple[Any, str]] = []
        self.initialised = 0
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def nvmlInit(self) -> None:  # noqa: N802
        if isinstance(self.init_error, Hang):
            self.init_error.released.wait(30)
        elif self.init_error is not None:
            raise NVMLError(self.init_error)
        self.initialised += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.initialised -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.159.04"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        self.answers.setdefault((index, "nvmlDeviceGetHandleByIndex"), index)
        return self._answer(index, "nvmlDeviceGetHandleByIndex", None, ())

    def nvmlDeviceGetFieldValues(self, index: Any, ids: list[int]) -> list[Any]:  # noqa: N802
        self.calls.append((index, f"field {ids[0]}"))
        value = self.fields.get((index, ids[0]), FIELDS.get(ids[0], NVMLError(NOT_SUPPORTED)))
        if isinstance(value, NVMLError):
            return [SimpleNamespace(nvmlReturn=value.value, valueType=3, value=None)]
        return [SimpleNamespace(nvmlReturn=0, valueType=3, value=SimpleNamespace(ullVal=value))]

    def nvmlGpmSampleAlloc(self) -> Any:  # noqa: N802
        self.gpm_samples += 1
        return SimpleNamespace()

    def nvmlGpmSampleFree(self, sample: Any) -> None:  # noqa: N802
        self.gpm_samples -= 1

    def nvmlGpmMetricsGet(self, request: GpmRequest) -> None:  # noqa: N802
        for metric in request.metrics[: request.numMetrics]:
            metric.value = self.gpm.get(metric.metricId, 12.5)

    def nvmlEventSetCreate(self) -> Any:  # noqa: N802
        return self._events

    def nvmlEventSetFree(self, events: Any) -> None:  # noqa: N802
        pass

    def nvmlEventSetWait_v2(self, events: Any, timeout_ms: int) -> Any:  # noqa: N802
        try:
            # Shorter than asked for: closing a source waits for it.
            return events.get(timeout=min(timeout_ms / 1000, 0.02))
        except queue.Empty:
            raise NVMLError(TIMEOUT) from None

    def tell_xid(self, index: int, code: int) -> None:
        """Make the driver tell a critical error."""
        self._events.put(SimpleNamespace(eventType=0x8, device=index, eventData=code))

    def __getattr__(self, function: str) -> Any:
        if function not in HEALTHY and not any(known == function for _, known in self.answers):
            raise AttributeError(function)
        return lambda index, *arguments: self._answer(
            index, function, HEALTHY.get(function), arguments
        )

    def _answer(self, index: Any, function: str, healthy: Any, arguments: Any) -> Any:
        self.calls.append((index, function))
        answer = self.answers.get((index, function))
        if isinstance(answer, Hang):
            answer.released.wait(30)
            answer = None
        if answer is None:
            answer = healthy(index, *arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer(*arguments) if callable(answer) else answer
