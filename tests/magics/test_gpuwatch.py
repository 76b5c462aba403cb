"""``%gpuwatch`` in a real IPython with a real torch, without a server and without a GPU."""

from __future__ import annotations

import sys
import types

import msgspec
import pytest

import jupyter_gpuperf
import jupyter_gpuperf as gpuperf
from jupyter_gpuperf.client import cells
from jupyter_gpuperf.client import watch_session as watching_here
from jupyter_gpuperf.client.ab_tests import headroom
from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.schemas.cells import Footprint
from jupyter_gpuperf.schemas.training import MemoryGrowth

torch = pytest.importorskip("torch")

LOOP = """
from torch.utils.data import DataLoader, TensorDataset
import torch
train_loader = DataLoader(TensorDataset(torch.arange(64.0)), batch_size=8)
for batch in train_loader:
    pass
"""


@pytest.fixture
def shell(shell, monkeypatch):
    monkeypatch.setattr(watching_here, "_session", [])
    monkeypatch.setattr("jupyter_gpuperf.kernel_link.link.runtime_directories", list)
    yield shell
    shell.run_cell("%gpuwatch off")


@pytest.fixture
def run(shell, capsys):
    """Run a cell; return what it printed."""

    def run(code):
        capsys.readouterr()
        result = shell.run_cell(code, store_history=True)
        result.raise_error()
        return capsys.readouterr().out

    return run


def session():
    return watching_here.session()


def test_nothing_is_watched_until_one_says_so_and_it_says_how(run):
    assert "%gpuwatch on" in run("%gpuwatch")
    run(LOOP)
    assert session().watching.clocks == []


def test_a_loop_is_reported_under_its_variables_name_and_the_cells_beside_it(run, shell):
    run("%gpuwatch on")
    run(LOOP)
    session().telemetry.stop(10)
    report = shell.run_line_magic("gpuwatch", "report")
    (loop,) = report.loops
    assert (loop.loader, loop.count, loop.batch_size) == ("train_loader", 8, 8)
    assert loop.idle_for_data_ratio is None
    (cell,) = report.cells
    assert cell.wall_seconds > 0
    assert (cell.busy_ratio, cell.energy_joules, cell.peak_bytes) == (None, None, None)
    text = repr(report)
    assert "train_loader" in text
    assert "No Jupyter server" in text
    assert "CUDA is not used yet" in text
    assert "train_loader" in report._repr_html_()
    assert report.to_dict()["cells"][0]["number"] == cell.number


def test_a_loop_without_a_loader_is_reported_by_its_optimizer(run, shell):
    run("%gpuwatch on")
    run(
        """
import torch
model = torch.nn.Linear(3, 1)
opt = torch.optim.AdamW(model.parameters())
for _ in range(9):
    model(torch.ones(2, 3)).sum().backward()
    opt.step()
"""
    )
    session().telemetry.stop(10)
    report = shell.run_line_magic("gpuwatch", "report")
    (loop,) = report.loops
    assert (loop.loader, loop.bounded_by, loop.count) == ("opt", "optimizer", 8)
    row = next(line for line in repr(report).splitlines() if line.lstrip().startswith("opt"))
    assert "none; steps of the optimizer" in row
    assert " 0 %" not in row  # what it waits for is unknown, not zero


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 shows such loops")
def test_without_a_loop_the_report_says_what_this_python_cant_show(run, shell):
    run("%gpuwatch on")
    run(
        "import torch\nmodel = torch.nn.Linear(3, 1)\nfor _ in range(9):\n    model(torch.ones(2, 3))"
    )
    notes = shell.run_line_magic("gpuwatch", "report").notes
    assert any("such as inference, are timed from Python 3.12 on" in note for note in notes)
    run(LOOP)
    notes = shell.run_line_magic("gpuwatch", "report").notes
    assert not any("Python 3.12" in note for note in notes)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12")
def test_inference_is_a_loop_of_the_models_variable(run, shell):
    run("%gpuwatch on")
    run(
        """
import time, torch
model = torch.nn.Linear(3, 1)
until = time.monotonic() + 60
from jupyter_gpuperf.magics.gpuwatch import session
with torch.no_grad():
    while time.monotonic() < until and not any(len(each.steps) > 9 for each in session().watching.clocks):
        model(torch.ones(2, 3))
"""
    )
    session().telemetry.stop(10)
    report = shell.run_line_magic("gpuwatch", "report")
    (loop,) = report.loops
    assert (loop.loader, loop.bounded_by, loop.is_training) == ("model", "module", False)
    row = next(line for line in repr(report).splitlines() if line.lstrip().startswith("model"))
    assert "none; calls of the model" in row


def test_a_report_right_after_a_short_loop_has_all_its_steps(run, shell):
    run(f"%gpuwatch on\n{LOOP}")  # as with "Run all"
    (loop,) = shell.run_line_magic("gpuwatch", "report").loops
    assert (loop.loader, loop.count) == ("train_loader", 8)


def test_a_loop_with_another_one_in_each_step_is_not_missing_silently(run, shell):
    run(f"%gpuwatch on\n{LOOP}")
    run("outer = DataLoader([1, 2, 3])\nfor batch in outer:\n    list(train_loader)")
    report = shell.run_line_magic("gpuwatch", "report")
    assert [loop.loader for loop in report.loops] == ["train_loader"]
    assert any(note.startswith("outer is not shown") for note in report.notes)


def test_memory_that_grows_is_noted_also_without_a_server(run, shell):
    run(f"%gpuwatch on\n{LOOP}")
    (clock,) = session().watching.clocks
    growth = MemoryGrowth(bytes_per_step=2**20, steps=90, outlasts_epoch=False, holder="losses")
    clock.info = msgspec.structs.replace(clock.info, memory_growth=growth)
    notes = shell.run_line_magic("gpuwatch", "report").notes
    expected = "GPU memory grows by 1.00\u00a0MiB a step of train_loader: losses keeps"
    assert any(note.startswith(expected) for note in notes)


def test_an_odd_object_in_the_notebook_keeps_no_loop_from_being_watched(run, shell):
    run("%gpuwatch on")
    run("class Odd:\n    @property\n    def __class__(self): raise RuntimeError\nodd = Odd()")
    run(LOOP)
    (loop,) = shell.run_line_magic("gpuwatch", "report").loops
    assert (loop.loader, loop.count) == ("train_loader", 8)


def test_the_time_between_two_cells_is_no_step_after_the_first_one_either(run, shell):
    run(f"%gpuwatch on\n{LOOP}\nbatches = iter(train_loader); a = next(batches); a = next(batches)")
    run("a = next(batches)")
    (loop,) = shell.run_line_magic("gpuwatch", "report").loops
    assert loop.count == 8 + 1


def test_a_torch_that_is_a_stand_in_disturbs_no_cell(run, shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=object()))
    assert run("%gpuwatch on --quiet") != ""
    assert run("pass") == ""


def test_a_line_below_a_cell_unless_it_is_short_or_one_wants_quiet(run, monkeypatch):
    run("%gpuwatch on")
    assert run("pass") == ""  # a fraction of a second
    monkeypatch.setattr(cells, "SHOWN_FROM_SECONDS", 0.0)
    assert "s" in run("pass")
    run("%gpuwatch --quiet")
    assert run("pass") == ""


def test_what_the_server_says_of_a_cell_is_kept_with_it(run, shell):
    run("%gpuwatch on --quiet")
    number = shell.run_cell("pass", store_history=True).execution_count
    session()._receive(
        Footprint(number=number, busy_percent=64.0, busy_metric=None, energy_joules=4200.0)
    )
    cell = shell.run_line_magic("gpuwatch", "report").cells[-1]
    assert (cell.number, cell.busy_ratio, cell.energy_joules) == (number, 0.64, 4200.0)
    assert "GPU busy 64" in repr(cell.line())


def test_off_leaves_torch_and_the_shell_as_they_were(run, shell):
    plain = torch.utils.data.dataloader._BaseDataLoaderIter.__next__
    before = {event: list(each) for event, each in shell.events.callbacks.items()}
    run("%gpuwatch on")
    run("%gpuwatch on")  # twice is once
    assert torch.utils.data.dataloader._BaseDataLoaderIter.__next__ is not plain
    run("%gpuwatch off")
    assert torch.utils.data.dataloader._BaseDataLoaderIter.__next__ is plain
    assert {event: list(each) for event, each in shell.events.callbacks.items()} == before


def test_one_loader_can_be_watched_alone(run, shell):
    shell.user_ns["gpuperf"] = gpuperf
    run(LOOP)
    run("for batch in gpuperf.watch(train_loader): pass")
    session().telemetry.stop(10)
    (loop,) = shell.run_line_magic("gpuwatch", "").loops
    assert (loop.loader, loop.count) == ("train_loader", 8)


def test_explain_needs_a_watched_loop_then_shows_its_steps(run, shell):
    with pytest.raises(BenchmarkError) as error:
        shell.run_line_magic("gpuwatch", "explain")
    assert error.value.code == "nothing_watched"
    run("%gpuwatch on --quiet")
    assert "2 steps" in run("%gpuwatch explain --steps 2")
    shown = run(LOOP.replace("arange(64.0)", "arange(160.0)"))
    assert "step, profiled" in shown
    assert "2 steps profiled in" in shown


@pytest.mark.parametrize("line", ["of", "explain --steps 0", "explain --steps many"])
def test_what_is_not_understood_is_refused(shell, line):
    with pytest.raises(BenchmarkError) as error:
        shell.run_line_magic("gpuwatch", line)
    assert error.value.code in ("usage", "parameter_out_of_range")


@pytest.mark.parametrize("name", ["headroom", "headspace"])
def test_headroom_answers_to_its_name_of_before_too(run, shell, name):
    assert getattr(jupyter_gpuperf, name) is headroom
    with pytest.raises(BenchmarkError, match="takes two variables"):
        shell.run_line_magic("gpuwatch", f"{name} loader   # and a step")
