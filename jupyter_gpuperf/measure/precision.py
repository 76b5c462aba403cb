"""What a device computes in. Standard library only."""

from __future__ import annotations

from typing import Any, Final

PRECISIONS: Final = ("fp32", "tf32", "bf16", "fp16")


def precisions_of(torch: Any, device: Any) -> list[str]:
    """Return the precisions that this device computes in hardware."""
    if device.type != "cuda":
        return ["fp32", "bf16"]
    if torch.cuda.get_device_capability(device) >= (8, 0):
        return list(PRECISIONS)
    return ["fp32", "fp16"]
