"""Torch's global switches, which a cell or a mode may turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jupyter_gpuperf.measure.precision import Float32Switches

CUDNN: Final = ("enabled", "benchmark", "deterministic")
REDUCED: Final = (
    "allow_fp16_reduced_precision_reduction",
    "allow_bf16_reduced_precision_reduction",
    "allow_fp16_accumulation",
)
ATTENTION: Final = ("flash", "mem_efficient", "math", "cudnn")


class Switches:
    """The default dtype, grad mode, determinism, autocast, and the backends' switches."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._float32 = Float32Switches.read(torch)
        self._before = self._read()

    def restore(self) -> None:
        """Turn back those that were turned."""
        self._float32.restore(self._torch)
        now = self._read()
        for name, value in self._before.items():
            if now[name] != value:
                self._write(name, value)

    def _read(self) -> dict[str, Any]:
        torch = self._torch
        found: dict[str, Any] = {
            "dtype": torch.get_default_dtype(),
            "grad": torch.is_grad_enabled(),
            "deterministic": (
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            ),
            "anomaly": torch.is_anomaly_enabled(),
        }
        for name in CUDNN:
            found[f"cudnn.{name}"] = getattr(torch.backends.cudnn, name)
        for name in REDUCED:
            if hasattr(torch.backends.cuda.matmul, name):
                found[f"matmul.{name}"] = getattr(torch.backends.cuda.matmul, name)
        for name in ATTENTION:
            if hasattr(torch.backends.cuda, f"{name}_sdp_enabled"):
                found[f"sdp.{name}"] = getattr(torch.backends.cuda, f"{name}_sdp_enabled")()
        for kind in ("cpu", "cuda"):
            found[f"autocast.{kind}"] = torch.is_autocast_enabled(kind)
            found[f"autocast_dtype.{kind}"] = torch.get_autocast_dtype(kind)
        return found

    def _write(self, name: str, value: Any) -> None:
        torch = self._torch
        owner, _, rest = name.partition(".")
        if owner in ("cudnn", "matmul"):
            place = torch.backends.cudnn if owner == "cudnn" else torch.backends.cuda.matmul
            setattr(place, rest, value)
            return
        writers: dict[str, Callable[[], object]] = {
            "dtype": lambda: torch.set_default_dtype(value),
            "grad": lambda: torch.set_grad_enabled(value),
            "deterministic": lambda: torch.use_deterministic_algorithms(
                value[0], warn_only=value[1]
            ),
            "anomaly": lambda: torch.autograd.set_detect_anomaly(value),
            "sdp": lambda: getattr(torch.backends.cuda, f"enable_{rest}_sdp")(value),
            "autocast": lambda: torch.set_autocast_enabled(rest, value),
            "autocast_dtype": lambda: torch.set_autocast_dtype(rest, value),
        }
        writers[owner]()
