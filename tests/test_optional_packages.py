"""Without an optional package, each function that needs it says what to install."""

from __future__ import annotations

import sys

import pytest

import jupyter_gpuperf as gpuperf
from jupyter_gpuperf.display.plots import plot_of_tuning
from jupyter_gpuperf.display.result import Result
from jupyter_gpuperf.errors import GpuPerfError, require_package
from jupyter_gpuperf.schemas import BenchmarkResult

DATA = BenchmarkResult(
    benchmark="io",
    parameters={},
    unit="seconds",
    figures={},
    samples={},
    environment={},
    limits={},
    warnings=[],
)
USES = {
    "tune": ("torch", lambda: gpuperf.tune([1, 2])),
    "bench": ("torch", lambda: gpuperf.bench("dataloader", [1, 2])),
    "amp_profile": ("torch", lambda: gpuperf.amp_profile(lambda: None)),
    "to_frame": ("pandas", lambda: Result(DATA).to_frame()),
    "plot": ("matplotlib", lambda: Result(DATA).plot()),
    "plot of a tuning": ("matplotlib", lambda: plot_of_tuning({})),
}


@pytest.mark.parametrize("use", USES)
def test_a_missing_package_is_named_with_the_command_that_installs_it(use, monkeypatch):
    package, call = USES[use]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(GpuPerfError) as error:
        call()
    assert error.value.code == "package_missing"
    assert f"{sys.executable} -m pip install {package}" in str(error.value)


def test_it_is_an_import_error_too():
    require_package("json", "This")
    with pytest.raises(ImportError, match="needs not_installed_anywhere"):
        require_package("not_installed_anywhere", "This")
