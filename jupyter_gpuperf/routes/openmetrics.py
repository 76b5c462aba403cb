"""What Prometheus scrapes: ``metrics``."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.routes.base import GpuPerfHandler
from jupyter_gpuperf.routes.operation import operation
from jupyter_gpuperf.routes.processes import running_kernels
from jupyter_gpuperf.schemas import Processes
from jupyter_gpuperf.server.threads import in_thread

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

OLDEST_SECONDS: Final = 1.0
"""A scrape never shows older readings, also while nobody watches and ticks come rarely."""

Encoder: TypeAlias = "Callable[[Collector], bytes]"


class MetricsHandler(GpuPerfHandler):
    """``GET metrics``: OpenMetrics for who asks for it, else Prometheus' text format."""

    @operation("text/plain")
    async def get(self) -> None:
        """The newest frame for Prometheus, in the text format that the Accept header asks for."""
        await self.services.fresh(OLDEST_SECONDS)
        encode, content_type = _encoder(self.request.headers.get("Accept", ""))
        processes = await self.services.processes.read(await running_kernels(self))
        collector = self._collector(processes)
        text = await in_thread(lambda: encode(collector))
        self.finish(text, set_content_type=content_type)

    def _collector(self, processes: Processes) -> Collector:
        from jupyter_gpuperf.sampling.openmetrics import SnapshotCollector

        sampler = self.services.sampler
        if sampler.latest is None:  # only when the first tick was lost to a stop in between
            raise Unavailable("no_sample_yet", "There is no reading yet.", "Ask again.")
        return SnapshotCollector(
            catalog=self.services.catalog,
            hostname=socket.gethostname(),
            version=sampler.version,
            devices=sampler.devices,
            frame=sampler.latest,
            processes=processes,
        )


def _encoder(accept: str) -> tuple[Encoder, str]:
    from prometheus_client.exposition import choose_encoder

    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number: the format that all can read
        return choose_encoder("")
