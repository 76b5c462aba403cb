"""Routes: each parses, calls a service, and encodes. A new route is one handler and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_gpuperf.api.benchmarking import BenchmarksHandler, JobHandler, JobsHandler
from jupyter_gpuperf.api.diagnosing import FindingsHandler
from jupyter_gpuperf.api.doctor import DoctorHandler
from jupyter_gpuperf.api.live import LiveHandler
from jupyter_gpuperf.api.missing import MissingHandler
from jupyter_gpuperf.api.monitoring import (
    AlertsHandler,
    CatalogHandler,
    DevicesHandler,
    HistoryHandler,
    LatestHandler,
    VersionHandler,
)
from jupyter_gpuperf.api.openmetrics import MetricsHandler
from jupyter_gpuperf.api.processes import ProcessesHandler
from jupyter_gpuperf.api.recordings import RecordingHandler, RecordingsHandler
from jupyter_gpuperf.api.results import (
    BaselineHandler,
    ComparisonHandler,
    ResultHandler,
    ResultsHandler,
)
from jupyter_gpuperf.api.sentences import SentencesHandler
from jupyter_gpuperf.api.suites import SuiteHandler, SuitePageHandler, SuitesHandler
from jupyter_gpuperf.api.training import ExplainHandler, TrainingHandler

if TYPE_CHECKING:
    from jupyter_gpuperf.api.services import Services

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
    (r"jobs/([A-Za-z0-9_-]+)", JobHandler),
    ("recordings", RecordingsHandler),
    (r"recordings/([A-Za-z0-9][A-Za-z0-9_.-]*)", RecordingHandler),
    ("results", ResultsHandler),
    (r"results/([0-9]{1,18})", ResultHandler),
    (r"results/([0-9]{1,18})/comparison", ComparisonHandler),
    (r"results/([0-9]{1,18})/baseline", BaselineHandler),
    ("suites", SuitesHandler),
    (r"suites/([A-Za-z0-9_-]+)", SuiteHandler),
    (r"suites/([A-Za-z0-9_-]+)/page", SuitePageHandler),
    ("sentences", SentencesHandler),
    ("training", TrainingHandler),
    ("training/explain", ExplainHandler),
    ("metrics", MetricsHandler),
    ("(.*)", MissingHandler),
)


def handlers(services: Callable[[], Services]) -> list[tuple[str, type, dict[str, Any]]]:
    """Return the routes as Tornado wants them; Jupyter puts the base URL before each.

    Parameters
    ----------
    services
        Gives what they call, when the first request comes.
    """
    return [(rf"/gpuperf/{path}/?", handler, {"services": services}) for path, handler in ROUTES]
