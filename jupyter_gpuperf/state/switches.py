"""Save and restore torch's global switches, and set all switches for float32 precision together.

Standard library only at module level.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from jupyter_gpuperf.loaders.randomness import cuda_in_use

GPU_SWITCHES: Final = 3
"""How many of the newer switches are for GPUs; these come first."""
UNREADABLE: Final = "unreadable"
"""Value of an older switch that torch refuses to read, because a newer switch contradicts it."""
CUDNN: Final = ("enabled", "benchmark", "deterministic")
REDUCED: Final = (
    "allow_fp16_reduced_precision_reduction",
    "allow_bf16_reduced_precision_reduction",
    "allow_fp16_accumulation",
)
ATTENTION: Final = ("flash", "mem_efficient", "math", "cudnn")
PAIRS: Final = (
    ("get_num_threads", "set_num_threads"),
    ("is_autocast_cache_enabled", "set_autocast_cache_enabled"),
    ("is_warn_always_enabled", "set_warn_always"),
)
"""Functions of torch that read and set a switch."""


class SavedSwitches:
    """The default dtype and device, grad mode, determinism, autocast, threads, and the switches of the backends."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._float32 = Float32Switches.read(torch)
        self._before = [(read, write, read()) for read, write in _switches(torch)]

    def restore(self) -> None:
        """Restore the switches that were changed."""
        self._float32.restore(self._torch)
        for read, write, value in self._before:
            if read() != value:
                write(value)


def _switches(torch: Any) -> Iterator[tuple[Callable[[], Any], Callable[[Any], object]]]:
    """Yield a getter and a setter for each switch."""
    yield torch.get_default_dtype, torch.set_default_dtype
    yield torch.is_grad_enabled, torch.set_grad_enabled
    yield torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly
    # The mode is 0, 1 or 2: off, warn, raise.
    yield torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
    for read, write in PAIRS:
        yield getattr(torch, read), getattr(torch, write)
    if hasattr(torch, "get_default_device"):
        yield torch.get_default_device, partial(_set_default_device, torch)
    if cuda_in_use(torch):
        yield torch.cuda.current_device, torch.cuda.set_device
    for owner, name in _attributes(torch):
        yield partial(getattr, owner, name), partial(setattr, owner, name)
    cuda = torch.backends.cuda
    for name in ATTENTION:
        if hasattr(cuda, f"{name}_sdp_enabled"):
            yield getattr(cuda, f"{name}_sdp_enabled"), getattr(cuda, f"enable_{name}_sdp")
    for device in ("cpu", "cuda"):
        yield (
            partial(torch.is_autocast_enabled, device),
            partial(torch.set_autocast_enabled, device),
        )
        yield partial(torch.get_autocast_dtype, device), partial(torch.set_autocast_dtype, device)


def _attributes(torch: Any) -> list[tuple[Any, str]]:
    owners = {
        torch.backends.cudnn: CUDNN,
        torch.backends.cuda.matmul: REDUCED,
        torch.backends.mkldnn: ("enabled",),
        torch.utils.deterministic: ("fill_uninitialized_memory",),
    }
    pairs = [(owner, name) for owner, names in owners.items() for name in names]
    return [(owner, name) for owner, name in pairs if hasattr(owner, name)]


def _set_default_device(torch: Any, device: Any) -> None:
    torch.set_default_device(None)
    if torch.get_default_device() != device:  # otherwise torch is faster without
        torch.set_default_device(device)


@contextlib.contextmanager
def float32_as(torch: Any, precision: str) -> Iterator[None]:
    """Compute float32 products in ``precision`` within the context, by setting torch's older and newer switches.

    ``fp32`` means IEEE float32, unlike torch's default, which lets cuDNN round to TF32.
    """
    before, tf32 = Float32Switches.read(torch), precision == "tf32"
    # Older switches first: they also set the newer ones. Otherwise they would become unreadable.
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    for owner in _newer(torch)[:GPU_SWITCHES]:  # or a global switch would still apply
        owner.fp32_precision = "tf32" if tf32 else "ieee"
    try:
        yield
    finally:
        before.restore(torch)


@dataclass(frozen=True, slots=True)
class Float32Switches:
    """The values of all float32 switches at one moment; some may be :data:`UNREADABLE`."""

    products: str
    matmul: bool | str
    cudnn: bool | str
    newer: tuple[str, ...]

    @classmethod
    def read(cls, torch: Any) -> Float32Switches:
        """Read the current values."""
        return cls(
            products=str(_readable(torch.get_float32_matmul_precision)),
            matmul=_readable(lambda: bool(torch.backends.cuda.matmul.allow_tf32)),
            cudnn=_readable(lambda: bool(torch.backends.cudnn.allow_tf32)),
            newer=tuple(str(owner.fp32_precision) for owner in _newer(torch)),
        )

    def restore(self, torch: Any) -> None:
        """Restore the values; do nothing if none has changed."""
        if self == Float32Switches.read(torch):
            return
        # An older switch is unreadable if it contradicts the newer one, so its value is the opposite.
        products, convolutions = [text != "tf32" for text in self.newer[:2]] or [False, False]
        matmul = products if self.matmul == UNREADABLE else self.matmul
        usual = "high" if matmul else "highest"
        torch.set_float32_matmul_precision(usual if self.products == UNREADABLE else self.products)
        torch.backends.cudnn.allow_tf32 = convolutions if self.cudnn == UNREADABLE else self.cudnn
        for owner, text in zip(_newer(torch), self.newer, strict=True):
            owner.fp32_precision = text


def tf32_is_on(torch: Any) -> tuple[bool, bool]:
    """Return whether matrix products, and whether convolutions, round float32 to TF32 on a GPU."""
    now = Float32Switches.read(torch)
    if now.newer:
        return now.newer[0] == "tf32", now.newer[1] == "tf32"
    return now.matmul is True, now.cudnn is True


def _readable(read: Callable[[], bool | str]) -> bool | str:
    try:
        return read()
    except RuntimeError:
        return UNREADABLE


def _newer(torch: Any) -> list[Any]:
    """Return the owners of the newer switches, those for GPUs first; empty before torch 2.9."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if not hasattr(cudnn, "conv") or not hasattr(matmul, "fp32_precision"):
        return []
    return [matmul, cudnn.conv, cudnn.rnn, torch.backends.mkldnn.matmul]
