"""What other packages add, and what they can't break."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import subprocess
import sys
from fractions import Fraction

import pytest

from jupyter_gpuperf.benchmarks import BENCHMARKS, all_benchmarks
from jupyter_gpuperf.checks import CHECKS, all_checks
from jupyter_gpuperf.metrics import METRICS, all_metrics
from jupyter_gpuperf.plugins import with_additions
from jupyter_gpuperf.sources import SCHEMES, all_schemes

FOREIGN = """
from fractions import Fraction

ONE = Fraction(1)
SEVERAL = (Fraction(2), Fraction(3))
MIXED = (Fraction(4), "no fraction", Fraction(5))
REPEATED = Fraction(7)
"""
OWN = (Fraction(7),)


@pytest.fixture
def add(monkeypatch, tmp_path):
    """Install another package, given by what its entry points load."""
    (tmp_path / "foreign_fractions.py").write_text(FOREIGN)
    (tmp_path / "foreign_broken.py").write_text("raise RuntimeError('broken')")
    monkeypatch.syspath_prepend(tmp_path)

    def added(*values, group="jupyter_gpuperf.fractions"):
        folder = tmp_path / "foreign-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
        lines = [f"point{number} = {value}" for number, value in enumerate(values)]
        (folder / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))
        importlib.invalidate_caches()

    yield added
    for name in ("foreign_fractions", "foreign_broken"):
        sys.modules.pop(name, None)


def every():
    return [int(each) for each in with_additions(OWN, "fractions", Fraction, str)]


def test_ours_come_first_then_one_or_several_of_each_entry_point(add):
    add("foreign_fractions:ONE", "foreign_fractions:SEVERAL")
    assert every() == [7, 1, 2, 3]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("foreign_broken:ONE", []),
        ("not_installed:ONE", []),
        ("foreign_fractions:ABSENT", []),
        ("foreign_fractions:REPEATED", []),
        ("foreign_fractions:MIXED", [4, 5]),
    ],
)
def test_what_can_not_be_used_is_named_in_the_log_and_all_else_is_there(add, caplog, value, kept):
    add(value, "foreign_fractions:ONE")
    with caplog.at_level(logging.ERROR):
        assert every() == [7, *kept, 1]
    assert value in caplog.text


def test_another_groups_additions_are_not_ours(add):
    add("foreign_fractions:ONE", group="jupyter_gpuperf.others")
    assert every() == [7]


def test_where_packages_can_not_be_read_ours_are_there_still(monkeypatch, tmp_path, caplog):
    def broken():
        raise ValueError("bad metadata")

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(importlib.metadata, "entry_points", broken)
    assert every() == [7]
    assert "bad metadata" in caplog.text


@pytest.mark.parametrize(
    ("group", "all_of", "own"),
    [
        ("metrics", all_metrics, METRICS),
        ("benchmarks", all_benchmarks, BENCHMARKS),
        ("checks", all_checks, CHECKS),
        ("sources", all_schemes, SCHEMES),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_list_of_ours_takes_no_strangers(add, caplog, group, all_of, own):
    add("foreign_fractions:ONE", group=f"jupyter_gpuperf.{group}")
    assert all_of() == own
    assert "foreign_fractions:ONE" in caplog.text


def test_nothing_is_looked_up_before_somebody_asks():
    code = (
        "import sys, jupyter_gpuperf.benchmarks, jupyter_gpuperf.metrics\n"
        "sys.exit('importlib.metadata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
