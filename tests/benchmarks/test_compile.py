"""When compiling pays, and what it needs; the run itself is in ``test_training``."""

from __future__ import annotations

import os
import shutil
import sys
from types import SimpleNamespace

import pytest

from jupyter_gpuperf.benchmarks import Context, compile, find
from jupyter_gpuperf.benchmarks.compile import CACHE_VARIABLE, _break_even
from jupyter_gpuperf.display.numbers import split_name
from jupyter_gpuperf.errors import Unavailable
from jupyter_gpuperf.measure.compiler import check_compiler

CPU = SimpleNamespace(type="cpu")


def test_compiling_has_paid_when_the_steps_have_saved_its_seconds():
    found = _break_even([1.0] * 8, [0.75] * 8, cold_seconds=30.0)
    assert found == {"value": 120.0, "low": 120.0, "high": 120.0}


def test_how_sure_that_is_depends_on_how_the_steps_scatter():
    compiled = [0.5 + 0.01 * index for index in range(20)]
    found = _break_even([1.0] * 20, compiled, cold_seconds=30.0)
    assert found["low"] <= found["value"] <= found["high"]
    assert found["low"] < found["high"]


@pytest.mark.parametrize("compiled", [[1.0] * 8, [2.0] * 8, [0.5, 1.5] * 4])
def test_where_it_may_never_pay_no_number_of_steps_is_named(compiled):
    assert _break_even([1.0] * 8, compiled, cold_seconds=30.0) is None


def test_a_number_of_steps_is_not_shown_as_a_time():
    assert split_name("break_even_steps", "steps")[1] == "steps"


def test_the_cache_is_its_own_and_the_users_is_put_back(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv(CACHE_VARIABLE, "the user's")
    seen = []

    def stop(parameters, context):
        seen.append(os.environ[CACHE_VARIABLE])
        assert os.path.isdir(seen[0])
        raise ZeroDivisionError

    monkeypatch.setattr(compile, "_run", stop)
    quiet = Context(progress=lambda ratio, words: None, warn=lambda sentence: None)
    with pytest.raises(ZeroDivisionError):
        compile.run(find("compile").check({}), quiet)
    assert os.environ[CACHE_VARIABLE] == "the user's"
    assert not os.path.exists(seen[0])


def test_the_compiler_that_the_environment_names_is_the_one_looked_for(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O3")
    with pytest.raises(Unavailable) as refusal:
        check_compiler(None, CPU)
    assert refusal.value.code == "compiler_missing"
    assert "not found: no-such-compiler" in refusal.value.message
    monkeypatch.setenv("CXX", f"{sys.executable} -O3")
    check_compiler(None, CPU)


def test_training_compiled_without_a_compiler_is_refused_before_anything_is_measured(
    refusal_of, monkeypatch
):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert refusal_of("train", compile=True)["code"] == "compiler_missing"
