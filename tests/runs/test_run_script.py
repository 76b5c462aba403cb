"""``jupyter gpuperf run`` with real scripts: they stay as they are, and their loops are seen."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from script_runs import GPUPERF, LOOP, PATIENCE_SECONDS, PLAIN_LOOP, command, environment, run

from jupyter_gpuperf.schemas.runs import RunRecord

pytest.importorskip("torch")


def record_of(folder):
    return msgspec.json.decode((folder / "run.json").read_bytes(), type=RunRecord)


def test_the_streams_and_the_exit_status_are_the_scripts_own(tmp_path):
    code = """
import os, sys
print(sys.argv, os.getcwd(), sys.path[0], sys.stdin.read())
print("to stderr", file=sys.stderr)
sys.exit(7)
"""
    (tmp_path / "train.py").write_text(code)
    words = ["train.py", "--lr", "1", "--", "x"]
    plain, watched = (
        subprocess.run(
            [*start, *words],
            cwd=tmp_path,
            input="typed",
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        for start in ([sys.executable], GPUPERF)
    )
    assert watched.returncode == plain.returncode == 7
    assert watched.stdout == plain.stdout
    assert watched.stderr.startswith("to stderr\n")
    assert "No process of it imported torch" in watched.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A loop's run, as (its folder, what it printed: when its steps ended, what was printed about it)."""
    folder = tmp_path_factory.mktemp("trained")
    code = f"{LOOP}\nprint(train(300))"
    ended = run(folder, code, "--save", "run.json", "--html", "run.html")
    assert ended.returncode == 0, ended.stderr
    return folder, json.loads(ended.stdout), ended.stderr


def test_a_loop_is_recorded_with_its_phases_and_where_the_host_is(trained):
    folder, ends, said = trained
    record = record_of(folder)
    (loop,) = record.loops
    assert loop.name == "optimizer"
    assert loop.is_training
    assert loop.steps == len(ends) - 1
    assert 0 < loop.warmup_steps < loop.steps / 2
    assert loop.step_seconds.low <= loop.step_seconds.value <= loop.step_seconds.high
    assert set(loop.phases) == {"data", "copy", "forward", "backward", "optimizer", "other"}
    assert loop.host_lines[0].function == "get_batch"
    assert record.environment["torch"]
    assert record.command == [sys.executable, "train.py"]
    plain = json.loads((folder / "run.json").read_text())
    assert plain["loops"][0]["tokens_per_second"] is None  # unknown, and there
    page = (folder / "run.html").read_text()
    assert "get_batch" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "optimizer" in said


def test_the_mean_step_is_the_scripts_own(trained):
    folder, ends, _ = trained
    (loop,) = record_of(folder).loops
    own_seconds = (ends[-1] - ends[loop.warmup_steps]) / (loop.steps - loop.warmup_steps)
    assert loop.step_seconds.value == pytest.approx(own_seconds, rel=0.01)


@pytest.mark.parametrize(
    ("loop", "ending", "status"),
    [
        (LOOP, "raise RuntimeError('bad batch')", 1),
        (PLAIN_LOOP, "os._exit(5)", 5),
        (PLAIN_LOOP, "os.kill(os.getpid(), 9)", 137),
    ],
    ids=["raise", "_exit", "kill"],
)
def test_the_summary_comes_however_the_script_ends(tmp_path, loop, ending, status):
    ended = run(tmp_path, f"{loop}\nimport os\ntrain(100)\n{ending}", "--save", "run.json")
    assert ended.returncode == status
    record = record_of(tmp_path)
    assert record.exit_status == status
    assert record.loops[0].steps > 20
    assert f"exit status {status}" in ended.stderr


@pytest.mark.parametrize(
    ("loop", "number", "status"),
    [
        (PLAIN_LOOP, signal.SIGINT, 11),
        (LOOP, signal.SIGTERM, 143),
        (PLAIN_LOOP, signal.SIGUSR1, 9),
    ],
    ids=["SIGINT", "SIGTERM", "SIGUSR1"],
)
def test_a_signal_reaches_the_script_and_the_summary_comes_all_the_same(
    tmp_path, loop, number, status
):
    code = f"""{loop}
import signal
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(9))  # as a job scheduler asks for a checkpoint
train(100)
print("trained", flush=True)
try:
    train(10_000)
except KeyboardInterrupt:
    sys.exit(11)
"""
    process = subprocess.Popen(
        command(tmp_path, code, "--save", "run.json"),
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "trained\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == status, errors
    (first, *_) = record_of(tmp_path).loops
    assert first.steps > 20
    assert first.name in errors


def test_what_a_script_starts_is_seen_and_what_it_forks_is_not(tmp_path):
    code = f"""
import os, subprocess, sys
if len(sys.argv) > 1:
    {PLAIN_LOOP.replace(chr(10), chr(10) + "    ")}
    train(30)
    sys.exit()
{LOOP}
os.chdir("/")
pid = os.fork()
if pid == 0:
    train(100)  # of a copy of this process
    os._exit(0)
os.waitpid(pid, 0)
subprocess.run([sys.executable, __file__, "child"], check=True)
os.execv(sys.executable, [sys.executable, __file__, "replaced"])
"""
    ended = run(tmp_path, code, "--save", "run.json", words=[str(tmp_path / "train.py")])
    assert ended.returncode == 0, ended.stderr
    loops = record_of(tmp_path).loops
    assert [each.steps for each in loops] == [30, 30]
    assert len({each.pid for each in loops}) == 2


def test_a_module_is_run_like_python_does(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__main__.py").write_text("import sys; print(__package__, sys.argv[1:])")
    ended = run(tmp_path, "", words=["-m", "package", "--quiet", "-m"])
    assert ended.stdout == "package ['--quiet', '-m']\n"
    assert "-m package" in ended.stderr


def test_a_loader_of_another_framework_is_timed_without_torch(tmp_path):
    code = """
import sys, time
import jupyter_gpuperf as gpuperf
def batches():
    for _ in range(200):
        time.sleep(0.01)
        yield 1
for batch in gpuperf.watch(batches()):
    time.sleep(0.01)
assert "torch" not in sys.modules
"""
    ended = run(tmp_path, code, "--save", "run.json")
    assert ended.returncode == 0, ended.stderr
    (loop,) = record_of(tmp_path).loops
    assert loop.steps == 200  # also those of the last moment
    assert 0.3 < loop.wait_ratio < 0.7
    assert "could not be seen" not in ended.stderr


def test_what_saw_no_steps_says_why(tmp_path):
    ended = run(tmp_path, "import torch")
    assert "no DataLoader gave two batches, and no optimizer made two steps" in ended.stderr
    is_too_old = sys.version_info < (3, 12)
    why = "are seen from Python 3.12 on" if is_too_old else "No model was seen in two calls"
    assert why in " ".join(ended.stderr.split())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12")
def test_the_tokens_of_a_hand_written_generation_are_steps(tmp_path):
    code = """
import time
import torch
torch.set_num_threads(1)
class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = torch.nn.Embedding(50, 32), torch.nn.Linear(32, 50)
        layers = [torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True) for _ in range(4)]
        self.layers = torch.nn.ModuleList(layers)

    def forward(self, input_ids):
        x = self.embedding(input_ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)

    @torch.no_grad()
    def generate(self, ids, length):
        for _ in range(length):
            ids = torch.cat([ids, self(ids)[:, -1].argmax(-1, keepdim=True)], 1)
        return ids

model, until = Decoder().eval(), time.monotonic() + 5
while time.monotonic() < until:
    model.generate(torch.randint(0, 50, (2, 8)), 20)
"""
    ended = run(tmp_path, code, "--save", "run.json")
    assert ended.returncode == 0, ended.stderr
    (loop,) = record_of(tmp_path).loops
    assert (loop.name, loop.is_training) == ("model", False)
    assert loop.steps > 20
    assert loop.phases["forward"].host_seconds > loop.phases["other"].host_seconds
    assert loop.phases["data"].host_seconds is None
    assert loop.tokens_per_second > 8 * loop.samples_per_second


def test_quiet_is_quiet_and_saves_all_the_same(tmp_path):
    ended = run(tmp_path, "print('own')", "--quiet", "--save", "run.json")
    assert (ended.stdout, ended.stderr) == ("own\n", "")
    assert record_of(tmp_path).seconds > 0


def test_another_python_runs_and_it_is_said_that_nothing_was_seen(tmp_path):
    # Isolated: it reads neither PYTHONPATH nor this environment's packages.
    words = ["--", sys.executable, "-I", "-c", "print('isolated')"]
    ended = run(tmp_path, "", words=words)
    assert ended.stdout == "isolated\n"
    assert ended.returncode == 0
    assert "could not be seen" in ended.stderr


def test_the_machines_own_sitecustomize_runs_once(tmp_path):
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys; sys.times = getattr(sys, 'times', 0) + 1")
    code = "import sys; print(sys.times, [each for each in sys.path if 'gpuperf/runs' in each])"
    ended = run(tmp_path, code, PYTHONPATH=str(folder))
    assert ended.stdout == "1 []\n"


@pytest.mark.parametrize(
    ("options", "words", "said"),
    [
        ((), [], "There is nothing to run."),
        ((), ["missing.py"], "There is no script and no program missing.py."),
        (("--save", "train.py"), None, "train.py"),
        (("--save", "x", "--html", "./x"), None, "the same file"),
        (("--source", "nowhere:"), None, "nowhere"),
    ],
)
def test_misuse_is_refused_before_anything_runs(tmp_path, options, words, said):
    ended = run(tmp_path, "print('ran')", *options, words=words)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert said in ended.stderr
    assert (tmp_path / "train.py").read_text() == "print('ran')"


def test_a_file_that_can_not_be_written_changes_nothing_else(tmp_path):
    ended = run(tmp_path, "import sys; sys.exit(4)", "--save", "folder/run.json")
    assert ended.returncode == 4
    assert "Can't write folder/run.json" in ended.stderr
    assert "train.py" in ended.stderr  # the summary


def test_a_file_that_the_script_wrote_is_not_overwritten(tmp_path):
    code = "open('run.json', 'w').write('own'); import sys; sys.exit(4)"
    ended = run(tmp_path, code, "--save", "run.json")
    assert ended.returncode == 4
    assert "Can't write run.json" in ended.stderr
    assert (tmp_path / "run.json").read_text() == "own"


def test_a_run_leaves_no_sockets_behind_not_even_those_of_runs_that_were_killed(tmp_path):
    folder = tmp_path / ("long" * 30)  # too long for a socket, as some schedulers' folders are
    with (
        tempfile.TemporaryDirectory() as short,
        socket.socket(socket.AF_UNIX) as alive,
        socket.socket(socket.AF_UNIX) as dead,
    ):
        killed, own = (
            Path(short, "gpuperf-killed", "gpuperf-1.sock"),
            Path(short, "gpuperf-x", "gpuperf-2.sock"),
        )
        for each, path in ((dead, killed), (alive, own)):
            path.parent.mkdir()
            each.bind(str(path))
            os.utime(path, (0, 0))
        alive.listen()
        dead.close()
        run(tmp_path, "pass", TMPDIR=short)
        assert [*Path(short).iterdir()] == [own.parent]
    folder.mkdir()
    ended = run(tmp_path, "print('ran')", TMPDIR=str(folder))
    assert ended.stdout == "ran\n"
    assert "AF_UNIX" not in ended.stderr
    assert not [*folder.iterdir()]
