"""A result to show, and a real IPython shell with the magics."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.schemas import BenchmarkResult, Interval


@pytest.fixture
def measured() -> BenchmarkResult:
    return BenchmarkResult(
        benchmark="dataloader",
        parameters={"workers": 4, "batch_size": 64, "pin_memory": True},
        unit="seconds",
        figures={
            "batch_seconds": Interval(value=0.0112, low=0.0109, high=0.0116),
            "samples_per_second": Interval(value=5710.2, low=5600.0, high=5800.0),
        },
        samples={"batch_seconds": [0.0111, 0.0113], "samples_per_second": [5700.0]},
        environment={
            "interpreter": "/opt/python",
            "torch": "2.11",
            "driver_version": None,
            "device": "NVIDIA <H100>",
        },
        limits={"memory_bytes_per_second": 3.35e12},
        warnings=["The machine was busy <b>with</b> other work."],
    )


@pytest.fixture
def result(measured) -> Result:
    return Result(measured)


@pytest.fixture
def shell():
    """One IPython per process, as it wants; its history stays in memory."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "jupyter_gpuperf")
    yield shell
    shell.reset(new_session=False)
    InteractiveShell.clear_instance()
