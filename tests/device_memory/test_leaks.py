"""What keeps memory alive is named as the user typed it."""

from __future__ import annotations

import sys
import types

import pytest
import torch

import jupyter_gpuperf as gpuperf
from jupyter_gpuperf.device_memory.owner_groups import grouped

LEAKS = {
    "a graph in a list": (
        """
        losses = [torch.zeros(N, requires_grad=True).exp().sum()]
        """,
        "activation",
        "losses[0] → graph",
    ),
    "a hook": (
        """
        def remembering():
            kept = torch.zeros(N)
            return lambda *_: kept.numel() and None
        model = nn.Linear(1, 1)
        model.register_forward_hook(remembering())
        """,
        "variable",
        "model._forward_hooks[",
    ),
    "a closure": (
        """
        def make():
            kept = torch.zeros(N)
            return lambda: kept
        step = make()
        """,
        "variable",
        "step.kept",
    ),
    "a default argument": ("def step(x=torch.zeros(N)): pass", "variable", "step()[0]"),
    "a class attribute": (
        """
        class Cache:
            items = {}
        Cache.items["last"] = torch.zeros(N)
        """,
        "variable",
        "Cache.items['last']",
    ),
    "a cycle": (
        """
        import gc
        gc.disable()
        class Node: pass
        node = Node()
        node.itself = node
        node.payload = torch.zeros(N)
        del node
        """,
        "other",
        "Node.payload",
    ),
    "an exception": (
        """
        def step():
            images = torch.zeros(N)
            raise ValueError
        step()
        """,
        "exception",
        ":3 images",
    ),
    "an exception in a variable": (
        """
        def step():
            images = torch.zeros(N)
            raise ValueError
        try:
            step()
        except ValueError as caught:
            error = caught
        """,
        "variable",
        ":3 images",
    ),
    "a progress bar's last value": (
        """
        class Bar:
            def __init__(self, values): self.values = values
            def __iter__(self):
                for value in self.values:
                    yield value
        progress = iter(Bar(torch.zeros(N) for _ in range(3)))
        next(progress), None
        None
        """,
        "variable",
        "progress",
    ),
    "a generator's frame": (
        """
        def batches():
            table = torch.zeros(N)
            yield table.shape
        rows = batches()
        shape = next(rows)
        """,
        "variable",
        "rows",
    ),
    "a queue of a loader": (
        """
        import queue
        from torch.utils.data import DataLoader
        batches = iter(DataLoader([1, 2]))
        batches._data_queue = queue.Queue()
        batches._data_queue.put((0, torch.zeros(N)))
        """,
        "batch",
        "batches",
    ),
    "the optimizer of a deleted model": (
        """
        model = nn.Linear(1, N, bias=False)
        optimizer = torch.optim.SGD(model.parameters())
        del model
        """,
        "parameter",
        "optimizer",
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_named(name, cells):
    code, kind, holder = LEAKS[name]
    lines = code.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    cells.run("\n".join(line[indent:] for line in lines))
    found_kind, _, holders = cells.only_owner()
    assert found_kind == kind
    assert holder in holders[0]


def test_a_result_that_only_the_history_keeps_is_named(cells):
    cells.run("torch.zeros(N)")
    kind, name, holders = cells.only_owner()
    assert (kind, name) == ("history", "Out[2]")
    assert {"Out[2]", "_2", "_"} <= set(holders)


def test_a_cache_in_a_library_is_named(cells, monkeypatch):
    library = types.ModuleType("a_library")
    library.CACHE = {"last": torch.zeros(300_000)}
    monkeypatch.setitem(sys.modules, "a_library", library)
    kind, _, holders = cells.only_owner()
    assert (kind, holders) == ("other", ["a_library.CACHE['last']"])


LIBRARY = """
import torch
def graphed(model, sample):
    def make():
        static_input = sample
        class Graphed:  # as in torch.cuda.make_graphed_callables
            @staticmethod
            def forward(x):
                return static_input.copy_(x)
        return lambda x: Graphed.forward(x)
    model.forward = make()
    return model
"""


def test_a_class_that_a_library_made_for_a_model_belongs_to_the_model(cells, monkeypatch):
    library = types.ModuleType("a_library")
    exec(LIBRARY, vars(library))
    monkeypatch.setitem(sys.modules, "a_library", library)
    cells.run("import a_library\nmodel = a_library.graphed(nn.Linear(1, 1), torch.zeros(N))")
    kind, name, holders = cells.only_owner()
    assert kind == "variable"
    assert name.startswith("model.forward")
    assert "static_input" in holders[0]


HEALTHY = """
model = nn.Sequential(nn.Linear(100, 1000), nn.BatchNorm1d(1000), nn.ReLU(), nn.Linear(1000, 1000))
optimizer = torch.optim.Adam(model.parameters())
def step(batch):
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
    return loss.item()
history = [step(torch.randn(300, 100)) for _ in range(2)]
"""


def test_a_healthy_program_has_its_parameters_gradients_and_optimizer_state_only(cells):
    cells.run(HEALTHY)
    found = [(kind, name) for kind, name, _ in cells.owners()]
    assert found == [("optimizer", "optimizer"), ("parameter", "model"), ("gradient", "model")]


def test_activations_are_named_by_the_nearest_parameter(cells):
    cells.run(HEALTHY)
    cells.run("loss = model(torch.randn(300, 100)).square().mean()")
    found = {name: holders for kind, name, holders in cells.owners() if kind == "activation"}
    assert found.keys() == {"model.1", "model.3"}
    assert all(holders == ["loss → graph"] for holders in found.values())
    cells.run("del loss")
    assert "activation" not in {kind for kind, *_ in cells.owners()}


def test_storages_count_once_and_name_every_holder(cells):
    cells.run(
        "base = torch.zeros(N)\nview = base[:10]\nsame = {'key': base}\nrows = base.view(3, -1)"
    )
    kind, name, holders = cells.only_owner()
    assert (kind, name) == ("variable", "base")
    assert set(holders) == {"base", "same['key']", "rows", "view (view)"}
    cells.run("del base, same, rows")
    assert cells.only_owner()[1:] == ("view", ["view (view)"])


def test_a_graph_under_checkpointing_is_seen_without_running_the_forward_pass(cells):
    cells.run(
        "from torch.utils.checkpoint import checkpoint\n"
        "calls = []\n"
        "def block(x):\n    calls.append(1)\n    return x.exp().sum()\n"
        "loss = checkpoint(block, torch.zeros(N, requires_grad=True) * 2, use_reentrant=False)\n"
    )
    kind, _, holders = cells.only_owner()
    assert kind == "activation"
    assert holders[0].startswith("loss → graph")
    assert cells.shell.user_ns["calls"] == [1]


def test_the_layers_that_the_same_names_keep_are_one_owner(cells):
    cells.run("""
model = torch.nn.Sequential(*(torch.nn.Linear(200, 200) for _ in range(4)))
losses = [model(torch.ones(3000, 200)).relu().sum() for _ in range(3)]
other = torch.nn.Linear(200, 200)
kept = other(torch.ones(4000, 200)).relu()
""")
    report = gpuperf.memory().data
    owners = grouped(report.owners)
    (layers,) = [each for each in owners if "layers" in each.name]
    assert (layers.name, layers.holders) == ("4 layers of model", ["losses[…] → graph"])
    single = {each.name: each.holders for each in owners if each.kind == "activation"}
    assert single["other"] == ["kept → graph"]
    assert sum(each.bytes for each in owners) == sum(each.bytes for each in report.owners)
    assert owners == sorted(owners, key=lambda each: -each.bytes)
    assert "4 layers of model" in repr(gpuperf.memory())


def test_what_a_running_function_holds_is_named_even_in_a_library(cells, tmp_path, monkeypatch):
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "framework.py").write_text(
        "def fit(step):\n    outputs = step()\n    return done(outputs)\n"
        "def done(outputs):\n    import jupyter_gpuperf\n    return jupyter_gpuperf.memory().data\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    cells.run("""
import framework
def step():
    return torch.ones(300_000, requires_grad=True).exp()
seen = framework.fit(step)
""")
    seen = cells.shell.user_ns["seen"]
    (activation,) = [each for each in seen.owners if each.kind == "activation"]
    assert activation.holders == [
        f"{function}.<locals>.outputs → graph" for function in ("fit", "done")
    ]
    assert not [each for each in seen.owners if each.kind == "other" and each.bytes > 10_000]
    assert not [name for each in seen.owners for name in each.holders if "run_code" in name]
