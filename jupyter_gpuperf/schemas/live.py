"""What the live socket sends."""

from __future__ import annotations

from jupyter_gpuperf.schemas.findings import FindingsChanged
from jupyter_gpuperf.schemas.jobs import JobsChanged
from jupyter_gpuperf.schemas.readings import (
    AlertsChanged,
    DevicesChanged,
    Frame,
    Hello,
    SocketError,
)
from jupyter_gpuperf.schemas.recordings import RecordingsChanged
from jupyter_gpuperf.schemas.suites import SuitesChanged
from jupyter_gpuperf.schemas.training import TrainingNow

LiveMessage = (
    Hello
    | Frame
    | DevicesChanged
    | AlertsChanged
    | FindingsChanged
    | TrainingNow
    | JobsChanged
    | SuitesChanged
    | RecordingsChanged
    | SocketError
)
"""What the server sends on ``WS live``."""
