"""Cells that draw from a loader, and cells that take long."""

from __future__ import annotations

import multiprocessing
import time

import pytest

from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.levers import loader_trial, trials
from jupyter_gpuperf.levers.lever import Lever
from jupyter_gpuperf.levers.loader_lever import with_non_blocking_copies
from jupyter_gpuperf.levers.options import SpeedupOptions
from jupyter_gpuperf.levers.ready_batches import KeepingLoader, ReadyLoaders
from jupyter_gpuperf.levers.search import search
from jupyter_gpuperf.precision.profiled_code import ProfiledCode

torch = pytest.importorskip("torch")

SETUP = """
import torch
from torch.utils.data import DataLoader
torch.manual_seed(0)
loader = DataLoader(dataset, batch_size=8, shuffle=True)
model = torch.nn.Linear(16, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
losses = []
"""
CELL = """\
for images, labels in loader:
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
"""


class Slow(torch.utils.data.Dataset):
    """Items that take a while, as decoding does; a sleep leaves the CPU to the other tests."""

    def __init__(self, item_seconds, items=400):
        self.item_seconds, self.items = item_seconds, items

    def __len__(self):
        return self.items

    def __getitem__(self, index):
        time.sleep(self.item_seconds)
        return torch.full((16,), index / 400), index % 4


def notebook(item_seconds, **options):
    names = {"dataset": Slow(item_seconds, **options), "__name__": "__main__"}
    exec(SETUP, names)
    return names


def found(names, cell=CELL, levers=(), **options):
    code = compile(cell, "<cell>", "exec")
    subject = ProfiledCode(
        body=lambda: exec(code, names),
        namespace=names,
        code=code,
        hidden=frozenset({"__builtins__"}),
    )
    return search(subject, cell, SpeedupOptions(**options), levers=levers)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.filterwarnings("ignore:.*pin_memory")
def test_a_slow_loader_is_tuned_and_the_notebook_is_as_after_one_run(monkeypatch):
    # However slow the machine is, there is time for all; a gain of this size needs few rounds.
    for module, name in ((loader_trial, "TUNER"), (trials, "TRIAL"), (trials, "FINAL")):
        monkeypatch.setattr(module, f"{name}_SHARE", 0.025)
    names = notebook(0.005, items=240)
    result = found(names, time_limit_seconds=200)
    assert result.taken == ["loader"], result.levers
    assert result.speedup["low"] > 1
    assert result.setup.startswith("loader = torch.utils.data.DataLoader(loader.dataset")
    assert names["loader"].num_workers == 0
    assert len(names["losses"]) == 30
    assert multiprocessing.active_children() == []
    exec(f"{result.setup}\n{result.code}", names)
    assert names["loader"].num_workers > 0
    assert len(names["losses"]) == 60


def test_what_is_faster_on_ready_batches_alone_says_so():
    names = notebook(0.0, items=80)
    names["wait_seconds"] = 0.02
    cell = CELL + "    import time\n    if wait_seconds: time.sleep(wait_seconds)\n"
    quick = Lever(name="no wait", apply=lambda _, code: code.with_setup("wait_seconds = 0.0"))
    result = found(names, cell, levers=[quick], time_limit_seconds=10)
    assert result.taken[0] == "no wait"
    assert result.levers[0].why == "It is faster on batches that are ready."


def test_a_loader_that_costs_nothing_is_left():
    result = found(notebook(0.0, items=80), time_limit_seconds=5)
    assert result.taken == []
    assert result.code == CELL


def test_of_a_long_cell_only_some_steps_are_timed_and_all_of_it_runs_once(tmp_path):
    names, steps_file = notebook(0.0, items=24), tmp_path / "steps"
    names["steps_file"] = str(steps_file)
    cell = """\
import time
for _ in range(60):
    loss = model(torch.ones(8, 16)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    time.sleep(0.05)
    with open(steps_file, "a") as file:
        file.write(".")
    losses.append(loss.item())
"""
    result = found(names, cell, time_limit_seconds=1)
    assert len(names["losses"]) == 60
    assert result.before_seconds["low"] > 0.045
    runs = 2 + 4  # the ordinary one, that in which the cell gets warm, and four rounds
    assert 60 < steps_file.stat().st_size < 60 * runs * 0.7


def test_a_long_cell_with_a_scaler_of_its_own_ends_between_its_steps():
    names = notebook(0.0, items=24)
    names["scaler"] = torch.amp.GradScaler("cpu")
    cell = """\
import time
for _ in range(40):
    loss = model(torch.ones(8, 16)).square().mean()
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    time.sleep(0.03)
"""
    result = found(names, cell, time_limit_seconds=2)
    assert result.before_seconds["low"] > 0.027


def test_a_loader_that_the_cell_does_not_name_is_refused():
    with pytest.raises(BadRequest) as refused:
        found(notebook(0.0, items=16), loader="other", time_limit_seconds=2)
    assert refused.value.code == "unknown_loader"
    assert "loader" in str(refused.value.hint)


def test_batches_that_a_cell_changes_in_place_are_not_used_again():
    loader = torch.utils.data.DataLoader(Slow(0.0, items=16), batch_size=8)
    keeping = KeepingLoader(loader)
    assert len(list(keeping)) == len(keeping) == 2
    ready = ReadyLoaders({"loader": keeping}, 4, pinned=False)
    assert ready.batches_per_step == {"loader": 0.5}
    for images, _ in ready.stand_ins["loader"]:
        assert images.shape == (8, 16)
    assert not ready.were_changed()
    for images, _ in ready.stand_ins["loader"]:
        images.mul_(2)
    assert ready.were_changed()


def test_a_cell_that_changes_its_batches_is_timed_on_its_own_loader():
    cell = CELL.replace("model(images)", "model(images.mul_(0.5))")
    result = found(notebook(0.0, items=80), cell, time_limit_seconds=3)
    assert result.levers == []
    assert result.code == cell


def test_a_stand_in_has_the_loaders_length_and_attributes():
    loader = torch.utils.data.DataLoader(Slow(0.0, items=160), batch_size=8)
    keeping = KeepingLoader(loader)
    for _, _batch in zip(range(3), keeping, strict=False):
        pass
    stand_in = ReadyLoaders({"loader": keeping}, 3, pinned=False).stand_ins["loader"]
    assert len(stand_in) == len(list(stand_in)) == 20
    assert stand_in.dataset is loader.dataset


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("x = x.to('cuda')", "x = x.to('cuda', non_blocking=True)"),
        (
            "x, y = x.cuda(), y.cuda()",
            "x, y = x.cuda(non_blocking=True), y.cuda(non_blocking=True)",
        ),
        ("x = x.to(device, torch.float32)", "x = x.to(device, torch.float32, non_blocking=True)"),
        ("é = 'é'; x = x.to(device)", "é = 'é'; x = x.to(device, non_blocking=True)"),
        ("x = x.to('cpu')", None),
        ("x = x.to(host)", None),
        ("x = x.to(torch.float16)", None),
        ("x = x.to(device, non_blocking=True)", None),
        ("x = x.to(device, **options)", None),
        ("x = x.to(device,)", None),
    ],
)
def test_only_copies_to_a_gpu_do_not_wait(line, changed):
    names = {"device": torch.device("cuda:0"), "host": "cpu", "torch": torch}
    cell = f"model.to(device)\nfor x in loader:\n    {line}\n"
    expected = cell if changed is None else cell.replace(line, changed)
    assert with_non_blocking_copies(cell, names) == expected
