"""Recorded allocations on a real GPU: the peak, the owners, and the file.

python -m pytest tests/gpu/test_memory_recording.py -s
"""

from __future__ import annotations

import pickle

import pytest
from IPython.core.interactiveshell import InteractiveShell

torch = pytest.importorskip("torch")

WIDTH = 2048
START = f"""
import torch
model = torch.nn.Sequential(*(torch.nn.Linear({WIDTH}, {WIDTH}) for _ in range(4))).cuda()
optimizer = torch.optim.Adam(model.parameters())
loader = torch.utils.data.DataLoader(torch.randn(64 * 20, {WIDTH}), batch_size=64)
losses = []
def train():
    for batch in loader:
        loss = model(batch.cuda()).square().mean()
        loss.backward(retain_graph=True)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss)
train()
"""


@pytest.fixture
def shell(nvidia_smi, tmp_path, monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("this torch has no CUDA")
    monkeypatch.chdir(tmp_path)
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "jupyter_gpuperf")
    yield shell
    shell.run_line_magic("gpuwatch", "off")
    shell.reset(new_session=False)
    InteractiveShell.clear_instance()


def test_a_cell_is_recorded_with_its_owners_and_its_real_peak(shell, tmp_path):
    assert shell.run_cell(START).success
    torch.cuda.reset_peak_memory_stats()
    shell.run_cell("%%gpumem record --into view\ntrain()")
    peak = torch.cuda.max_memory_allocated()
    view = shell.user_ns["view"]
    print(f"\n{view!r}\npeak by torch's counter {peak / 2**20:.1f} MiB")
    assert view.data.peak_bytes == pytest.approx(peak, rel=0.02)
    names = {(each.kind, each.name) for each in view.data.owners}
    assert ("parameter", "model") in names
    assert ("optimizer", "optimizer") in names
    assert any(kind == "activation" for kind, _ in names)
    snapshot = pickle.loads((tmp_path / "gpumem.pickle").read_bytes())
    assert snapshot["device_traces"][0]
    assert not torch._C._cuda_isHistoryEnabled()


def test_the_next_steps_of_a_loop_are_recorded(shell, monkeypatch):
    views = []
    monkeypatch.setattr("jupyter_gpuperf.client.memory_recording.display", views.append)
    assert shell.run_cell(START).success
    shell.run_cell("%gpuwatch on\n%gpumem record --steps 5")
    shell.run_cell("train()")
    (view,) = views
    print(f"\n{view!r}")
    assert len(view.data.steps_seconds) == 5
    assert all(0 <= each <= view.data.times_seconds[-1] + 1 for each in view.data.steps_seconds)
    assert not torch._C._cuda_isHistoryEnabled()
