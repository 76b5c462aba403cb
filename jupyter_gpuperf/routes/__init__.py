"""The routes. Each parses a request, calls a service, and encodes the answer.

To add a route, write a handler and add a line here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.routes import (
    doctor,
    findings,
    jobs,
    live,
    memory,
    missing,
    openapi,
    openmetrics,
    processes,
    readings,
    recordings,
    results,
    suites,
    training,
)

if TYPE_CHECKING:
    from jupyter_gpuperf.server.services import Services

__all__ = ["ROUTES", "handlers"]

ROUTES: tuple[tuple[str, type], ...] = (
    ("version", readings.VersionHandler),
    ("catalog", readings.CatalogHandler),
    ("devices", readings.DevicesHandler),
    ("latest", readings.LatestHandler),
    ("history", readings.HistoryHandler),
    ("alerts", readings.AlertsHandler),
    ("findings", findings.FindingsHandler),
    ("live", live.LiveHandler),
    ("processes", processes.ProcessesHandler),
    ("memory", memory.MemoryHandler),
    ("memory/free", memory.FreeHandler),
    ("doctor", doctor.DoctorHandler),
    ("benchmarks", jobs.BenchmarksHandler),
    ("jobs", jobs.JobsHandler),
    (r"jobs/(?P<job_id>[A-Za-z0-9_-]+)", jobs.JobHandler),
    ("recordings", recordings.RecordingsHandler),
    (r"recordings/(?P<identifier>[A-Za-z0-9][A-Za-z0-9_.-]*)", recordings.RecordingHandler),
    ("results", results.ResultsHandler),
    (r"results/(?P<number>[0-9]{1,18})", results.ResultHandler),
    (r"results/(?P<number>[0-9]{1,18})/comparison", results.ComparisonHandler),
    (r"results/(?P<number>[0-9]{1,18})/baseline", results.BaselineHandler),
    ("suites", suites.SuitesHandler),
    (r"suites/(?P<suite_id>[A-Za-z0-9_-]+)", suites.SuiteHandler),
    (r"suites/(?P<suite_id>[A-Za-z0-9_-]+)/page", suites.SuitePageHandler),
    ("training", training.TrainingHandler),
    ("training/explain", training.ExplainHandler),
    ("metrics", openmetrics.MetricsHandler),
    (r"openapi\.json", openapi.OpenApiHandler),
    (r"(?P<path>.*)", missing.MissingHandler),
)


def handlers(services: Callable[[], Services]) -> list[tuple[str, type, dict[str, Any]]]:
    """Return the routes for Tornado; Jupyter prefixes each with the base URL.

    Parameters
    ----------
    services
        Called on each request; returns the services.
    """
    arguments: dict[type, dict[str, Any]] = {openapi.OpenApiHandler: {"routes": ROUTES}}
    return [
        (rf"/gpuperf/{path}/?", handler, {"services": services, **arguments.get(handler, {})})
        for path, handler in ROUTES
    ]
