"""Settings of the server extension: ``c.GpuPerf.<name>`` in a Jupyter configuration file or on the command line."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Final

from jupyter_core.paths import jupyter_data_dir
from traitlets import (
    Bool,
    Float,
    HasTraits,
    Int,
    List,
    TraitError,
    Unicode,
    Union,
    default,
    validate,
)

SOURCE_VARIABLE: Final = "JUPYTER_GPUPERF_SOURCE"
RESULTS_VARIABLE: Final = "JUPYTER_GPUPERF_RESULTS"


class Settings(HasTraits):
    """The settings, with their defaults and units."""

    source = Union(
        [Unicode(), List(Unicode())],
        help="Source of the readings: auto, nvml, none, replay:FILE[,FILE...] (one device per file, looped in real "
        "time), ssh:HOST, slurm: (your running Slurm jobs), exec:COMMAND (a command that writes what jupyter gpuperf stream "
        "writes), or a list of these. "
        f"The environment variable {SOURCE_VARIABLE} sets the default: one of them, or a JSON list.",
    ).tag(config=True)

    idle_interval_ms = Int(
        5000, min=100, max=60_000, help="Time between readings without viewers, in milliseconds."
    ).tag(config=True)

    sample_when_idle = Bool(
        True,
        help="Whether to read without viewers. If not, the history has gaps, and a laptop's GPU can sleep.",
    ).tag(config=True)

    history_seconds = Float(
        600.0, min=1.0, max=3600.0, help="How far back the history reaches, in seconds."
    ).tag(config=True)

    history_file = Unicode(
        help="A file, used only by this server, that keeps the history of devices and training over restarts; none by "
        "default. It is written every five minutes, and completely at the end."
    ).tag(config=True)

    recordings_directory = Unicode(
        help="Folder of the recordings; by default gpuperf/recordings in Jupyter's data directory."
    ).tag(config=True)

    results_file = Unicode(
        help="File of the benchmark results; by default gpuperf/results.sqlite in Jupyter's data directory. The "
        f"environment variable {RESULTS_VARIABLE} sets the default, also for notebooks and shells."
    ).tag(config=True)

    open_panel = Bool(
        False, help="Whether JupyterLab opens the GPU panel when a page is loaded, as in the demo."
    ).tag(config=True)

    job_deadline_seconds = Float(
        900.0, min=1.0, max=1e9, help="Time limit of a benchmark, in seconds."
    ).tag(config=True)

    # Jupyter logs a TraitError as a warning, and the default applies.

    @validate("history_seconds", "job_deadline_seconds")
    def _number(self, proposal: Any) -> float:
        value: float = proposal["value"]
        if math.isnan(value):  # passes every comparison with a minimum and a maximum
            raise TraitError(f"c.GpuPerf.{proposal['trait'].name} is not a number.")
        return value

    @validate("history_file", "recordings_directory", "results_file")
    def _path(self, proposal: Any) -> str:
        value: str = proposal["value"]
        try:
            if b"\0" in os.fsencode(Path(value).expanduser()):
                raise ValueError("it contains a null character")
        except (ValueError, RuntimeError) as error:  # RuntimeError: ~ of an unknown user
            raise TraitError(f"c.GpuPerf.{proposal['trait'].name} is no path: {error}.") from error
        return value

    @default("recordings_directory")
    def _recordings_directory_default(self) -> str:
        return str(Path(jupyter_data_dir()) / "gpuperf" / "recordings")

    @default("results_file")
    def _results_file_default(self) -> str:
        usual = Path(jupyter_data_dir()) / "gpuperf" / "results.sqlite"
        return os.environ.get(RESULTS_VARIABLE) or str(usual)

    @default("source")
    def _source_default(self) -> str:
        return os.environ.get(SOURCE_VARIABLE) or "auto"
