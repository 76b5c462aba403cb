"""The product's own format: gzip, one JSON object a line, a header first.

Behind the header stand the messages of the live socket (:class:`schemas.Frame`, :class:`schemas.DevicesChanged`,
:class:`schemas.AlertsChanged`, :class:`schemas.TrainingNow`), and every few seconds
``{"type": "processes", "devices": …}``. It holds readings, the devices' UUIDs and processes' numbers: no
names of users, files or machines, so that it can go with a bug report.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from jupyter_gpuperf.schemas import DeviceInfo, RecordingRequest, Version, encode

FORMAT: Final = "gpuperf-recording"
FORMAT_VERSION: Final = 1
SUFFIX: Final = ".jsonl.gz"


def header(request: RecordingRequest, version: Version, devices: Sequence[DeviceInfo]) -> bytes:
    """Return the first line of a recording that begins now, without its end."""
    return encode(
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "label": request.label,
            "began_seconds": time.time(),
            "interval_ms": request.interval_ms,
            "version": version.version,
            "source": version.source,
            "devices": devices,
        }
    )
