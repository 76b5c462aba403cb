"""Scripts that do what scripts rarely do: a run leaves them and their files alone, and sees what can be seen."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import msgspec
import pytest
from script_runs import GPUPERF, LOOP, PATIENCE_SECONDS, command, environment, run

from jupyter_gpuperf.runs.process import STARTUP
from jupyter_gpuperf.schemas.runs import RunRecord

MODULES = "import sys; print(*sys.modules)"


def python(code, *paths):
    """Return what Python prints with these search paths, on both streams."""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(PYTHONPATH=os.pathsep.join(map(str, paths))),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return ended.stdout, ended.stderr


def test_a_python_without_torch_starts_with_hardly_anything_more():
    package = STARTUP.parents[2]
    plain, watched = (
        set(python(MODULES, *paths)[0].split()) for paths in ((package,), (STARTUP, package))
    )
    ours = {each for each in watched if each.split(".")[0] == "jupyter_gpuperf"}
    assert watched - plain - ours <= {"sitecustomize", "__future__"}
    assert ours == {
        f"jupyter_gpuperf{each}" for each in ("", ".runs", ".runs.child", ".import_hook")
    }


def test_a_python_with_another_version_of_this_package_is_only_not_watched(tmp_path):
    (tmp_path / "jupyter_gpuperf").mkdir()
    (tmp_path / "jupyter_gpuperf" / "__init__.py").write_text(
        "syntax that only another Python knows"
    )
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.own = 'own'")
    assert python("import sys; print(sys.own)", STARTUP, tmp_path) == ("own\n", "")


def test_an_error_of_the_machines_own_sitecustomize_stays_what_it_is(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("raise ValueError('own')")
    plain, watched = python("print('ran')", tmp_path), python("print('ran')", STARTUP, tmp_path)
    assert watched == plain
    assert "own" in plain[1]


def test_a_cells_output_has_no_status_line(tmp_path):
    own, inner = pty.openpty()
    code = "import subprocess, sys; subprocess.call(sys.argv[2:])"
    start = command(tmp_path, "import time; time.sleep(2.5)")
    process = subprocess.Popen(
        [sys.executable, "-c", code, "ipykernel_launcher", *start],
        cwd=tmp_path,
        env=environment(TERM="xterm-color"),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    text = b""
    while not text.endswith(b"seen.\r\n"):
        text += os.read(own, 4096)
    process.wait(PATIENCE_SECONDS)
    os.close(own)
    assert b"\x1b" not in text


def test_a_script_may_clear_its_environment_close_all_files_and_become_another_program(tmp_path):
    pytest.importorskip("torch")
    code = f"""
import os, signal
environment = dict(os.environ)
os.environ.clear()
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
{LOOP}
train(20)
os.closerange(3, 1000)
files = [open(f"own{{number}}", "w+") for number in range(30)]
train(200)
for each in files:
    each.write("own")
    each.flush()
    assert open(each.name).read() == "own", each.name
code = open(__file__).read().partition("import sys, time")[2].partition("train(20)")[0]
os.execve(sys.executable, [sys.executable, "-c", f"import sys, time{{code}}train(100)"], environment)
"""
    inner = [*GPUPERF, "--save", "inner.json", "train.py"]
    ended = run(tmp_path, code, "--save", "run.json", words=["--", *inner])
    assert ended.returncode == 0, ended.stderr
    for name in ("run.json", "inner.json"):  # a run in a run: both are about its loops
        record = msgspec.json.decode((tmp_path / name).read_bytes(), type=RunRecord)
        (loop,) = record.loops
        assert loop.steps > 150
