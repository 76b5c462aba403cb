"""Who holds a real GPU's memory, asked from a thread as the panel does."""

from __future__ import annotations

import threading

import pytest

torch = pytest.importorskip("torch")

from IPython.core.interactiveshell import InteractiveShell

from jupyter_gpuperf.client.memory import explain
from jupyter_gpuperf.client.memory_answers import Failed
from jupyter_gpuperf.device_memory.notebook import Notebook
from jupyter_gpuperf.device_memory.pace import InSlices
from jupyter_gpuperf.device_memory.report import fullest_device, memory_report

MIB = 2**20
WORKSPACES, WORKSPACE_BYTES = 4, 32 * MIB
"""cuBLAS and cuBLASLt take one on each stream, that of the capture among them; on a Hopper chip they are this large."""


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_cell("import torch\nfrom torch import nn")
    yield shell
    shell.reset(new_session=False)
    InteractiveShell.clear_instance()
    torch.cuda.empty_cache()


TRAINED = """
model = nn.Sequential(*(nn.Linear(2048, 2048) for _ in range(8))).cuda()
optimizer = torch.optim.AdamW(model.parameters())
losses = []
for step in range(3):
    losses.append(model(torch.rand(512, 2048, device="cuda")).square().mean())
    losses[-1].backward(retain_graph=True)
    optimizer.step()
"""


def test_the_owners_are_found_beside_the_capture_of_a_graph_which_goes_on(shell):
    shell.run_cell(TRAINED)
    shell.run_cell("x = torch.rand(64, 2048, device='cuda')\nwith torch.no_grad(): model(x)")
    names, reports, ended = shell.user_ns, [], threading.Event()

    def look():
        while not ended.is_set():
            pace = InSlices(reads_everything=True)
            reports.append(memory_report(Notebook(shell), fullest_device(), pace))

    other = threading.Thread(target=look)
    other.start()
    try:
        while len(reports) < 3:
            graph = torch.cuda.CUDAGraph()
            with torch.no_grad(), torch.cuda.graph(graph):
                y = names["model"](names["x"])
            graph.replay()
            torch.cuda.synchronize()
            assert torch.isfinite(y).all()
    finally:
        ended.set()
        other.join()
    last = memory_report(
        Notebook(shell), fullest_device()
    )  # at rest: no pass has intermediate results
    assert last.device == "cuda:0"
    assert {"parameter", "gradient", "optimizer", "activation"} <= {e.kind for e in last.owners}
    unnamed_bytes = (1 - last.attributed_ratio) * last.allocated_bytes
    assert unnamed_bytes <= WORKSPACES * WORKSPACE_BYTES


def test_a_failure_is_on_its_device_and_over_once_the_memory_came_free(shell, nvidia_smi):
    shell.run_cell("kept = [torch.empty(256 * 2**20, dtype=torch.uint8, device='cuda')] * 1")
    error = shell.run_cell("torch.empty(2**45, dtype=torch.uint8, device='cuda')").error_in_exec
    assert isinstance(error, torch.OutOfMemoryError)
    view = explain(error)
    assert "kept" in {each.name for each in view.data.largest}
    failed = Failed.of(view.data)
    assert failed.message.device_uuid in nvidia_smi("name")
    assert not failed.is_over()
    shell.run_cell("del kept")
    assert failed.is_over()
