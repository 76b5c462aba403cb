from __future__ import annotations

import ast
import importlib
import logging
import re
import sys
from pathlib import Path

import pytest

from jupyter_gpuperf import benchmarks
from jupyter_gpuperf.benchmarks import BENCHMARKS, Benchmark, all_benchmarks, find
from jupyter_gpuperf.errors import NotFound

FOLDER = Path(benchmarks.__file__).parent
NO_BENCHMARKS = {"__init__", "declaration", "running"}
MEMBERS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NO_BENCHMARKS)

ADDITION = """
from jupyter_gpuperf.benchmarks import Benchmark

ADDITION = Benchmark(name="addition", label="A", help="h", parameters=(), run=lambda p, c: {})
REPEATED = Benchmark(name="compute", label="B", help="h", parameters=(), run=lambda p, c: {})
NOTHING = None
"""


@pytest.fixture
def add_entry_points(monkeypatch, tmp_path):
    """Install another package's benchmarks, given by what they load."""
    (tmp_path / "foreign_benchmarks.py").write_text(ADDITION)
    (tmp_path / "foreign_broken.py").write_text("raise RuntimeError('broken')")
    (tmp_path / "foreign_exits.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)

    def add(*values):
        folder = tmp_path / "foreign-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
        lines = [f"point{number} = {value}" for number, value in enumerate(values)]
        (folder / "entry_points.txt").write_text(
            "\n".join(["[jupyter_gpuperf.benchmarks]", *lines])
        )
        importlib.invalidate_caches()

    yield add
    for name in ("foreign_benchmarks", "foreign_broken", "foreign_exits"):
        sys.modules.pop(name, None)


def test_every_file_of_the_folder_is_a_benchmark_that_people_see():
    found = {importlib.import_module(f"{benchmarks.__name__}.{name}").BENCHMARK for name in MEMBERS}
    assert found == set(BENCHMARKS)
    assert len(BENCHMARKS) == len(MEMBERS)


def test_names_are_unique_and_can_be_typed():
    names = [benchmark.name for benchmark in BENCHMARKS]
    assert len(set(names)) == len(names)
    for benchmark in BENCHMARKS:
        parameters = [parameter.name for parameter in benchmark.parameters]
        assert len(set(parameters)) == len(parameters)
        assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in [benchmark.name, *parameters])


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_people_are_told_what_everything_is(benchmark):
    assert benchmark.label
    for help_text in (benchmark.help, *(each.help for each in benchmark.parameters)):
        assert help_text[0].isalnum()
        assert help_text.endswith(".")


@pytest.mark.parametrize("name", MEMBERS)
def test_a_benchmark_imports_what_it_needs_only_when_it_runs(name):
    module = ast.parse((FOLDER / f"{name}.py").read_text())
    imported = {
        alias.name if isinstance(node, ast.Import) else node.module
        for node in module.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    top_level = {module_name.partition(".")[0] for module_name in imported}
    assert top_level <= sys.stdlib_module_names | {"jupyter_gpuperf"}


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_a_benchmark_is_found_by_its_name(benchmark):
    assert find(benchmark.name) is benchmark


def test_an_unknown_benchmark_is_refused_with_those_that_there_are():
    with pytest.raises(NotFound) as refusal:
        find("training")
    assert refusal.value.code == "unknown_benchmark"
    assert "'training'" in refusal.value.message
    assert all(benchmark.name in refusal.value.hint for benchmark in BENCHMARKS)


def test_another_package_adds_its_benchmark_after_ours(add_entry_points):
    add_entry_points("foreign_benchmarks:ADDITION")
    assert all_benchmarks()[: len(BENCHMARKS)] == BENCHMARKS
    added = all_benchmarks()[len(BENCHMARKS) :]
    assert [each.name for each in added] == ["addition"]
    assert find("addition") is added[0]


@pytest.mark.parametrize(
    "value",
    [
        "foreign_broken:ADDITION",
        "foreign_exits:ADDITION",
        "not_installed:ADDITION",
        "foreign_benchmarks:MISSING",
        "foreign_benchmarks:NOTHING",
        "foreign_benchmarks",
        "foreign_benchmarks:Benchmark",
        "foreign_benchmarks:REPEATED",
    ],
    ids=["raises", "exits", "absent", "no such name", "None", "module", "class", "repeats a name"],
)
def test_a_foreign_benchmark_that_is_none_is_named_in_the_log_and_left_out(
    add_entry_points, caplog, value
):
    add_entry_points(value, "foreign_benchmarks:ADDITION")
    with caplog.at_level(logging.ERROR):
        names = [benchmark.name for benchmark in all_benchmarks()]
    assert names == [*(each.name for each in BENCHMARKS), "addition"]
    assert value in caplog.text
    assert all(isinstance(benchmark, Benchmark) for benchmark in all_benchmarks())
