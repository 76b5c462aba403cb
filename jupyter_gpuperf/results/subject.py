"""What a result is about: results of the same benchmark, device and parameters are comparable."""

from __future__ import annotations

import json
from typing import Final

from jupyter_gpuperf.schemas import BenchmarkResult, Scalar

DEVICE_NAMES: Final = ("device_name", "device")
PRECISION_KEYS: Final = frozenset({"rigorous", "time_limit_seconds"})
"""Parameters that affect only how precisely a benchmark measures, not what it measures."""


def subject_key(result: BenchmarkResult) -> str:
    """Return a key of the benchmark, device and parameters of a result; results with equal keys are comparable."""
    parts = [result.benchmark, device_of(result), measured_parameters(result)]
    return json.dumps(parts, sort_keys=True)


def measured_parameters(result: BenchmarkResult) -> dict[str, Scalar]:
    """Return the parameters of a result without those that affect only its precision."""
    return {name: each for name, each in result.parameters.items() if name not in PRECISION_KEYS}


def device_of(result: BenchmarkResult) -> str:
    """Return the device model of a result; ``cpu`` if there is none. Devices of the same model are comparable."""
    names = (result.environment.get(name) for name in DEVICE_NAMES)
    return next((str(name) for name in names if name), "cpu")
