"""What the live socket sends."""

from __future__ import annotations

from jupyter_gpuperf.schemas.findings import FindingsChanged
from jupyter_gpuperf.schemas.readings import (
    AlertsChanged,
    DevicesChanged,
    Frame,
    Hello,
    SocketError,
)
from jupyter_gpuperf.schemas.training import TrainingNow

LiveMessage = (
    Hello | Frame | DevicesChanged | AlertsChanged | FindingsChanged | TrainingNow | SocketError
)
"""What the server sends on ``WS live``."""
