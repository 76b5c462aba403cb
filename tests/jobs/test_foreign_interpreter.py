"""The worker in interpreters that are not ours. See also test_interpreter.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_gpuperf.jobs.process import WORKER

REQUEST = json.dumps({"benchmark": "dataloader", "parameters": {}})
SPY = """
import json, sys
def find_spec(name, path=None, target=None):
    if name == "torch":
        print(json.dumps({"path": sys.path, "modules": sorted(sys.modules)}), file=sys.stderr)
sys.meta_path.insert(0, type("Spy", (), {"find_spec": staticmethod(find_spec)}))
"""


def run_worker(command, environment):
    finished = subprocess.run(
        [*command, *WORKER],
        input=REQUEST,
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=True,
    )
    return json.loads(finished.stdout), finished.stderr


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A Python that has neither this package nor torch, and tells what it could import."""
    folder = tmp_path_factory.mktemp("foreign")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "spy.pth").write_text("import spy\n")
    (site_packages / "spy.py").write_text(SPY)
    python = folder / "bin" / "python"
    answer, log = run_worker([str(python)], {})
    assert answer["code"] == "package_missing"
    return folder, json.loads(log)


def test_nothing_of_the_server_s_packages_is_within_reach(foreign):
    folder, seen = foreign
    paths = [Path(each) for each in seen["path"] if each]
    assert not any(path.is_relative_to(Path(sys.prefix)) for path in paths)
    packages = [path for path in paths if path.name == "site-packages"]
    assert packages
    assert all(path.is_relative_to(folder) for path in packages)


def test_the_worker_s_own_folder_is_not_within_reach(foreign):
    _, seen = foreign
    # Names like "posix" or "client" would hide modules of the same name.
    assert str(Path(WORKER[0]).parent) not in seen["path"]
    assert str(Path(WORKER[0]).parents[2]) not in seen["path"]


def test_it_needs_the_standard_library_and_the_package_itself_alone(foreign):
    _, seen = foreign
    known = sys.stdlib_module_names | {"__main__", "jupyter_gpuperf", "spy", "sitecustomize"}
    loaded = {name.partition(".")[0] for name in seen["modules"]}
    assert {name for name in loaded - known if not name.startswith("_")} == set()


def test_a_python_that_is_too_old_is_told_so():
    # As good as an old Python: the worker asks for the version before it does anything else.
    program = (
        "import runpy, sys; sys.version_info = (3, 8, 0); "
        "runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    answer, _ = run_worker([sys.executable, "-I", "-c", program], {})
    assert answer["code"] == "kernel_python_too_old"
    assert "Python 3.8" in answer["message"]
    assert "3.10" in answer["hint"]


def test_the_worker_parses_with_an_old_python():
    import ast

    ast.parse(Path(WORKER[0]).read_text(), feature_version=(3, 4))
