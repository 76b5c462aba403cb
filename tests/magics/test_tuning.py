"""``Example: %gpubench dataloader LOADER --tune`` and ``gpuperf.tune``."""

from __future__ import annotations

import json

import pytest
from jupyter_client.manager import start_new_kernel

import jupyter_gpuperf
from jupyter_gpuperf.client.failures import BenchmarkCancelled, BenchmarkError
from jupyter_gpuperf.client.in_process_tuning import tune_in_process
from jupyter_gpuperf.display.progress import ProgressView
from jupyter_gpuperf.display.tuning_view import TuningView

LOADER = """
import torch
from torch.utils.data import DataLoader, Dataset

class Squares(Dataset):  # as a notebook has it: no module to import it from
    def __len__(self):
        return 100_000

    def __getitem__(self, index):
        return torch.tensor(index) ** 2

train_loader = DataLoader(Squares(), batch_size=8, num_workers=1)
"""
TUNE = "dataloader train_loader --tune --budget-seconds 4"


@pytest.fixture
def notebook(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_GPUPERF_RESULTS", str(tmp_path / "results.sqlite"))
    shell.run_cell(LOADER).raise_error()
    return shell


def test_a_tuning_is_shown_kept_and_offered_again(notebook):
    tuned = notebook.run_line_magic("gpubench", f"{TUNE} --into mine")
    assert isinstance(tuned, TuningView)
    assert notebook.user_ns["mine"] is tuned
    assert tuned.number is not None
    assert tuned.earlier is None
    text, drawn = repr(tuned), tuned._repr_html_()
    for words in (tuned.code, "current", "common recipe", "recommended", "Bottleneck"):
        assert words in text
        assert words.split("(")[0] in drawn
    json.dumps(tuned.to_dict())
    assert tuned.plot().axes

    kept = notebook.run_line_magic("gpubench", "dataloader train_loader --tune --kept")
    assert kept.recommended == tuned.recommended
    assert "not now" in kept.earlier
    notebook.run_cell(
        "sampler = torch.utils.data.SubsetRandomSampler(range(100))\n"
        "train_loader = DataLoader(train_loader.dataset, 8, sampler=sampler)"
    ).raise_error()
    other = notebook.run_line_magic("gpubench", "dataloader train_loader --tune --kept")
    assert "sampler=sampler" in other.code  # the code of now, not that of then
    notebook.run_cell(LOADER).raise_error()

    again = jupyter_gpuperf.tune(notebook.user_ns["train_loader"], budget_seconds=3)
    assert again.code.startswith("train_loader = ")  # found by what the notebook calls it
    assert again.earlier.startswith("Recommended on ")
    assert any("kept" in trial["roles"] for trial in again.trials)

    listed = repr(notebook.run_line_magic("gpubench", "history tune"))
    assert "train_loader" in listed


def test_names_of_the_users_are_escaped(notebook):
    tuned = notebook.run_line_magic("gpubench", TUNE)
    data = {**tuned.data, "summary": ["<script>"], "warnings": ["<b>"]}
    drawn = TuningView(data)._repr_html_()
    assert "<script>" not in drawn
    assert "&lt;b&gt;" in drawn


def test_a_click_on_cancel_ends_it(notebook):
    class Clicked:
        ended = None

        def show(self, job):
            self.shown = job

        def cancel_wanted(self):
            return hasattr(self, "shown")

        def end(self, final, status):
            self.ended = status

    view = Clicked()
    with pytest.raises(BenchmarkCancelled):
        tune_in_process(notebook.user_ns["train_loader"], "train_loader", new_view=lambda: view)
    assert view.ended.startswith("tune · cancelled")


REFUSED = [
    ("dataloader --tune", "usage"),
    ("dataloader train_loader --tune --workers 3", "usage"),
    ("dataloader train_loader --kept", "usage"),
    ("dataloader train_loader --tune --step Squares.__doc__", "usage"),
    ("dataloader train_loader --tune --step no_such_step", "unknown_name"),
    ("dataloader train_loader --tune --kept", "nothing_kept"),
    ("dataloader train_loader --tune --target-rate 0", "parameter_out_of_range"),
    ("blas --tune", "usage"),
]


def test_a_tuning_that_fails_is_headed_failed(notebook, monkeypatch):
    notebook.run_cell("bad_loader = DataLoader([], batch_size=4)").raise_error()
    ended = []

    class View(ProgressView):
        def end(self, final, status):
            ended.append((final, status))

    with pytest.raises(BenchmarkError):
        tune_in_process(notebook.user_ns["bad_loader"], "bad_loader", new_view=View)
    assert ended == [(None, "tune · failed")]


def test_what_makes_no_sense_is_refused(notebook):
    # One notebook for all: each leaves it as it was, and to end one takes a second.
    for line, code in REFUSED:
        with pytest.raises(BenchmarkError) as refusal:
            notebook.run_line_magic("gpubench", line)
        assert refusal.value.code == code, line


def test_a_real_kernel_tunes_a_class_of_a_cell(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_GPUPERF_RESULTS", str(tmp_path / "results.sqlite"))
    manager, client = start_new_kernel(kernel_name="python3")
    outputs = []
    try:
        code = f"%load_ext jupyter_gpuperf\n{LOADER}\nt = %gpubench {TUNE}\nprint(t.code)"
        reply = client.execute_interactive(code, timeout=120, output_hook=outputs.append)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok", reply["content"]
    printed = "".join(each["content"]["text"] for each in outputs if each["msg_type"] == "stream")
    assert "train_loader = torch.utils.data.DataLoader(train_loader.dataset" in printed
