"""Recorded allocations: what is shown, where they are written, and that recording always ends. The GPU is a fake."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from jupyter_gpuperf.client.watch_session import session
from jupyter_gpuperf.device_memory import recording
from jupyter_gpuperf.device_memory.timeline import BEFORE, changes_in, timeline_of
from jupyter_gpuperf.display.timeline_view import figure

MIB = 2**20


def event(action, address, mib, seconds, line=None):
    frames = [{"filename": "torch/nn/functional.py", "line": 7, "name": "linear"}]
    frames += [] if line is None else [{"filename": "/data/train.py", "line": line, "name": "f"}]
    return {
        "action": action,
        "addr": address,
        "size": mib * MIB,
        "time_us": int(seconds * 1e6),
        "frames": frames,
    }


def place_of(frames):
    return next((f"train.py:{e['line']}" for e in frames if e["filename"][0] == "/"), None)


def test_each_allocation_has_an_owner_the_name_that_holds_it_or_the_line_that_made_it():
    trace = [
        event("segment_alloc", 1, 20, 0),
        event("alloc", 1, 4, 1, line=12),
        event("alloc", 2, 6, 2, line=13),
        event("alloc", 3, 1, 3),
        event("free_requested", 2, 6, 4),
        event("free_completed", 2, 6, 4),
        event("free_requested", 3, 1, 5),
        event("alloc", 2, 2, 6, line=15),
        event("free_requested", 99, 3, 7),
    ]
    names = {1: ("activation", "losses"), 50: ("parameter", "model")}
    changes = changes_in(trace, names, place_of)
    assert [(kind, str(name), size / MIB) for _, (kind, name), size in changes] == [
        ("activation", "losses", 4),
        ("freed", "train.py:13", 6),
        ("freed", "backward pass, or library code", 1),
        ("freed", "train.py:13", -6),
        ("freed", "backward pass, or library code", -1),
        ("other", "train.py:15", 2),
        ("before", "allocated before", -3),
    ]
    first = {("parameter", "model"): 5.0 * MIB, BEFORE: 3.0 * MIB}
    times, owners, peak = timeline_of(changes, first)
    totals = [sum(values) / MIB for values in zip(*owners.values(), strict=True)]
    assert totals == [12, 18, 19, 13, 12, 14, 11]
    assert times[peak] == pytest.approx(2, abs=0.05)
    assert owners["parameter", "model"] == [5 * MIB] * 7
    assert owners[BEFORE][-1] == 0


def test_a_long_trace_is_drawn_in_few_columns_that_keep_its_peak():
    trace = []
    for i in range(5000):
        trace += [event("alloc", i, 1 + 9 * (i == 777), i, 3)]
        trace += [event("free_requested", i, 1 + 9 * (i == 777), i + 0.5)]
    times, owners, peak = timeline_of(changes_in(trace, {}, place_of), {BEFORE: 0.0})
    assert len(times) <= 241
    assert owners["freed", "train.py:3"][peak] == 10 * MIB
    assert owners["freed", "train.py:3"][-1] == 0


class Gpu:
    """Torch's recorder of a GPU, which records what a test says."""

    def __init__(self, monkeypatch):
        self.trace, self.calls, self.enabled, self.bytes = [], [], False, 10.0 * MIB
        answers = {
            "is_available": True,
            "init": None,
            "is_initialized": True,
            "current_device": 0,
            "device_count": 1,
            "is_current_stream_capturing": False,
            "mem_get_info": (1000 * MIB, 1100 * MIB),
            "memory_snapshot": [],
        }
        for name, answer in answers.items():
            monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda *_: self.bytes)
        monkeypatch.setattr(torch.cuda.memory, "_record_memory_history", self._record)
        monkeypatch.setattr(torch.cuda.memory, "_snapshot", self._snapshot)
        monkeypatch.setattr(torch._C, "_cuda_isHistoryEnabled", lambda: self.enabled, raising=False)
        monkeypatch.setattr("jupyter_gpuperf.loops.loop_watch.device_in_use", lambda _: None)
        # The tensors are the CPU's.
        by_address = recording._owners_by_address
        monkeypatch.setattr(
            recording, "_owners_by_address", lambda t, notebook, _: by_address(t, notebook, "cpu")
        )

    def _record(self, enabled="all", **options):
        self.enabled = enabled is not None
        if self.enabled:
            self.trace.clear()

    def _snapshot(self):
        assert self.enabled
        return {"segments": [], "device_traces": [list(self.trace)]}

    def allocate(self, tensor):
        """Record a tensor as if it were on the GPU."""
        if self.enabled:
            seconds = len(self.trace)
            size = tensor.untyped_storage().nbytes() / MIB
            self.trace.append(event("alloc", tensor.untyped_storage().data_ptr(), size, seconds, 5))


@pytest.fixture
def gpu(monkeypatch, cells, tmp_path):
    monkeypatch.chdir(tmp_path)
    gpu = Gpu(monkeypatch)
    cells.shell.run_line_magic("load_ext", "jupyter_gpuperf")
    cells.shell.user_ns["allocate"] = gpu.allocate
    yield gpu
    session().stop()
    session().watching.observe(None)


@pytest.fixture
def shown(monkeypatch):
    views = []
    monkeypatch.setattr("jupyter_gpuperf.client.memory_recording.display", views.append)
    return views


KEEPING = "kept = torch.zeros(N)\nallocate(kept)"


def test_a_cell_is_recorded_into_a_file_for_pytorchs_viewer_and_shown_by_owner(gpu, cells):
    cells.run(f"%%gpumem record --into view\n{KEEPING}")
    view = cells.shell.user_ns["view"]
    assert not gpu.enabled
    snapshot = pickle.loads(Path("gpumem.pickle").read_bytes())
    assert snapshot["device_traces"][0][0]["action"] == "alloc"
    owners = view.to_dict()["owners"]
    assert ("variable", "kept") in [(each["kind"], each["name"]) for each in owners]
    assert "gpumem.pickle can be opened in https://pytorch.org/memory_viz" in repr(view)


def test_an_error_in_the_cell_is_shown_and_recording_ends(gpu, cells, capsys):
    cells.run(f"%%gpumem record\n{KEEPING}\n1 / 0")
    shown = capsys.readouterr().out
    assert "ZeroDivisionError" in shown
    assert "gpumem.pickle can be opened" in shown
    assert not gpu.enabled


def test_no_file_is_overwritten(gpu, cells, tmp_path, capsys):
    (tmp_path / "mine.pickle").write_text("mine")
    cells.run("%%gpumem record --file mine.pickle\n1")
    assert "already exists" in "".join(capsys.readouterr())
    assert (tmp_path / "mine.pickle").read_text() == "mine"
    for name in ("gpumem.pickle", "gpumem-2.pickle"):
        cells.run(f"%%gpumem record\n{KEEPING}")
        assert (tmp_path / name).exists()


LOOP = f"""
loader = torch.utils.data.DataLoader(list(range(12)), batch_size=2)
for epoch in range(2):
    for batch in loader:
        {KEEPING.replace(chr(10), chr(10) + " " * 8)}
"""


def test_the_next_steps_of_a_loop_are_recorded_also_across_epochs(gpu, cells, shown):
    cells.run("%gpuwatch on\n%gpumem record --steps 8")
    assert not gpu.enabled
    cells.run(LOOP)
    (view,) = shown
    assert len(view.data.steps_seconds) == 8
    assert view.data.events_count == 8
    assert not gpu.enabled
    assert session().watching.observer is None


@pytest.mark.parametrize("ending", ["1 / 0", "break", "raise KeyboardInterrupt"])
def test_a_loop_that_ends_early_ends_the_recording_with_its_cell(gpu, cells, shown, ending):
    cells.run("%gpuwatch on\n%gpumem record --steps 8")
    cells.run(f"{LOOP}        {ending}")
    (view,) = shown
    assert 1 <= len(view.data.steps_seconds) <= 2
    assert not gpu.enabled
    cells.run(LOOP)
    assert len(shown) == 1


def test_a_recorder_that_fails_does_not_harm_the_loop(gpu, cells, shown, monkeypatch):
    def fail():
        raise OSError("disk full")

    monkeypatch.setattr(torch.cuda.memory, "_snapshot", fail)
    cells.run("%gpuwatch on\n%gpumem record --steps 2")
    assert cells.run(f"{LOOP}\ndone = True").success
    assert cells.shell.user_ns["done"]
    assert "disk full" in repr(shown[0])
    assert not gpu.enabled


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%gpumem record", "No torch loop is watched"),
        ("%gpuwatch on\n%gpumem record --steps 0", "out of range"),
        ("%gpuwatch on\n%gpumem record\n%gpumem record", "already be profiled or recorded"),
        ("%%gpumem record --steps 2\n1", "records the whole cell"),
        ("%%gpumem free\n1", "takes a cell"),
    ],
)
def test_what_can_not_be_recorded_is_said(gpu, cells, capsys, line, says):
    cells.run(line)
    captured = capsys.readouterr()
    assert says in captured.out + captured.err
    assert not gpu.enabled


def test_another_recording_is_left_alone(gpu, cells, capsys):
    gpu.enabled = True
    cells.run("%%gpumem record\n1")
    captured = capsys.readouterr()
    assert "already being recorded" in captured.out + captured.err
    assert gpu.enabled


def test_without_a_gpu_it_says_so(cells, capsys):
    cells.shell.run_line_magic("load_ext", "jupyter_gpuperf")
    cells.run("%%gpumem record\n1")
    captured = capsys.readouterr()
    assert "needs a GPU" in captured.out + captured.err


def test_the_figure_needs_no_script_and_names_every_area(gpu, cells):
    more = "more = torch.zeros(N)\nallocate(more)"
    cells.run(f"%%gpumem record --into view\n{KEEPING}\n{more}")
    view = cells.shell.user_ns["view"]
    drawn = figure(view.data)
    assert "<script" not in drawn
    assert drawn.count("<polygon") == len(view.data.owners) >= 2
    assert "<title>variable: kept:" in drawn
    assert "variable: more" in view._repr_html_()
