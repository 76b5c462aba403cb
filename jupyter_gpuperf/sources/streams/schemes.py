"""The addresses of streams."""

from __future__ import annotations

import shlex
import sys
from typing import Final

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.sources.protocol import Scheme
from jupyter_gpuperf.sources.streams.source import StreamSource

REMOTE_COMMAND: Final = ("jupyter", "gpuperf", "stream")
FOLLOWER: Final = (sys.executable, "-m", "jupyter_gpuperf.client.slurm_stream")


def _of_command(argument: str, metrics: tuple[Metric, ...]) -> StreamSource:
    command = _words(argument, "exec:")
    if not command:
        raise BadRequest("unknown_source", "There is no command after exec:.", "Add one.")
    return StreamSource(f"exec:{command[0]}", command, metrics)


def _of_host(argument: str, metrics: tuple[Metric, ...]) -> StreamSource:
    if argument.startswith("-") or not argument.split():
        message, hint = "{host!r} is no host.", "Use ssh:HOST or ssh:USER@HOST."
        raise BadRequest("unknown_source", message, hint, host=argument)
    options = ("-T", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15")
    return StreamSource(
        f"ssh:{argument}", ["ssh", *options, "--", argument, *REMOTE_COMMAND], metrics
    )


def _of_slurm(argument: str, metrics: tuple[Metric, ...]) -> StreamSource:
    return StreamSource("slurm", [*FOLLOWER, *_words(argument, "slurm:")], metrics)


def _words(command: str, scheme: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        message, hint = "The command after {scheme} can't be read: {error}.", "Check its quotes."
        raise BadRequest("unknown_source", message, hint, scheme=scheme, error=error) from None


STREAM_SCHEMES: Final = (
    Scheme(name="exec", form="exec:COMMAND", make=_of_command, takes_argument=True),
    Scheme(name="ssh", form="ssh:HOST", make=_of_host, takes_argument=True),
    Scheme(name="slurm", form="slurm:[COMMAND]", make=_of_slurm, takes_argument=None),
)
