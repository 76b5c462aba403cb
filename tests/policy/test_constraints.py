"""Everything that the checks install is locked, and nothing else: users choose their own torch."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"[a-z0-9-]+==[^\s;/:@]+( ; [\w\s.*<>='!()]+)?")
OPEN = {"torch"}


def lines() -> list[str]:
    text = (ROOT / "scripts" / "constraints.txt").read_text()
    return [line for line in text.splitlines() if not line.startswith("#")]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_line_is_a_version_and_names_no_place():
    assert [line for line in lines() if not LINE.fullmatch(line)] == []


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs tomllib")
def test_every_direct_dependency_is_locked_but_torch():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    asked = {canonical(re.match(r"[\w.-]+", each)[0]) for group in groups for each in group}
    locked = {line.partition("==")[0] for line in lines()}
    assert asked - locked - OPEN - {"jupyter-gpuperf"} == set()  # otherwise run scripts/lock


def test_torch_and_its_libraries_are_not_locked():
    names = {line.partition("==")[0] for line in lines()} - {"nvidia-ml-py"}
    assert [name for name in names if re.match(r"torch|triton|nvidia-|cuda-", name)] == []
