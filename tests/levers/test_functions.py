"""``gpuperf.speedup`` in a script."""

from __future__ import annotations

import subprocess
import sys

import pytest

import jupyter_gpuperf as gpuperf
from jupyter_gpuperf.client.failures import BenchmarkError

pytest.importorskip("torch")

SCRIPT = """
import torch
import jupyter_gpuperf as gpuperf

torch.set_num_threads(1)

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 8)
    def forward(self, batch):
        return self.layer(batch).relu()

model = Net()
optimizer = torch.optim.AdamW(model.parameters())
data = torch.utils.data.TensorDataset(torch.randn(64, 8))
loader = torch.utils.data.DataLoader(data, batch_size=4)
losses = []

def step(batch):
    optimizer.zero_grad()
    loss = model(batch[0]).square().mean()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

found = gpuperf.speedup(step, loader, time_limit_seconds=6)
print(len(losses), len(found.to_dict()["levers"]) > 3)
print([each.speedup is not None for each in found.data.levers if each.name == "compile"])
print(torch._dynamo.utils.counters["stats"]["unique_graphs"])
losses.clear()
exec(found.code or found.data.code)
print(len(losses))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    folder = tmp_path_factory.mktemp("script")
    (folder / "train.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_function_with_a_loader_runs_once_and_its_code_runs_again(ended):
    lines = ended.stdout.splitlines()
    assert (lines[-4], lines[-1]) == ("10 True", "10")


@pytest.mark.skipif(sys.platform != "linux", reason="compiling needs a C++ compiler")
def test_a_model_whose_class_is_the_scripts_own_is_compiled_once(ended):
    """Its compiled code needs names that Dynamo puts among the script's: restoring the state leaves them."""
    assert ended.stdout.splitlines()[-3:-1] == ["[True]", "1"]
    assert "recompile_limit" not in ended.stderr
    assert "KeyError" not in ended.stderr


def closure():
    count = 0

    def step():
        return count

    return step


@pytest.mark.parametrize("step", [closure(), lambda: None, print, "step"])
def test_what_has_no_code_of_its_own_is_refused(step):
    with pytest.raises(BenchmarkError) as error:
        gpuperf.speedup(step)
    assert error.value.code == "not_a_function"


def of_a_module():
    """Do nothing; a step."""


def test_a_loader_without_a_name_is_refused():
    with pytest.raises(BenchmarkError) as error:
        gpuperf.speedup(of_a_module, [1, 2])
    assert error.value.code == "unknown_loader"
