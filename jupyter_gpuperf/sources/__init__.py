"""Where readings come from: a driver, or a recording; without either, a source that reports why.

An address selects a source: its scheme, the part before the colon, says which kind. Other packages add schemes through
the entry point group ``jupyter_gpuperf.sources``; each entry point refers to a :class:`Scheme`, or to a tuple of them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.metrics import Metric
from jupyter_gpuperf.plugins import with_additions
from jupyter_gpuperf.schemas import NoDevices
from jupyter_gpuperf.sources import absent, auto, nvml, replay
from jupyter_gpuperf.sources.absent import AbsentDriver
from jupyter_gpuperf.sources.local import LocalSource
from jupyter_gpuperf.sources.protocol import Sample, Scheme, Source
from jupyter_gpuperf.sources.several import SeveralSources
from jupyter_gpuperf.sources.streams.schemes import STREAM_SCHEMES

__all__ = [
    "SCHEMES",
    "Sample",
    "Scheme",
    "Source",
    "all_schemes",
    "source_from",
    "source_or_absent",
]

logger = logging.getLogger(__name__)

SCHEMES: tuple[Scheme, ...] = (
    *(auto.SCHEME, nvml.SCHEME, absent.SCHEME, replay.SCHEME),
    *STREAM_SCHEMES,
)
"""The schemes of this package, in the order in which messages list them."""


def all_schemes() -> tuple[Scheme, ...]:
    """Return the schemes of this package and of others. If one can't be loaded, this is logged and it is skipped."""
    return with_additions(SCHEMES, "sources", Scheme, lambda scheme: scheme.name)


def source_from(address: str | Sequence[str], metrics: tuple[Metric, ...]) -> Source:
    """Create the source with this address, the value of ``c.GpuPerf.source``.

    Parameters
    ----------
    address
        ``auto``, ``nvml``, ``none``, ``replay:FILE[,FILE…]``, ``exec:COMMAND``, ``ssh:HOST``, ``slurm:``, or an address with another
        package's scheme. Several addresses, also as a JSON list, are read as one source.

    Raises
    ------
    BadRequest
        ``unknown_source``: there is no such scheme, or the address does not have its form. ``source_failed``:
        another package's source can't be created.
    """
    addresses = _addresses(address)
    if len(addresses) != 1:
        return SeveralSources([source_or_absent(each, metrics) for each in addresses])
    (address,) = addresses
    schemes = all_schemes()
    name, _, argument = address.partition(":")
    for scheme in schemes:
        if scheme.name == name and scheme.takes_argument in (None, bool(argument)):
            return _create(scheme, argument, address, metrics)
    forms = [scheme.form for scheme in schemes]
    message, hint = "Unknown source {address!r}.", "Set c.GpuPerf.source to one of: {forms}."
    raise BadRequest("unknown_source", message, hint, address=address, forms=forms)


def _addresses(address: str | Sequence[str]) -> Sequence[str]:
    if not isinstance(address, str):
        return address or ["none"]
    if not address.startswith("["):
        return [address]
    try:
        found = msgspec.json.decode(address, type=list[str])
    except msgspec.MsgspecError as error:
        message, hint = "{address!r} is no list of sources: {error}.", "Such as: {example}"
        example = '["auto", "ssh:node7"]'
        raise BadRequest(
            "unknown_source", message, hint, address=address, error=error, example=example
        ) from None
    return found or ["none"]


def source_or_absent(address: str | Sequence[str], metrics: tuple[Metric, ...]) -> Source:
    """Create a source. If that fails, return one without devices, whose reason is the error."""
    try:
        return source_from(address, metrics)
    except GpuPerfError as error:
        logger.error("%s %s", error.message, error.hint)
        reason = NoDevices(code=error.code, message=error.message, hint=error.hint)
        return LocalSource(AbsentDriver(reason), metrics)


def _create(scheme: Scheme, argument: str, address: str, metrics: tuple[Metric, ...]) -> Source:
    try:
        return scheme.make(argument, metrics)
    except GpuPerfError:
        raise
    except Exception as error:  # another package's code: it must not end the server
        logger.exception("The source %s can't be created.", address)
        message, hint = "Can't create the source {address!r}: {error}.", "See the server log."
        raise BadRequest("source_failed", message, hint, address=address, error=error) from error
