"""The settings: ``c.GpuPerf.<name>`` in a Jupyter configuration file or on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from jupyter_core.paths import jupyter_data_dir
from traitlets import Bool, Float, HasTraits, Int, Unicode, default

SOURCE_VARIABLE: Final = "JUPYTER_GPUPERF_SOURCE"
RESULTS_VARIABLE: Final = "JUPYTER_GPUPERF_RESULTS"


class Settings(HasTraits):
    """All settings, with their defaults and units."""

    source = Unicode(
        help="Where readings come from: auto, nvml, none, or replay:FILE[,FILE...] (each file one "
        f"device, looped in real time). The environment variable {SOURCE_VARIABLE} gives the default."
    ).tag(config=True)

    idle_interval_ms = Int(
        5000,
        min=100,
        max=60_000,
        help="Time between readings while nobody watches, in milliseconds.",
    ).tag(config=True)

    sample_when_idle = Bool(
        True,
        help="Whether readings are taken while nobody watches. Without them the history has gaps, "
        "and the GPU of a laptop can sleep.",
    ).tag(config=True)

    history_seconds = Float(
        600.0, min=1.0, max=3600.0, help="How far back the history reaches, in seconds."
    ).tag(config=True)

    history_file = Unicode(
        help="A file of this server alone in which the history, of devices and of training, outlives it; none by default. It is "
        "written every five minutes, and with every tick when the server ends."
    ).tag(config=True)

    recordings_directory = Unicode(
        help="Where recordings are kept; by default gpuperf/recordings in Jupyter's data directory."
    ).tag(config=True)

    results_file = Unicode(
        help="Where results of benchmarks are kept; by default gpuperf/results.sqlite in Jupyter's data "
        f"directory, or what the environment variable {RESULTS_VARIABLE} says, which notebooks and "
        "shells heed, too."
    ).tag(config=True)

    job_deadline_seconds = Float(
        900.0, min=1.0, help="A benchmark that runs longer than this is ended, in seconds."
    ).tag(config=True)

    @default("recordings_directory")
    def _recordings_directory_default(self) -> str:
        return str(Path(jupyter_data_dir()) / "gpuperf" / "recordings")

    @default("results_file")
    def _results_file_default(self) -> str:
        return os.environ.get(RESULTS_VARIABLE) or str(
            Path(jupyter_data_dir()) / "gpuperf" / "results.sqlite"
        )

    @default("source")
    def _source_default(self) -> str:
        return os.environ.get(SOURCE_VARIABLE) or "auto"
