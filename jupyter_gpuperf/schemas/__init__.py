"""The data structures of all APIs, sockets and files. TypeScript types are generated from them.

Encode with :data:`encode`; decode input with ``msgspec.json.decode(body, type=…)``, which validates.
Constructing a struct does not validate its values. Fields that TypeScript code reads have no defaults: they are
required, and nullable if necessary, so that the generated types are exact. Fields of requests, which people write by
hand, have defaults.

Sizes are in bytes and times in seconds, unless a name says otherwise.
"""

from __future__ import annotations

from typing import Final

import msgspec

# All structures are in one namespace, so each has a unique name.
from jupyter_gpuperf.schemas.batch_fit import *
from jupyter_gpuperf.schemas.doctor import *
from jupyter_gpuperf.schemas.errors import *
from jupyter_gpuperf.schemas.findings import *
from jupyter_gpuperf.schemas.jobs import *
from jupyter_gpuperf.schemas.memory import *
from jupyter_gpuperf.schemas.messages import *
from jupyter_gpuperf.schemas.precision import *
from jupyter_gpuperf.schemas.processes import *
from jupyter_gpuperf.schemas.readings import *
from jupyter_gpuperf.schemas.recordings import *
from jupyter_gpuperf.schemas.speedup import *
from jupyter_gpuperf.schemas.suites import *
from jupyter_gpuperf.schemas.training import *

API_VERSION: Final = 1

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
"""Messages that the server sends on the live socket (``WS live``)."""

encode = msgspec.json.Encoder(enc_hook=str).encode
"""Return a struct as JSON. A :class:`Message` is encoded as its English string."""
