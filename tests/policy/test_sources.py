"""Rules that every file follows."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest

from jupyter_gpuperf import benchmarks, checks, metrics
from jupyter_gpuperf.benchmarks import BENCHMARKS
from jupyter_gpuperf.commands.options import flag
from jupyter_gpuperf.config import Settings
from jupyter_gpuperf.rules import RULES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "jupyter_gpuperf"


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_every_family_of_metrics_is_in_the_catalogue():
    infrastructure = {"__init__", "declaration"}
    for path in (PACKAGE / "metrics").glob("*.py"):
        if path.stem not in infrastructure:
            module = __import__(f"jupyter_gpuperf.metrics.{path.stem}", fromlist=["METRICS"])
            missing = [each.name for each in module.METRICS if each not in metrics.METRICS]
            assert missing == [], path.name


def test_every_benchmark_is_in_the_list():
    infrastructure = {"__init__", "declaration", "running"}
    files = {path.stem for path in (PACKAGE / "benchmarks").glob("*.py")} - infrastructure
    assert files == {benchmark.name for benchmark in benchmarks.BENCHMARKS}


def test_every_subject_of_the_doctor_is_in_the_list_and_every_check_has_its_own_name():
    infrastructure = {"__init__", "declaration", "runner"}
    files = {path.stem for path in (PACKAGE / "checks").glob("*.py")} - infrastructure
    assert files == {subject.__name__.rpartition(".")[2] for subject in checks.SUBJECTS}
    names = [check.name for check in checks.CHECKS]
    assert len(names) == len(set(names))
    for check in checks.CHECKS:
        assert re.fullmatch(r"[a-z][a-z0-9_]+", check.name)
        assert check.link.startswith("https://"), check.name


@pytest.mark.parametrize("folder", ["jupyter_gpuperf", "labextension/src"])
def test_no_file_holds_two_ideas(folder):
    generated = {"generated.ts"}
    long = {
        path.name: lines
        for path in tracked(f"{folder}/*.py", f"{folder}/*.ts", f"{folder}/*.tsx")
        if path.name not in generated and (lines := len(path.read_text().splitlines())) > 300
    }
    assert long == {}


def test_the_readme_names_every_setting():
    documented = (ROOT / "README.md").read_text()
    for name in Settings.class_trait_names(config=True):
        assert f"c.GpuPerf.{name}" in documented, name


def test_the_readme_s_commands_exist():
    readme = (ROOT / "README.md").read_text()
    for name in re.findall(r"bash (scripts/\w+)", readme):
        assert (ROOT / name).exists()
    assert (ROOT / "docs" / "images" / "panel.png").exists()


def test_no_file_knows_a_machine():
    private = re.compile(r"/(?:root|home/(?!jovyan)\w+|work)/|registry\.\w+\.(?:org|com|yarnpkg)")
    here = Path(__file__).name
    for path in tracked():
        if path.suffix not in (".png", ".gz", ".ico") and path.name != here:
            found = private.search(path.read_text(errors="replace"))
            assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_every_benchmark_has_notes_and_all_notes_their_benchmark():
    notes = {path.stem for path in (ROOT / "docs" / "benchmarks").glob("*.md")} - {"index"}
    assert notes == {benchmark.name for benchmark in BENCHMARKS}
    index = (ROOT / "docs" / "benchmarks" / "index.md").read_text()
    for benchmark in BENCHMARKS:
        text = (ROOT / "docs" / "benchmarks" / f"{benchmark.name}.md").read_text()
        assert text.startswith(f"# {benchmark.label}\n")
        assert f"[{benchmark.name}]({benchmark.name}.md)" in index
        assert f"\n../reference/benchmarks/{benchmark.name}\n" in index
        assert "## What to expect" in text
        assert re.search(r"^## (When it is (low|high|slow)|What to do)", text, re.MULTILINE)


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_a_benchmark_s_page_comes_from_its_declaration_and_its_notes(benchmark, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    page = importlib.import_module("benchmark_pages").benchmark_page(benchmark)
    assert page.startswith(f"# {benchmark.label}\n\n{benchmark.help}\n")
    assert f"    %gpubench {benchmark.name}\n    jupyter gpuperf bench {benchmark.name}\n" in page
    for parameter in benchmark.parameters:
        (row,) = re.findall(rf"^\| `{flag(parameter.name)}`.*", page, re.MULTILINE)
        assert row.endswith(f"| {parameter.help} |")
        assert all(f"`{choice}`" in row for choice in parameter.choices)
    notes = (ROOT / "docs" / "benchmarks" / f"{benchmark.name}.md").read_text()
    headings = re.findall(r"^## .*", notes, re.MULTILINE)
    assert re.findall(r"^## .*", page, re.MULTILINE) == ["## Parameters", *headings]


def test_every_finding_is_in_the_index_and_the_proof_is_there():
    index = (ROOT / "docs" / "findings" / "index.md").read_text()
    for rule in (each for each in RULES if not each.notify):
        assert f"| `{rule.code}` |" in index
        assert f"\n../reference/findings/{rule.code}\n" in index
    assert "| healthy gpt bf16 | healthy |" in (ROOT / "docs" / "findings" / "proof.md").read_text()
