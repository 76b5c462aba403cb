"""Fixtures that tests of several folders share."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
from pathlib import Path

import pytest

pytest_plugins = ["pytest_jupyter.jupyter_server"]

with contextlib.suppress(ImportError):  # a machine with a GPU may have only what tests/gpu needs
    from hypothesis import HealthCheck, settings

    # How fast an example runs is the machine's business.
    settings.register_profile(
        "any pace", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("any pace")

# Tests in several processes at once: each has its own temporary folder, where locks of devices lie.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    folder = Path(tempfile.gettempdir(), worker)
    folder.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)

TESTS = Path(__file__).parent
RECORDINGS = TESTS.parent / "jupyter_gpuperf" / "recordings"

# Test modules import the stand-ins beside them by name.
DOCS = TESTS.parent / "docs"  # the pictures are taken by the steps of a test
BESIDE = (
    "jobs",
    "kernel_link",
    "loaders",
    "rules",
    "tuning",
    "ui",
    "recordings",
    "sources",
    "state",
    "routes",
    "gpu",
    "batch_sizes",
    "runs",
)
sys.path[:0] = [str(TESTS), *(str(TESTS / each) for each in BESIDE), str(DOCS)]


def pytest_make_parametrize_id(val, argname):
    """Name bytes by their argument: compressed ones differ from process to process (gzip's time)."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session", autouse=True)
def _results_of_the_tests(tmp_path_factory):
    """Keep what tests measure out of the results of whoever runs them; processes inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_GPUPERF_RESULTS", str(tmp_path_factory.mktemp("kept") / "results"))
        yield


@pytest.fixture(scope="module", autouse=True)
def _imports_are_no_garbage():
    """Keep what the tests before have imported out of each later search for garbage, which takes a second otherwise."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def training_recording() -> Path:
    """A real H100 that trains a ResNet-50 in bf16."""
    return RECORDINGS / "h100_healthy_resnet50_bf16.jsonl.gz"


@pytest.fixture(scope="session")
def starved_recording() -> Path:
    """A real H100 that waits for one JPEG worker."""
    return RECORDINGS / "h100_input_bound_jpeg_1worker.jsonl.gz"


@pytest.fixture
def idle_recording() -> Path:
    """A real H100 that does nothing."""
    return TESTS / "recordings" / "h100_idle.jsonl.gz"
