"""Routes: each parses, calls a service, and encodes. A new route is one handler and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.routes.doctor import DoctorHandler
from jupyter_gpuperf.routes.findings import FindingsHandler
from jupyter_gpuperf.routes.jobs import BenchmarksHandler, JobHandler, JobsHandler
from jupyter_gpuperf.routes.live import LiveHandler
from jupyter_gpuperf.routes.missing import MissingHandler
from jupyter_gpuperf.routes.openapi import OpenApiHandler
from jupyter_gpuperf.routes.openmetrics import MetricsHandler
from jupyter_gpuperf.routes.processes import ProcessesHandler
from jupyter_gpuperf.routes.readings import (
    AlertsHandler,
    CatalogHandler,
    DevicesHandler,
    HistoryHandler,
    LatestHandler,
    VersionHandler,
)
from jupyter_gpuperf.routes.recordings import RecordingHandler, RecordingsHandler
from jupyter_gpuperf.routes.results import (
    BaselineHandler,
    ComparisonHandler,
    ResultHandler,
    ResultsHandler,
)
from jupyter_gpuperf.routes.sentences import SentencesHandler
from jupyter_gpuperf.routes.suites import SuiteHandler, SuitePageHandler, SuitesHandler
from jupyter_gpuperf.routes.training import ExplainHandler, TrainingHandler

if TYPE_CHECKING:
    from jupyter_gpuperf.server.services import Services

__all__ = ["ROUTES", "handlers"]

ROUTES: tuple[tuple[str, type], ...] = (
    ("version", VersionHandler),
    ("catalog", CatalogHandler),
    ("devices", DevicesHandler),
    ("latest", LatestHandler),
    ("history", HistoryHandler),
    ("alerts", AlertsHandler),
    ("findings", FindingsHandler),
    ("live", LiveHandler),
    ("processes", ProcessesHandler),
    ("doctor", DoctorHandler),
    ("benchmarks", BenchmarksHandler),
    ("jobs", JobsHandler),
    (r"jobs/(?P<job_id>[A-Za-z0-9_-]+)", JobHandler),
    ("recordings", RecordingsHandler),
    (r"recordings/(?P<identifier>[A-Za-z0-9][A-Za-z0-9_.-]*)", RecordingHandler),
    ("results", ResultsHandler),
    (r"results/(?P<number>[0-9]{1,18})", ResultHandler),
    (r"results/(?P<number>[0-9]{1,18})/comparison", ComparisonHandler),
    (r"results/(?P<number>[0-9]{1,18})/baseline", BaselineHandler),
    ("suites", SuitesHandler),
    (r"suites/(?P<suite_id>[A-Za-z0-9_-]+)", SuiteHandler),
    (r"suites/(?P<suite_id>[A-Za-z0-9_-]+)/page", SuitePageHandler),
    ("sentences", SentencesHandler),
    ("training", TrainingHandler),
    ("training/explain", ExplainHandler),
    ("metrics", MetricsHandler),
    (r"openapi\.json", OpenApiHandler),
    (r"(?P<path>.*)", MissingHandler),
)


def handlers(services: Callable[[], Services]) -> list[tuple[str, type, dict[str, Any]]]:
    """Return the routes as Tornado wants them; Jupyter puts the base URL before each.

    Parameters
    ----------
    services
        Gives what they call, when the first request comes.
    """
    arguments: dict[type, dict[str, Any]] = {OpenApiHandler: {"routes": ROUTES}}
    return [
        (rf"/gpuperf/{path}/?", handler, {"services": services, **arguments.get(handler, {})})
        for path, handler in ROUTES
    ]
