"""Everything that crosses a wire: declared once here; TypeScript types are generated from it.

Encode with :data:`encode`; decode input with ``msgspec.json.decode(body, type=…)``, which validates.
Constructing a struct does not validate. Wire fields have no defaults where the reader is
TypeScript: nullable and required keeps the generated types exact. Requests, which people write by
hand, have defaults.

Sizes are in bytes and times in seconds, unless a name says otherwise.
"""

from __future__ import annotations

from typing import Final

import msgspec

# One namespace: everything that crosses a wire has one name, wherever it is declared.
from jupyter_gpuperf.schemas.doctor import *
from jupyter_gpuperf.schemas.errors import *
from jupyter_gpuperf.schemas.findings import *
from jupyter_gpuperf.schemas.jobs import *
from jupyter_gpuperf.schemas.messages import *
from jupyter_gpuperf.schemas.precision import *
from jupyter_gpuperf.schemas.processes import *
from jupyter_gpuperf.schemas.readings import *
from jupyter_gpuperf.schemas.recordings import *
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
"""Messages that the server sends on ``WS live``."""

encode = msgspec.json.Encoder(enc_hook=str).encode
"""Return JSON; a message is encoded as its English string."""
