"""Standard networks, defined here so that torchvision need not be installed.

Standard library only at module level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

CLASSES: Final = 1000
RESNET_18: Final = (2, 2, 2, 2)
RESNET_50: Final = (3, 4, 6, 3)
WIDTHS: Final = (64, 128, 256, 512)
BOTTLENECK_GROWTH: Final = 4


def resnet(torch: Any, depths: Sequence[int], *, bottleneck: bool) -> Any:
    """Return a residual network for images (He et al., 2015) with random weights.

    Parameters
    ----------
    torch
        The torch module.
    depths
        Number of blocks in each of the four stages.
    bottleneck
        Whether a block has 1×1, 3×3 and 1×1 convolutions, as in ResNet-50 and larger, instead of two 3×3 ones.
    """
    nn = torch.nn
    growth = BOTTLENECK_GROWTH if bottleneck else 1

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # torch is an argument
        """A residual block: convolutions with a skip connection."""

        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            outputs = width * growth
            layers = _convolution(nn, inputs, width, *((1,) if bottleneck else (3, stride)))
            if bottleneck:
                layers += [nn.ReLU(inplace=True), *_convolution(nn, width, width, 3, stride)]
            last = _convolution(nn, width, outputs, 1 if bottleneck else 3)
            self.layers = nn.Sequential(*layers, nn.ReLU(inplace=True), *last)
            self.shortcut = nn.Identity()
            if inputs != outputs or stride != 1:
                self.shortcut = nn.Sequential(*_convolution(nn, inputs, outputs, 1, stride))

        def forward(self, images: Any) -> Any:
            return nn.functional.relu(self.layers(images) + self.shortcut(images))

    blocks: list[Any] = []
    channels = WIDTHS[0]
    for stage, (width, depth) in enumerate(zip(WIDTHS, depths, strict=True)):
        for index in range(depth):
            blocks.append(Block(channels, width, 2 if stage and not index else 1))
            channels = width * growth
    return nn.Sequential(
        *_convolution(nn, 3, WIDTHS[0], 7, 2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, CLASSES),
    )


def transformer(torch: Any, *, width: int, heads: int, layers: int) -> Any:
    """Return pre-norm transformer blocks with causal attention, and a linear layer with :data:`CLASSES` outputs."""
    nn = torch.nn

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # torch is an argument
        """A transformer block: attention, then a feed-forward part four times as wide."""

        def __init__(self) -> None:
            super().__init__()
            self.norm_attention, self.norm_feed_forward = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.feed_forward = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def forward(self, tokens: Any) -> Any:
            batch, length, _ = tokens.shape
            qkv = self.qkv(self.norm_attention(tokens))
            parts = qkv.view(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            attended = nn.functional.scaled_dot_product_attention(*parts, is_causal=True)
            tokens = tokens + self.output(attended.transpose(1, 2).reshape(batch, length, width))
            return tokens + self.feed_forward(self.norm_feed_forward(tokens))

    return nn.Sequential(
        *(Block() for _ in range(layers)), nn.LayerNorm(width), nn.Linear(width, CLASSES)
    )


def _convolution(nn: Any, inputs: int, outputs: int, size: int, stride: int = 1) -> list[Any]:
    return [
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
