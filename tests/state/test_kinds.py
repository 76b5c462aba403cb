"""What can be put back, is; what can't, is named, and nothing else is."""

from __future__ import annotations

import pytest
import torch
from library_things import LIBRARY_THINGS
from process_things import LOST_THINGS, OPENED, PROCESS_THINGS
from python_things import PYTHON_THINGS

from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import StateSnapshot

THINGS = {**PYTHON_THINGS, **PROCESS_THINGS, **LIBRARY_THINGS}
DOORS = {
    "a cell": lambda thing, change: Roots.of_notebook({"thing": thing}),
    "a step": lambda thing, change: Roots.of_step(lambda batch: change(thing)),
}


@pytest.fixture(autouse=True)
def _files_closed():
    yield
    OPENED.close()


pytestmark = pytest.mark.filterwarnings(
    "ignore:.*prototype stage", "ignore:.*beta state", "ignore:.*global hooks"
)


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


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", LOST_THINGS)
def test_what_can_not_be_put_back_is_named(name, door):
    make, change, _ = LOST_THINGS[name]
    thing = make()
    snapshot = StateSnapshot(torch, DOORS[door](thing, change))
    snapshot.restore()
    assert snapshot.not_restored == []
    change(thing)
    snapshot.restore()
    assert [path.removeprefix("step.") for path in snapshot.not_restored] == ["thing"]


def test_a_cell_in_a_notebook_with_an_unbound_proxy_is_still_restored():
    class Proxy:
        @property
        def __class__(self):
            raise RuntimeError("outside of a request")

    losses = []
    snapshot = StateSnapshot(torch, Roots.of_notebook({"proxy": Proxy(), "losses": losses}))
    losses.append(1)
    snapshot.restore()
    assert losses == []
