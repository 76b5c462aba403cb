"""The product's own format: gzip, one JSON object per line, a header first.

After the header come the messages of the live socket (:class:`schemas.Frame`, :class:`schemas.DevicesChanged`,
:class:`schemas.AlertsChanged`, :class:`schemas.TrainingNow`), and every few seconds
``{"type": "processes", "devices": …}``. A stream is the same as plain lines, with the machine's name in the header. A recording contains readings, the devices' UUIDs and pids, but no names of
users, files or machines, so that it can be attached to a bug report.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from jupyter_gpuperf.schemas import DeviceInfo, RecordingRequest, Version, encode

FORMAT: Final = "gpuperf-recording"
FORMAT_VERSION: Final = 1
SUFFIX: Final = ".jsonl.gz"


def header(
    request: RecordingRequest, version: Version, devices: Sequence[DeviceInfo], host: str = ""
) -> bytes:
    """Return the first line of a recording that begins now, without the newline; ``host`` is for streams."""
    return encode(
        {
            **({"host": host} if host else {}),
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
