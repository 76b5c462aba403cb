"""``metrics``: the readings for Prometheus."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import operation
from jupyter_gpuperf.routes.processes import running_kernels
from jupyter_gpuperf.server.threads import in_thread

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

Encoder: TypeAlias = "Callable[[Collector], bytes]"


class MetricsHandler(GpuPerfHandler):
    """``GET metrics``: OpenMetrics if requested, otherwise Prometheus' text format."""

    @operation("text/plain")
    async def get(self) -> None:
        """The latest frame for Prometheus, in the text format that the Accept header asks for."""
        from jupyter_gpuperf.sampling.openmetrics import FrameCollector

        services = self.services
        processes = await services.processes.read(await running_kernels(self))
        frame = await services.latest()
        loops = [loop for each in services.training.latest.notebooks for loop in each.loaders]
        collector = FrameCollector(
            catalog=services.catalog,
            hostname=socket.gethostname(),
            version=services.sampler.version,
            devices=services.sampler.devices,
            frame=frame,
            processes=processes,
            loops=loops,
        )
        encode, content_type = _encoder(self.request.headers.get("Accept", ""))
        text = await in_thread(lambda: encode(collector))
        self.finish(text, set_content_type=content_type)


def _encoder(accept: str) -> tuple[Encoder, str]:
    from prometheus_client.exposition import choose_encoder

    try:
        return choose_encoder(accept)
    # The header has an invalid version: use the format that every client can read.
    except (TypeError, ValueError):
        return choose_encoder("")
