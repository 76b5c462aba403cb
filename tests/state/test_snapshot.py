"""After a snapshot is restored, everything is bit for bit as it was, in the same memory."""

from __future__ import annotations

import queue
import random
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from namespaces import OPTIMIZERS, WIDTH, fingerprint, notebook

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import StateSnapshot, state_restored


def train(ns):
    ns["optimizer"].zero_grad()
    loss = ns["helper"]().square().mean()
    loss.backward()
    ns["optimizer"].step()
    ns["schedule"].step()
    ns["losses"].append(loss.item())
    ns["loss"] = loss


def of_notebook(ns):
    return StateSnapshot(torch, Roots.of_notebook(ns))


DISTURBANCES = {
    "train": train,
    "eval": lambda ns: ns["model"].eval(),
    "freeze": lambda ns: ns["model"].first.weight.requires_grad_(False),
    "no gradients": lambda ns: ns["model"].zero_grad(),
    "new weights": lambda ns: setattr(
        ns["model"].first.weight, "data", torch.zeros(WIDTH, WIDTH).t()
    ),
    "half": lambda ns: ns["model"].half(),
    "new layer": lambda ns: setattr(ns["model"], "extra", torch.nn.Linear(2, 2)),
    "lost layer": lambda ns: delattr(ns["model"], "norm"),
    "view": lambda ns: ns["view"].mul_(3),
    "resize": lambda ns: ns["half"].resize_(40).fill_(2),
    "turned": lambda ns: ns["whole"].t_(),
    "random": lambda ns: (torch.rand(3), np.random.rand(3), random.random()),
    "own random": lambda ns: (
        ns["numbers"].random(3),
        ns["draws"].random(),
        torch.rand(2, generator=ns["seeds"]),
    ),
    "containers": lambda ns: (
        ns["settings"]["nested"]["deep"].append(3),
        ns["settings"].pop("lr"),
        ns["queue"].extend("xyz"),
        ns["names"].add("b"),
        ns["history"]["x"].append(1),
    ),
    "array": lambda ns: ns["array"].__imul__(2),
    "slots": lambda ns: setattr(ns["slotted"], "count", 9),
    "names": lambda ns: (ns.update(model=None, fresh=torch.ones(2)), ns.pop("empty", None)),
    "switches": lambda ns: (
        torch.set_default_dtype(torch.float64),
        torch.set_float32_matmul_precision("high"),
        setattr(torch.backends.cudnn, "benchmark", True),
    ),
}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    dropout=st.booleans(),
    tied=st.booleans(),
    before=st.integers(0, 2),
    disturbances=st.lists(st.sampled_from(sorted(DISTURBANCES)), min_size=1, max_size=5),
)
def test_whatever_a_cell_does_is_undone_bit_for_bit(optimizer, dropout, tied, before, disturbances):
    ns = notebook(optimizer, dropout=dropout, tied=tied)
    for _ in range(before):
        train(ns)
    expected = fingerprint(ns)
    memory = {name: p.data_ptr() for name, p in ns["model"].named_parameters()}
    switches = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    snapshot = of_notebook(ns)
    for _ in range(2):
        for name in disturbances:
            try:
                DISTURBANCES[name](ns)
            except (LookupError, AttributeError, TypeError, RuntimeError, ValueError):
                continue  # the disturbance before it left nothing to disturb
        snapshot.restore()
        assert fingerprint(ns) == expected
        assert {name: p.data_ptr() for name, p in ns["model"].named_parameters()} == memory
    assert (torch.get_default_dtype(), torch.get_float32_matmul_precision()) == switches
    assert snapshot.not_restored == []


def test_training_goes_on_after_a_restore_as_if_nothing_had_been():
    plain = notebook()
    for _ in range(4):
        train(plain)
    disturbed = notebook()
    train(disturbed)
    snapshot = of_notebook(disturbed)
    for _ in range(4):
        train(disturbed)
    snapshot.restore()
    for _ in range(3):
        train(disturbed)
    assert plain["losses"] == disturbed["losses"]


def test_a_graph_that_waits_for_its_backward_pass_is_not_spoilt():
    ns = notebook()
    ns["loss"] = ns["model"](torch.randn(8, WIDTH)).square().mean()
    snapshot = of_notebook(ns)
    snapshot.restore()
    ns["loss"].backward()
    assert ns["model"].first.weight.grad is not None


def test_gradients_are_not_held_alive():
    """A step that lets go of its gradients must get their memory back."""
    ns = notebook()
    train(ns)
    gradient = ns["model"].first.weight.grad
    before = fingerprint(ns)
    held = sys.getrefcount(gradient)
    snapshot = of_notebook(ns)
    assert sys.getrefcount(gradient) == held
    del gradient
    ns["optimizer"].zero_grad(set_to_none=True)
    snapshot.restore()
    assert fingerprint(ns) == before


def test_large_data_is_watched_instead_of_copied(monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.state.copies.LARGE_BYTES", 1000)
    ns = {"data": torch.zeros(1000), "array": np.zeros(1000), "model": torch.nn.Linear(40, 40)}
    snapshot = of_notebook(ns)
    weight = ns["model"].weight.detach().clone()
    ns["data"].add_(1)
    ns["array"] += 1
    ns["model"].weight.data.zero_()
    snapshot.restore()
    assert torch.equal(ns["model"].weight, weight)  # a parameter is always kept
    assert snapshot.not_restored == ["data", "array"]


def test_files_that_are_read_are_read_again(tmp_path):
    (tmp_path / "data.txt").write_text("one\ntwo\n")
    with (tmp_path / "data.txt").open() as file:
        snapshot = of_notebook({"file": file})
        assert file.readline() == "one\n"
        snapshot.restore()
        assert file.readline() == "one\n"


def test_more_state_than_memory_is_refused(monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.state.copies.available_memory_bytes", lambda: 1000)
    with pytest.raises(GpuPerfError) as failure:
        of_notebook({"model": torch.nn.Linear(40, 40)})
    assert failure.value.code == "snapshot_too_large"


def test_threads_that_wait_for_each_other_go_on_after_restoring():
    requests, answers = queue.Queue(), queue.Queue()

    def serve():
        while (request := requests.get()) is not None:
            answers.put(request + 1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    for number in range(20):
        with state_restored(torch, Roots.of_notebook({"requests": requests, "answers": answers})):
            requests.put(number)
            assert answers.get(timeout=10) == number + 1
        requests.put(number)
        assert answers.get(timeout=10) == number + 1
    requests.put(None)
    thread.join(10)
    assert not thread.is_alive()


def test_names_that_the_compiler_adds_stay_and_the_users_go():
    ns = notebook()
    saved = of_notebook(ns)
    of_dynamo = (
        "__compiled_fn_8_ab448f1f_215c_4ff1_bd9e_0f5b4ef6bb95",
        "__builtins_dict___4",
        "__import_torch_dot_nn_dot_modules_dot_conv",
        "__resume_at_122_3",
        "_140234_c0/0",
    )
    users = ("__important", "__compiled", "_140234_c0")
    ns.update(dict.fromkeys((*of_dynamo, *users), 1))
    saved.restore()
    assert not ns.keys() & set(users)
    assert set(of_dynamo) <= ns.keys()
