"""Generate JPEGs like photographs, and find the installed image readers.

Standard library only at module level.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
SIDES: Final = ((640, 480), (500, 375), (1280, 960))
"""Widths and heights in pixels, used in turn; typical of photographs in datasets."""
QUALITY: Final = 90

Reader = Callable[[str], object]


def installed_readers() -> dict[str, Reader]:
    """Return the installed image readers: name → function that reads and decodes the image at a path."""
    installed: dict[str, Reader] = {}
    for name, (reader, module, function) in KNOWN_READERS.items():
        with contextlib.suppress(Exception):  # missing or broken
            getattr(importlib.import_module(module), function)
            installed[name] = reader
    return installed


def write_photographs(folder: Path, count: int) -> list[Path]:
    """Write ``count`` different JPEGs, as detailed as photographs, and return their paths.

    Needs NumPy, and Pillow or OpenCV.
    """
    import numpy as np

    draw = np.random.default_rng(0)
    paths = []
    for number in range(count):
        width, height = SIDES[number % len(SIDES)]
        # Add noise at several scales, because natural images have detail at all scales.
        picture = np.zeros((height, width, 3))
        for scale in (1, 4, 16, 64):
            rows, columns = -(-height // scale), -(-width // scale)
            noise = draw.standard_normal((rows, columns, 3)) * 8 * scale**0.5
            picture += noise.repeat(scale, 0).repeat(scale, 1)[:height, :width]
        path = folder / f"{number:05d}.jpg"
        _save(path, np.clip(picture + 128, 0, 255).astype("uint8"))
        paths.append(path)
    return paths


def images_in(folder: Path, most: int) -> list[Path]:
    """Return the first ``most`` images in a folder and its subfolders, sorted by path."""
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES][:most]


def _save(path: Path, pixels: Any) -> None:
    try:
        importlib.import_module("PIL.Image").fromarray(pixels).save(path, quality=QUALITY)
    except ImportError:
        cv2 = importlib.import_module("cv2")
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


@functools.cache
def _opencv() -> Any:
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(1)
    return cv2


def _read_with_opencv(path: str) -> object:
    cv2 = _opencv()
    pixels = cv2.imread(path, cv2.IMREAD_COLOR)
    if pixels is None:  # OpenCV does not raise an error
        raise ValueError(f"OpenCV can't read {path}")
    return pixels


def _read_with_pillow(path: str) -> object:
    with importlib.import_module("PIL.Image").open(path) as image:
        return image.convert("RGB").tobytes()


def _read_with_torchvision(path: str) -> object:
    io: Any = importlib.import_module("torchvision.io")
    return io.decode_image(path, mode=io.ImageReadMode.RGB)


KNOWN_READERS: Final[dict[str, tuple[Reader, str, str]]] = {
    "opencv": (_read_with_opencv, "cv2", "imread"),
    "pillow": (_read_with_pillow, "PIL.Image", "open"),
    "torchvision": (_read_with_torchvision, "torchvision.io", "decode_image"),
}
"""Name → reader, and the module and the function that it needs. Older versions of torchvision don't have the
function."""
