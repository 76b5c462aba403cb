"""TinyNet (Conv2d 3→64 with 3×3 and padding 1, ReLU, global average pool, flatten) and the work of a forward pass.

Standard library only at module level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from jupyter_gpuperf.measure.bounds import Work

CHANNELS: Final = 64
FLOAT32_BYTES: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ForwardPass:
    """A forward pass of TinyNet without gradients, on random images that stay on the device.

    Parameters
    ----------
    precision
        ``fp32`` (with torch's default settings), or ``bf16`` or ``fp16`` with autocast.
    """

    batch_size: int
    image_size: int
    precision: str = "fp32"
    channels_last: bool = False
    compiled: bool = False

    def make(self, torch: Any, device: Any) -> Callable[[], object]:
        """Return a function that does one forward pass."""
        nn = torch.nn
        net = nn.Sequential(
            nn.Conv2d(3, CHANNELS, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        size = self.image_size
        images = torch.rand(self.batch_size, 3, size, size, device=device)
        net = net.to(device).eval()
        if self.channels_last:
            net, images = (each.to(memory_format=torch.channels_last) for each in (net, images))
        if self.compiled:
            net = torch.compile(net)
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)

        def forward() -> object:
            with torch.no_grad(), torch.autocast(device.type, dtype=kind, enabled=kind is not None):
                return net(images)

        return forward

    @property
    def work(self) -> Work:
        """Operations and memory traffic of an eager pass, in which each layer reads its input and writes its output."""
        pixels = self.batch_size * self.image_size**2
        images, activations = 3 * pixels, CHANNELS * pixels
        half = self.precision != "fp32"
        item_bytes = FLOAT32_BYTES // 2 if half else FLOAT32_BYTES
        # Activations: the convolution writes them, ReLU reads and writes, the pool reads. Autocast
        # also converts the images first.
        traffic = (images + 4 * activations) * item_bytes
        if half:
            traffic += images * (FLOAT32_BYTES + item_bytes)
        return Work(flop=2.0 * 27 * activations, traffic_bytes=float(traffic))
