"""What a step function changes is found however it reaches it, and put back to the bit, as what a cell changes."""

from __future__ import annotations

import functools
import sys
import types

import pytest
import torch
from things import THINGS, Counter

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.state.reachable import reached_from
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import StateSnapshot, state_restored

DOORS = {
    "a cell": lambda thing, change: Roots.of_notebook({"thing": thing}),
    "a step": lambda thing, change: Roots.of_step(lambda batch: change(thing)),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", THINGS)
def test_what_is_changed_is_put_back(name, door):
    make, change, look = THINGS[name]
    thing = make()
    before = look(thing)
    snapshot = StateSnapshot(torch, DOORS[door](thing, change))
    for _ in range(2):
        change(thing)
        assert look(thing) != before
        snapshot.restore()
        assert look(thing) == before
    assert snapshot.not_restored == []


STATE = [0]


def changing_a_global(batch):
    STATE.append(batch)


def binding_a_global(batch):
    global STATE, FRESH
    STATE = [*STATE, batch]
    FRESH = batch


def through_another(batch):
    return changing_a_global(batch)


class OfAClass:
    """Its methods use what it does not hold."""

    def step(self, batch):
        STATE.append(batch)

    def __call__(self, batch):
        self.step(batch)

    @staticmethod
    def static(batch):
        STATE.append(batch)

    @property
    def noted(self):
        STATE.append(0)
        return STATE


OF_A_CLASS = OfAClass()


class Heir(OfAClass):
    """It inherits all."""


def with_a_default(batch, state=STATE):
    state.append(batch)


def with_a_named_default(batch, *, state=STATE):
    state.append(batch)


def decorated(function):
    @functools.wraps(function)
    def around(*args):
        return function(*args)

    return around


STEPS = {
    "by a global": changing_a_global,
    "by binding a global": binding_a_global,
    "by another function": through_another,
    "by a default": with_a_default,
    "by a named default": with_a_named_default,
    "by an argument given before": functools.partial(
        lambda state, batch: state.append(batch), STATE
    ),
    "by a method": OF_A_CLASS.step,
    "by an inherited method": Heir().step,
    "by being called": OF_A_CLASS,
    "by a static method": OfAClass.static,
    "by a property": lambda batch: OF_A_CLASS.noted,
    "by a function within": lambda batch: [STATE.append(each) for each in (1, 2)],
    "under a decorator": decorated(changing_a_global),
    "without gradients": torch.no_grad()(changing_a_global),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_understood_however_it_reaches_its_state(name):
    with state_restored(torch, Roots.of_step(STEPS[name])):
        STEPS[name](1)
        assert len(STATE) > 1
    assert STATE == [0]
    assert "FRESH" not in globals()


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A file beside the notebook."""
    (tmp_path / "beside.py").write_text(
        "losses, other = [], [1]\ndef step(batch):\n    losses.append(batch)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("beside")
    del sys.modules["beside"]


@pytest.mark.parametrize("door", ["a cell", "a step"])
def test_a_file_beside_the_notebook_is_part_of_it(own_module, door):
    ns = {"beside": own_module}
    code = compile("beside.step(1)", "<cell>", "exec")
    step = types.FunctionType(
        compile("beside.step(1)", "<step>", "exec"), {**ns, "__name__": "__main__"}
    )
    cell = Roots.of_notebook(ns, code=code)
    with state_restored(torch, cell if door == "a cell" else Roots.of_step(step)):
        step() if door == "a step" else exec(code, ns)
        own_module.losses = [*own_module.losses, 2]
        assert own_module.losses == [1, 2]
    assert own_module.losses == []


def test_what_a_step_does_not_name_is_left_alone():
    other = [torch.zeros(2)]
    ns = {"used": [], "other": other, "__name__": "__main__"}
    step = types.FunctionType(compile("used.append(1)", "<step>", "exec"), ns)
    reached = reached_from(torch, Roots.of_step(step))
    assert reached.tensors == []
    assert any(each is ns["used"] for each in reached.containers)


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_it_is_put_back_however_it_ends(error):
    counter = Counter()
    before = counter.looks()

    def run():
        with state_restored(torch, Roots.of_step(counter)):
            counter()
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(error):
            run()
    assert counter.looks() == before


def test_a_very_long_list_is_data_whose_members_stay_what_they_are(monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.state.reachable.MOST_MEMBERS", 10)
    rows = [[1] for _ in range(11)]
    with state_restored(torch, Roots.of_notebook({"rows": rows})) as snapshot:
        first = rows[0]
        rows[0] = rows[3]
        rows.append([2])
        assert not any(each is first for each in snapshot.reached.containers)
    assert rows[0] is first
    assert len(rows) == 11


def test_what_hangs_together_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.state.reachable.MOST_OBJECTS", 100)
    with pytest.raises(GpuPerfError) as refusal:
        StateSnapshot(torch, Roots.of_notebook({"rows": [[[]] for _ in range(100)]}))
    assert refusal.value.code == "namespace_too_large"


def test_rows_of_plain_values_are_no_objects_that_count(monkeypatch):
    monkeypatch.setattr("jupyter_gpuperf.state.reachable.MOST_OBJECTS", 100)
    samples = [(f"{index}.jpg", index) for index in range(1000)]
    StateSnapshot(torch, Roots.of_notebook({"samples": samples}))
