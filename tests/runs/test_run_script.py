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
from script_runs import GPUPERF, LOOP, PATIENCE_SECONDS, command, environment, run

from jupyter_gpuperf.schemas.runs import RunRecord

pytest.importorskip("torch")

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


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


def test_a_loop_is_recorded_with_its_phases_and_where_the_host_is(tmp_path):
    code = f"""{LOOP}
train(8)
"""
    ended = run(tmp_path, code, "--save", "run.json", "--html", "run.html")
    assert ended.returncode == 0, ended.stderr
    record = record_of(tmp_path)
    (loop,) = record.loops
    assert loop.name == "optimizer"
    assert loop.is_training
    assert loop.steps > 50
    assert 0 < loop.warmup_steps < loop.steps / 2
    assert loop.step_seconds.low <= loop.step_seconds.value <= loop.step_seconds.high
    assert 0.01 < loop.step_seconds.value < 0.1
    assert set(loop.phases) == {"data", "copy", "forward", "backward", "optimizer", "other"}
    assert loop.host_lines[0].function == "get_batch"
    assert record.environment["torch"]
    assert record.command == [sys.executable, "train.py"]
    plain = json.loads((tmp_path / "run.json").read_text())
    assert plain["loops"][0]["tokens_per_second"] is None  # unknown, and there
    page = (tmp_path / "run.html").read_text()
    assert "get_batch" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "optimizer" in ended.stderr


def test_the_mean_step_is_the_scripts_own(tmp_path):
    code = f"""{LOOP}
steps = []
def train(seconds):
    until = time.monotonic() + seconds
    last = None
    while time.monotonic() < until:
        optimizer.zero_grad()
        model(get_batch()).sum().backward()
        optimizer.step()
        now = time.perf_counter()
        if last is not None:
            steps.append(now - last)
        last = now
train(8)
import statistics
print(statistics.fmean(steps[len(steps) // 4:]))
"""
    ended = run(tmp_path, code, "--save", "run.json")
    own_seconds = float(ended.stdout)
    step = record_of(tmp_path).loops[0].step_seconds
    assert own_seconds == pytest.approx(
        step.value, rel=0.15
    )  # a busy machine: the bar is in tests/perf


@pytest.mark.parametrize(
    ("ending", "status"),
    [("raise RuntimeError('bad batch')", 1), ("os._exit(5)", 5), ("os.kill(os.getpid(), 9)", 137)],
)
def test_the_summary_comes_however_the_script_ends(tmp_path, ending, status):
    ended = run(tmp_path, f"{LOOP}\nimport os\ntrain(3)\n{ending}", "--save", "run.json")
    assert ended.returncode == status
    record = record_of(tmp_path)
    assert record.exit_status == status
    assert record.loops[0].steps > 20
    assert f"exit status {status}" in ended.stderr


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 11), (signal.SIGTERM, 143), (signal.SIGUSR1, 9)]
)
def test_a_signal_reaches_the_script_and_the_summary_comes_all_the_same(tmp_path, number, status):
    code = f"""{LOOP}
import signal
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(9))  # as a job scheduler asks for a checkpoint
train(2)
print("trained", flush=True)
try:
    train(100)
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
    assert record_of(tmp_path).loops[0].steps > 20
    assert "optimizer" in errors


def test_what_a_script_starts_is_seen_and_what_it_forks_is_not(tmp_path):
    code = f"""{LOOP}
import os, subprocess
if len(sys.argv) == 1:
    os.chdir("/")
    pid = os.fork()
    if pid == 0:
        train(2)  # of a copy of this process
        os._exit(0)
    os.waitpid(pid, 0)
    subprocess.run([sys.executable, __file__, "child"], check=True)
    os.execv(sys.executable, [sys.executable, __file__, "replaced"])
train(2)
"""
    (tmp_path / "train.py").write_text(code)
    ended = run(tmp_path, code, "--save", "run.json", words=[str(tmp_path / "train.py")])
    assert ended.returncode == 0, ended.stderr
    loops = record_of(tmp_path).loops
    assert len(loops) == 2
    assert len({each.pid for each in loops}) == 2


RANKS = """
import sys, time, torch, torch.distributed as dist
from torch.utils.checkpoint import checkpoint
dist.init_process_group("gloo")
kind = sys.argv[1]

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(64, 64) for _ in range(4)])

    def forward(self, batch):
        for layer in self.layers:
            batch = checkpoint(layer, batch, use_reentrant=False) if kind == "checkpoint" else layer(batch)
        return batch

model = Net()
if kind == "fsdp":
    try:
        from torch.distributed.fsdp import fully_shard
    except ImportError:
        from torch.distributed._composable.fsdp import fully_shard
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))
    for layer in model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
else:
    model = torch.nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(200):
    time.sleep(0.01)
    optimizer.zero_grad()
    model(torch.randn(16, 64)).sum().backward()
    optimizer.step()
dist.destroy_process_group()
"""


@pytest.mark.parametrize("kind", ["ddp", "fsdp", "checkpoint"])
def test_ranks_are_one_run_with_the_phases_of_each(tmp_path, kind):
    words = ["--", *TORCHRUN, "train.py", kind]
    ended = run(tmp_path, RANKS, "--save", "run.json", words=words, OMP_NUM_THREADS="1")
    assert ended.returncode == 0, ended.stderr
    record = record_of(tmp_path)
    assert [each.rank for each in record.loops] == [0, 1]
    assert "rank 1" in ended.stderr
    for loop in record.loops:
        for phase in ("forward", "backward", "optimizer"):
            assert loop.phases[phase].host_seconds > 0


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
