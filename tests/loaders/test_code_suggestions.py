"""The code of a finding makes the user's loader in other settings, from what the step clock told alone."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

import pytest
import torch
from kinds import Items, Stateful, Stream
from torch.utils.data import BatchSampler, DataLoader, WeightedRandomSampler

from jupyter_gpuperf.loaders.code_suggestions import (
    COMPILE_SNIPPET,
    FEWER_LAUNCHES_SNIPPET,
    LOWER_PRECISION_SNIPPET,
    NON_BLOCKING_SNIPPET,
    WATCH_SNIPPET,
    loader_code,
    more_workers_code,
)
from jupyter_gpuperf.loaders.comparison import difference
from jupyter_gpuperf.loaders.printed_code import arguments_as_code

WEIGHTED = WeightedRandomSampler([1.0] * 400, 400)


@dataclass
class Told:
    loader: str = "mine"
    batch_size: int | None = 20
    num_workers: int = 0
    prefetch_factor: int | None = None
    pin_memory: bool = False
    persistent_workers: bool = False
    arguments: list[str] | None = field(default=None)


def told(own):
    names = ("batch_size", "num_workers", "prefetch_factor", "pin_memory", "persistent_workers")
    found = {name: getattr(own, name) for name in names}
    arguments = arguments_as_code(own, "mine", {"mine": own, "weighted": WEIGHTED})
    return Told(**found, arguments=arguments)


@pytest.mark.parametrize(
    "own",
    [
        DataLoader(Items(), batch_size=20, shuffle=True, drop_last=True),
        DataLoader(Items(), batch_size=20, sampler=WEIGHTED),
        DataLoader(Items(), batch_sampler=BatchSampler(WEIGHTED, 20, False)),
        DataLoader(Items(), batch_size=None),
        DataLoader(Stream(), batch_size=4, drop_last=True),
        DataLoader(Items(), num_workers=1, timeout=9, generator=torch.Generator(), in_order=False),
    ],
    ids=["shuffled", "weighted", "own batches", "no batching", "stream", "workers"],
)
def test_it_is_equal_but_for_the_settings(own):
    drawn = torch.get_rng_state()
    scope = {"mine": own, "weighted": WEIGHTED}
    exec(loader_code(told(own), num_workers=2, persistent_workers=True), scope)
    made = scope["mine"]
    assert difference(own, made, {"num_workers": 2, "persistent_workers": True}) == ""
    assert made.num_workers == 2
    assert torch.equal(torch.get_rng_state(), drawn)


def test_the_settings_that_stay_are_kept():
    code = loader_code(
        Told(
            arguments=["mine.dataset"],
            num_workers=2,
            prefetch_factor=4,
            pin_memory=True,
            persistent_workers=True,
        ),
        num_workers=3,
    )
    for each in ("prefetch_factor=4", "pin_memory=True", "persistent_workers=True"):
        assert each in code


BREAKS_OUT = "mine.dataset); import os; os.system('reboot'); print("


@pytest.mark.parametrize(
    "report",
    [
        Told(loader="a\nimport os\nmine", arguments=["mine.dataset"]),
        Told(loader="import os; mine", arguments=["mine.dataset"]),
        Told(loader="a = b", arguments=["mine.dataset"]),
        Told(arguments=[BREAKS_OUT]),
        Told(arguments=["mine.dataset)\nreboot("]),
        Told(arguments=["mine.dataset\0"]),
        Told(arguments=["(" * 500]),
    ],
)
def test_a_report_that_is_more_than_one_call_becomes_no_code(report):
    code = loader_code(report, num_workers=3)
    assert ast.parse(code).body == []
    assert "num_workers=3" in code


@pytest.mark.parametrize("report", [Told(), told(Stateful(Items(), batch_size=20))])
def test_without_code_that_was_compared_the_settings_alone_are_said(report):
    code = loader_code(report, num_workers=3)
    assert "num_workers=3" in code
    assert ast.parse(code).body == []


def test_what_workers_that_persist_change_is_said():
    one = Told(arguments=["mine.dataset"], num_workers=1)
    assert "copies of the dataset" in loader_code(one, persistent_workers=True)
    assert "copies of the dataset" not in loader_code(one, num_workers=2)


def test_what_new_processes_can_not_load_gets_no_code():
    spawned = {"num_workers": 1, "multiprocessing_context": "spawn"}
    assert told(DataLoader(Items(), **spawned)).arguments
    assert told(DataLoader(Items(), collate_fn=lambda items: items, **spawned)).arguments == []


def test_the_code_imports_torch_and_replaces_no_other_object_of_that_name():
    own = DataLoader(Items(), batch_size=20)
    assert arguments_as_code(own, "mine", {"mine": own, "torch": "cuda"}) == []
    names = {"mine": own, "DataLoader": Stateful}
    code = loader_code(Told(arguments=arguments_as_code(own, "mine", names)), num_workers=1)
    exec(code, names)
    assert (type(names["mine"]), names["DataLoader"]) == (DataLoader, Stateful)


SNIPPETS = (
    LOWER_PRECISION_SNIPPET,
    FEWER_LAUNCHES_SNIPPET,
    COMPILE_SNIPPET,
    NON_BLOCKING_SNIPPET,
    WATCH_SNIPPET,
)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_code_of_which_the_server_knows_no_names_uses_none(snippet):
    code = "".join(line for line in snippet.splitlines(True) if not line.startswith("%"))
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    assert used <= {"torch"}
    assert "torch" not in used or "import torch\n" in code


def test_more_workers_stay_below_the_cores():
    assert "num_workers=4" in more_workers_code(Told(num_workers=1), None)
    assert "num_workers=2" in more_workers_code(Told(num_workers=8), 3.0)
