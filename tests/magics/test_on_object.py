"""``%gpubench dataloader LOADER``: a notebook's own loader, measured where its data lies."""

from __future__ import annotations

import pytest

from jupyter_gpuperf import bench
from jupyter_gpuperf.client.failures import BenchmarkCancelled, BenchmarkError
from jupyter_gpuperf.client.in_process import named_object, run_on_object
from jupyter_gpuperf.errors import BadRequest, NotFound

LOADER = """
import torch
from torch.utils.data import DataLoader, Dataset

class Squares(Dataset):  # as a notebook has it: no module to import it from
    hook = None

    def __len__(self):
        return 1000

    def __getitem__(self, index):
        if Squares.hook is not None:
            Squares.hook()
        return torch.tensor(index) ** 2

train_loader = DataLoader(Squares(), batch_size=8, num_workers=0)
"""


@pytest.fixture
def notebook(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_GPUPERF_RESULTS", str(tmp_path / "results.sqlite"))
    shell.run_cell(LOADER).raise_error()
    return shell


def test_a_loader_of_the_notebook_is_measured_with_its_own_settings_and_kept(notebook):
    result = notebook.run_line_magic(
        "gpubench", "dataloader train_loader --time-limit-seconds 1 --into mine"
    )
    assert notebook.user_ns["mine"] is result
    assert result.parameters["loader"] == "train_loader"
    assert result.parameters["batch_size"] == 8
    assert result.environment["data_set"] == "Squares"
    assert result.figures["samples_per_second"].value > 0
    assert result.number is not None


def test_workers_can_hold_a_class_of_the_notebook(notebook):
    result = bench(
        "dataloader", notebook.user_ns["train_loader"], workers=1, time_limit_seconds=1.0
    )
    assert result.parameters["workers"] == 1


def test_what_the_users_code_raises_is_told(notebook):
    def broken():
        raise ValueError("no such file")

    notebook.user_ns["Squares"].hook = broken
    with pytest.raises(BenchmarkError) as failure:
        notebook.run_line_magic("gpubench", "dataloader train_loader")
    assert failure.value.code == "object_failed"
    assert "ValueError('no such file')" in failure.value.message


def test_an_interrupt_cancels_it(notebook):
    def interrupt():
        raise KeyboardInterrupt

    notebook.user_ns["Squares"].hook = interrupt
    with pytest.raises(BenchmarkCancelled):
        notebook.run_line_magic("gpubench", "dataloader train_loader")


def test_a_click_on_cancel_ends_it(notebook):
    class Clicked:
        ended = None

        def show(self, job):
            self.shown = job

        def cancel_wanted(self):
            return True

        def end(self, final, words):
            self.ended = words

    view = Clicked()
    with pytest.raises(BenchmarkCancelled):
        run_on_object(
            "dataloader",
            notebook.user_ns["train_loader"],
            "train_loader",
            {},
            new_view=lambda: view,
        )
    assert view.ended == "dataloader · cancelled"


REFUSED = [
    ("dataloader no_such_loader", "unknown_name"),
    ("dataloader train_loader.nothing", "unknown_name"),
    ("dataloader 7", "usage"),
    ("dataloader train_loader --workers 1000", "parameter_out_of_range"),
    ("blas train_loader", "usage"),
]


def test_what_can_not_be_measured_is_refused(notebook):
    # One notebook for all: each leaves it as it was, and to end one takes a second.
    for line, code in REFUSED:
        with pytest.raises(BenchmarkError) as refusal:
            notebook.run_line_magic("gpubench", line)
        assert refusal.value.code == code, line


def test_a_name_may_be_an_attribute():
    class Data:
        loader = "the loader"

    assert named_object("data.loader", {"data": Data}) == "the loader"
    with pytest.raises(NotFound):
        named_object("data.other", {"data": Data})
    with pytest.raises(BadRequest):
        named_object("make()", {"make": Data})
