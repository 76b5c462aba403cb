"""A stand-in for the pynvml module, at the hardware's edge: the only fake the tests need."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    """Like pynvml's: carries the number of nvmlReturn_t."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


class FakeNvml:
    """A driver with healthy devices. ``answers[(index, function)]`` overrides a call's answer;
    an exception there is raised."""

    NVMLError = NVMLError

    def __init__(self, count: int = 1, init_error: int | None = None) -> None:
        self.count = count
        self.init_error = init_error
        self.answers: dict[tuple[int, str], Any] = {}
        self.calls: list[tuple[int, str]] = []
        self.initialised = 0

    def nvmlInit(self) -> None:  # noqa: N802
        if self.init_error is not None:
            raise NVMLError(self.init_error)
        self.initialised += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.initialised -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.159.04"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return self._answer(index, "nvmlDeviceGetHandleByIndex", index)

    def __getattr__(self, function: str) -> Any:
        healthy = {
            "nvmlDeviceGetUUID": lambda index: f"GPU-{index:04d}",
            "nvmlDeviceGetName": lambda index: "NVIDIA H100 80GB HBM3",
            "nvmlDeviceGetUtilizationRates": lambda index: SimpleNamespace(gpu=63, memory=21),
            "nvmlDeviceGetMemoryInfo": lambda index, version: SimpleNamespace(
                total=85_520_809_984, used=13_200_000_000
            ),
            "nvmlDeviceGetPowerUsage": lambda index: 542_100,
            "nvmlDeviceGetEnforcedPowerLimit": lambda index: 700_000,
            "nvmlDeviceGetTemperature": lambda index, sensor: 48,
            "nvmlDeviceGetClockInfo": lambda index, kind: {1: 1755, 2: 2619}[kind],
            "nvmlDeviceGetMaxClockInfo": lambda index, kind: {1: 1980, 2: 2619}[kind],
            "nvmlDeviceGetCurrentClocksEventReasons": lambda index: 0x4,
        }
        if function not in healthy:
            raise AttributeError(function)
        return lambda index, *arguments: self._answer(
            index, function, None, healthy[function], arguments
        )

    def _answer(
        self, index: int, function: str, default: Any, healthy: Any = None, arguments: Any = ()
    ) -> Any:
        self.calls.append((index, function))
        answer = self.answers.get((index, function))
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        return healthy(index, *arguments) if healthy else default
