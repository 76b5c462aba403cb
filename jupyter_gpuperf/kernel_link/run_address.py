"""What the processes of ``jupyter gpuperf run`` find in their environment: where to report, and as what."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from jupyter_gpuperf.kernel_link import address, peer
from jupyter_gpuperf.schemas import encode

RUN_VARIABLE: Final = "JUPYTER_GPUPERF_RUN"


class RunAddress(Struct, frozen=True, kw_only=True):
    """A run, as its processes know it."""

    id: str
    name: str
    """What the run is called beside notebooks, such as ``train.py``."""
    socket: str
    """The path of the socket on which ``jupyter gpuperf run`` listens."""


def run_of(environment: Mapping[str, str] = os.environ) -> RunAddress | None:
    """Return the run to which this process belongs; ``None`` if it belongs to none."""
    try:
        return msgspec.json.decode(environment.get(RUN_VARIABLE, ""), type=RunAddress)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def as_variable(run: RunAddress) -> str:
    """Return the value of the environment variable."""
    return encode(run).decode()


def find_any_server(directories: Iterable[Path]) -> Path | None:
    """Return the socket of the server that this user started last, if it still listens; ``None`` if there is none.

    A run has no server of its own; it is shown wherever its user looks.
    """
    if not peer.sockets_exist():
        return None
    servers = address.running_servers(directories)
    return Path(servers[-1].socket) if servers else None
