"""Whatever hangs together however, and whatever is changed in it: afterwards every object is itself again, to the bit."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
import torch
from graphs import LEAVES, NODES, RICH, Picture, change, graph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_gpuperf.state import snapshot as snapshot_module
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import StateSnapshot, state_restored

PLACES = st.integers(0, 30)
RECIPES = st.lists(
    st.tuples(st.integers(0, len(LEAVES) + len(NODES) - 1), PLACES, PLACES), min_size=2, max_size=14
)
CHANGED = st.lists(st.tuples(st.integers(0, 3), PLACES, PLACES), min_size=1, max_size=12)
DOORS = {
    "a cell": lambda names: Roots.of_notebook(names),
    "a step": lambda names: Roots.of_step(lambda batch: names),
}
few = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def named(made):
    """A namespace from which all objects are reached, the last through the first names too."""
    return {f"name{place}": each for place, each in enumerate(made)}


@pytest.mark.parametrize("door", DOORS)
@few
@given(recipe=RECIPES, loops=CHANGED, changes=CHANGED)
def test_every_object_is_itself_again(door, recipe, loops, changes):
    made = graph(recipe)
    names = named(made[len(made) // 2 :])
    # Objects now hold each other in circles; those that nothing holds any more are held here.
    change(made, names, [(0, one, other) for _, one, other in loops])
    names["all"] = made
    before = Picture(made, names)
    snapshot = StateSnapshot(torch, DOORS[door](names))
    for _ in range(2):
        change(made, names, changes)
        snapshot.restore()
        assert Picture(made, names).difference(before) == []
    assert snapshot.not_restored == []


ROOM = str(Path(snapshot_module.__file__).parent)


class Interrupts:
    """Interrupts the program at the so-many-th line of the code that saves and restores."""

    def __init__(self, at) -> None:
        self.lines, self._at = 0, at

    def __call__(self, frame, event, arg):
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self._at:
                signal.raise_signal(signal.SIGINT)
        return self


def run_interrupted(at):
    """Return the objects' pictures before and after a change that is restored, and how many lines that took."""
    made = graph(RICH)
    names = named(made)
    before, interrupts, traced = Picture(made, names), Interrupts(at), sys.gettrace()
    sys.settrace(interrupts)
    try:
        with state_restored(torch, Roots.of_notebook(names)):
            change(made, names, [(place % 3, place, place + 1) for place in range(len(made))])
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(traced)
    return before, Picture(made, names), interrupts.lines


@pytest.mark.parametrize("percent", [*range(0, 100, 7), 50.5, 75.5, 99, 99.9])
def test_an_interrupt_at_any_line_leaves_all_as_it_was(percent):
    _, _, lines = run_interrupted(None)
    before, after, _ = run_interrupted(1 + int(lines * percent / 100))
    assert after.difference(before) == []
