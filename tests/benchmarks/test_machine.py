"""The benchmarks of the machine around the GPU: imread, io, blas, pandas, startup; small, but the real thing."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from pathlib import Path

import msgspec
import psutil
import pytest

from jupyter_gpuperf.benchmarks import Context, blas, startup
from jupyter_gpuperf.benchmarks.pandas import write_table
from jupyter_gpuperf.benchmarks.workloads.browser import Browser, find_browser
from jupyter_gpuperf.benchmarks.workloads.images import (
    images_in,
    installed_readers,
    write_photographs,
)
from jupyter_gpuperf.benchmarks.workloads.page_cache import (
    drop_from_cache,
    filesystem_of,
    resident_ratio,
)
from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.schemas import BenchmarkResult

SMALL = {
    "imread": {"workers": 2, "time_limit_seconds": 1.0},
    "io": {"size_mib": 16, "time_limit_seconds": 1.0},
    "blas": {"size": 128, "time_limit_seconds": 1.0},
    "pandas": {"rows": 2000, "time_limit_seconds": 1.0},
}
FIGURES = {
    "imread": {"opencv_images_per_second", "pillow_2_workers_images_per_second", "opencv_speedup"},
    "io": {"warm_read_bytes_per_second", "warm_small_files_per_second"},
    "blas": {"float32_1_thread_flops_per_second", "float64_1_thread_flops_per_second"},
    "pandas": {"read_c_seconds", "read_python_seconds", "group_seconds", "group_peak_bytes"},
}


def converted(said):
    assert said[-1]["type"] == "result", said[-1]
    return msgspec.convert(said[-1]["result"], BenchmarkResult)


@pytest.fixture(scope="module", params=SMALL)
def result(request, run_on_the_processor, tmp_path_factory):
    """What each benchmark's one real run gives; it leaves nothing in the temporary folder."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        said = run_on_the_processor(request.param, **SMALL[request.param])
    return converted(said), folder


def test_each_figure_has_its_interval(result):
    result, _ = result
    assert FIGURES[result.benchmark] <= set(result.figures)
    for name, interval in result.figures.items():
        # Grouping a small table may fit into memory that the process has already.
        least = -1 if name.endswith("_peak_bytes") else 0
        assert least < interval.low <= interval.value <= interval.high


def test_the_environment_says_what_was_measured(result):
    result, _ = result
    expected = {
        "imread": ("images", "page_cache"),
        "io": ("filesystem", "read_bytes"),
        "blas": ("numpy", "blas"),
        "pandas": ("pandas", "page_cache"),
    }
    assert all(result.environment[name] for name in expected[result.benchmark])


def test_nothing_is_left_in_the_temporary_folder(result):
    _, folder = result
    assert list(folder.iterdir()) == []


class TestImages:
    def test_ones_own_images_are_read(self, run_on_the_processor, tmp_path):
        write_photographs(tmp_path, 6)
        (tmp_path / "notes.txt").write_text("no image")
        result = converted(run_on_the_processor("imread", folder=str(tmp_path), **SMALL["imread"]))
        assert result.environment["images"] == 6

    def test_a_broken_image_is_named_and_its_reader_left_out(self, run_on_the_processor, tmp_path):
        write_photographs(tmp_path, 3)
        (tmp_path / "broken.jpg").write_bytes(b"no image at all")
        said = run_on_the_processor("imread", folder=str(tmp_path), **SMALL["imread"])
        assert said[-1]["code"] == "images_not_readable"

    def test_a_folder_without_images_is_refused(self, refusal_of, tmp_path):
        error = refusal_of("imread", folder=str(tmp_path), **SMALL["imread"])
        assert error["code"] == "no_images"

    def test_photographs_differ_and_are_found_below_the_folder(self, tmp_path):
        (tmp_path / "class").mkdir()
        paths = write_photographs(tmp_path / "class", 4)
        assert images_in(tmp_path, 10) == paths
        assert images_in(tmp_path, 2) == paths[:2]
        assert len({path.read_bytes() for path in paths}) == 4

    def test_a_reader_that_is_missing_is_no_reader(self, monkeypatch):
        real = importlib.import_module

        def without_opencv(name, *rest):
            if name == "cv2":
                raise ImportError(name)
            return real(name, *rest)

        assert {"opencv", "pillow"} <= set(installed_readers())
        monkeypatch.setattr(importlib, "import_module", without_opencv)
        assert "opencv" not in installed_readers()

    def test_opencvs_silence_about_a_broken_image_becomes_an_error(self, tmp_path):
        (tmp_path / "a.jpg").write_bytes(b"no image")
        with pytest.raises(ValueError, match=r"a\.jpg"):
            installed_readers()["opencv"](str(tmp_path / "a.jpg"))


class TestDisk:
    @pytest.fixture
    def on_disk(self, tmp_path):
        path = tmp_path / "file"
        with path.open("wb") as file:
            file.write(os.urandom(1 << 20))
            file.flush()
            os.fsync(file.fileno())
        if drop_from_cache(path) > 0.05:
            pytest.skip("the temporary folder lies in memory: pages stay")
        return path

    def test_dropped_pages_are_gone_and_read_ones_are_there(self, on_disk):
        assert resident_ratio(on_disk) <= 0.05
        on_disk.read_bytes()
        assert resident_ratio(on_disk) == 1.0
        assert drop_from_cache(on_disk) <= 0.05

    def test_a_file_system_in_memory_gives_no_cold_figures(self, run_on_the_processor, monkeypatch):
        if not Path("/dev/shm").is_dir():
            pytest.skip("there is no /dev/shm")
        monkeypatch.setenv("TMPDIR", "/dev/shm")
        result = converted(run_on_the_processor("io", **SMALL["io"]))
        assert not any(name.startswith("cold") for name in result.figures)
        assert any("Skipped cold reads" in warning for warning in result.warnings)
        assert filesystem_of(Path("/dev/shm")) == "tmpfs"

    def test_ones_own_files_are_read_and_not_touched(self, run_on_the_processor, tmp_path):
        for number in range(5):
            (tmp_path / f"{number}.bin").write_bytes(os.urandom(10_000 * (number + 1)))
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        result = converted(run_on_the_processor("io", folder=str(tmp_path), **SMALL["io"]))
        assert result.environment["read_bytes"] == 150_000
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before

    @pytest.mark.parametrize("name", ["empty", "missing"])
    def test_a_folder_without_files_is_refused(self, refusal_of, tmp_path, name):
        (tmp_path / "empty").mkdir()
        error = refusal_of("io", folder=str(tmp_path / name), **SMALL["io"])
        assert error["code"] in ("no_files", "no_folder")

    def test_more_than_the_disk_has_is_refused(self, refusal_of, monkeypatch):
        from jupyter_gpuperf.benchmarks import io

        usage = type("Usage", (), {"free": 1 << 20})
        monkeypatch.setattr(io.shutil, "disk_usage", lambda _folder: usage)
        assert refusal_of("io", size_mib=64)["code"] == "disk_too_full"


class TestThreads:
    @pytest.mark.parametrize(
        ("cpus", "expected"),
        [(1, [1]), (0.5, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16]),
         (64, [1, 2, 8, 32, 64])],
    )  # fmt: skip
    def test_counts_go_up_to_what_may_be_used(self, machine, cpus, expected):
        machine(cpus=cpus)
        assert blas.thread_counts(0) == expected
        assert blas.thread_counts(3) == [3]

    def test_more_threads_than_processors_are_said(self, run_on_the_processor, monkeypatch):
        monkeypatch.setenv("OMP_NUM_THREADS", "4096")
        result = converted(run_on_the_processor("blas", threads=1, **SMALL["blas"]))
        assert any("OMP_NUM_THREADS=4096" in warning for warning in result.warnings)
        assert result.environment["omp_num_threads"] == "4096"

    def test_matrices_that_do_not_fit_are_refused(self, machine, refusal_of):
        machine(memory_bytes=1 << 20)
        assert refusal_of("blas")["code"] == "not_enough_memory"


class TestTables:
    def test_the_same_rows_give_the_same_table(self, tmp_path):
        for name in ("a", "b"):
            write_table(tmp_path / name, 50)
        assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()
        assert len((tmp_path / "a").read_text().splitlines()) == 51

    def test_a_table_that_does_not_fit_is_refused(self, machine, refusal_of):
        machine(memory_bytes=1 << 20)
        assert refusal_of("pandas")["code"] == "not_enough_memory"


LOG = """
[I 2026-01-01 10:00:00.000 ServerApp] Extension package notebook took 0.1s to import
[I 2026-01-01 10:00:00.250 ServerApp] jupyter_lsp | extension was successfully linked.
[W 2026-01-01 10:00:00.300 ServerApp] Something else
[I 2026-01-01 10:00:00.400 ServerApp] my-own | extension was successfully linked.
Traceback (most recent call last):
[I 2026-01-01 10:00:00.450 ServerApp] jupyter_lsp | extension was successfully loaded.
""".splitlines()


class TestStartUp:
    def test_an_extensions_share_is_the_time_since_the_line_before(self):
        assert startup.extension_seconds(LOG) == pytest.approx(
            {"extension_jupyter_lsp": 0.3, "extension_my_own": 0.1}
        )
        assert startup.extension_seconds([]) == {}

    def test_a_real_server_answers_and_is_ended(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        warnings = []
        quiet = Context(progress=lambda ratio, words: None, warn=warnings.append)
        # One round, which a user can't ask for: what is started is the same in each.
        parameters = {"rounds": 1, "server": True, "page": True}
        measured = startup.run(parameters, quiet)
        said = {"benchmark": "startup", "parameters": parameters, "warnings": warnings}
        result = msgspec.convert({"limits": {}, **said, **measured}, BenchmarkResult)
        assert result.figures["server_seconds"].value > 0
        assert result.figures["import_torch_seconds"].value > 0
        assert result.figures["extension_jupyterlab_seconds"].value >= 0
        assert len(result.samples["server_seconds"]) == 1
        assert list(tmp_path.iterdir()) == []
        if find_browser():
            assert result.figures["page_seconds"].value > 0
        else:
            assert "Skipped opening the page: no Chromium found." in result.warnings
        left = [
            each
            for each in psutil.process_iter(["cmdline"])
            if any(str(tmp_path) in part for part in each.info["cmdline"] or ())
        ]
        assert left == []

    @pytest.mark.skipif(find_browser() is None, reason="there is no Chromium on the PATH")
    def test_a_page_that_never_is_ready_ends_in_words(self, tmp_path):
        with contextlib.closing(Browser(find_browser(), str(tmp_path / "profile"))) as browser:
            browser.attach(60)
            assert browser.open_until("data:text/html,<p>here", "document.querySelector('p')", 60)
            with pytest.raises(GpuPerfError) as error:
                browser.open_until("about:blank", "document.querySelector('p')", 0.3)
        assert error.value.code == "browser_failed"

    def test_a_browser_that_is_none_is_said_so(self, tmp_path):
        with (
            contextlib.closing(Browser("/bin/false", str(tmp_path))) as browser,
            pytest.raises(GpuPerfError) as error,
        ):
            browser.attach(10)
        assert error.value.code == "browser_failed"

    def test_a_server_that_does_not_start_is_said_with_its_last_words(
        self, run_on_the_processor, tmp_path, monkeypatch
    ):
        (tmp_path / "jupyter_server_config.py").write_text("raise SystemExit('broken config')")
        monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
        said = run_on_the_processor("startup", rounds=2)
        assert said[-1]["code"] == "server_did_not_start"

    def test_without_anything_to_start_it_says_so(self, refusal_of, monkeypatch):
        monkeypatch.setattr(startup.importlib.util, "find_spec", lambda _name: None)
        monkeypatch.delenv("SHELL", raising=False)
        assert refusal_of("startup")["code"] == "nothing_to_start"


def test_what_is_not_installed_is_said_before_anything_runs(run_on_the_processor, monkeypatch):
    # An interpreter without NumPy, as far as the worker can see.
    hidden = {"numpy", "pandas", "torch"}

    def find_spec(name, *rest):
        return None if name in hidden else real(name, *rest)

    import importlib.util

    from jupyter_gpuperf.benchmarks.running import run_request

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    for benchmark, package in (("blas", "numpy"), ("pandas", "pandas"), ("train", "torch")):
        said = []
        run_request({"benchmark": benchmark, "parameters": {}}, said.append)
        assert said[-1]["code"] == "package_missing"
        assert f"{sys.executable} -m pip install {package}" in said[-1]["hint"]


def test_a_child_that_fails_is_said_with_its_last_words(monkeypatch):
    monkeypatch.setattr(blas, "CHILD_PROGRAM", "raise RuntimeError('no BLAS today')")
    with pytest.raises(GpuPerfError) as error:
        blas.run(
            {"size": 8, "threads": 1, "time_limit_seconds": 0.1},
            Context(progress=lambda ratio, message: None, warn=lambda sentence: None),
        )
    assert error.value.code == "blas_failed"
    assert "no BLAS today" in error.value.message
