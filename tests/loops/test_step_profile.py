"""What a profile's events come to; and a window on a real loop, on the CPU."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.loops.profile_window import ProfileWindow
from jupyter_gpuperf.loops.step_profile import NEXT, ProfileEvent, summarize_profile, united

torch = pytest.importorskip("torch")


def host(name, began, ended, own=0.0):
    return ProfileEvent(name, False, began, ended, own)


def gpu(name, began, ended):
    return ProfileEvent(name, True, began, ended)


STEPS = [
    host("ProfilerStep*", 0.0, 1.0),
    host(NEXT, 0.0, 0.4),
    host("cudaStreamSynchronize", 0.8, 0.9),
    host("aten::mm", 0.4, 0.5, 0.1),
    gpu("Memcpy HtoD (Pageable -> Device)", 0.4, 0.5),
    gpu("gemm", 0.5, 0.7),
    gpu("gemm", 0.65, 0.8),
    gpu(NEXT, 0.0, 0.4),  # the range as the device's timeline draws it: no work
    gpu("before", -1.0, -0.5),
]


def test_a_step_is_split_into_work_and_two_kinds_of_idleness():
    found = summarize_profile(STEPS, plain_step_seconds=0.9, cost_seconds=2.0)
    assert found.steps == 1
    assert found.busy_seconds == pytest.approx(0.4)
    assert found.idle_in_next_seconds == pytest.approx(0.4)
    assert found.idle_elsewhere_seconds == pytest.approx(0.2)
    assert found.kernels_per_step == 2
    assert found.kernel_seconds == pytest.approx(0.175)
    assert [(each.name, each.per_step) for each in found.copies] == [
        ("Memcpy HtoD (Pageable -> Device)", 1)
    ]
    assert found.syncs[0].seconds_per_step == pytest.approx(0.1)
    assert found.operations[0].name == "aten::mm"


def test_without_a_device_nothing_is_said_of_one():
    found = summarize_profile(
        [each for each in STEPS if not each.on_device], plain_step_seconds=None, cost_seconds=1.0
    )
    assert (found.busy_seconds, found.idle_in_next_seconds) == (None, None)
    assert found.wait_seconds == pytest.approx(0.4)


def test_no_whole_step_is_no_explanation():
    assert summarize_profile([], plain_step_seconds=None, cost_seconds=0.0) is None


def test_overlapping_spans_count_once():
    assert united([(3, 4), (0, 1), (0.5, 2)]) == [(0, 2), (3, 4)]


def test_a_window_profiles_some_steps_of_a_running_loop_and_lets_go(watching, loader):
    results = []

    def finish():
        watching.observe(None)

    watching.watch_everything()
    window = ProfileWindow(torch, 2, lambda found, why: results.append((found, why)), finish)
    watching.observe(window)
    many = torch.ones(1_000_000)  # its exponential outweighs all that the loader does
    short = loader(items=8, batch_size=4)
    list(short)  # an epoch too short for it: it waits for the next loop
    assert results == []
    seen = [many.exp() for _ in loader(items=80, batch_size=4)]
    assert len(seen) == 20
    ((found, _),) = results
    assert found.steps == 2
    assert watching.patch.draw_batch is None
    assert found.busy_seconds is None
    assert found.plain_step_seconds > 0
    assert any(each.name == "aten::exp" for each in found.operations)


def test_a_profiler_that_fails_is_said_and_the_loop_goes_on(watching, loader):
    said = []
    watching.watch_everything()
    broken = type("Torch", (), {"cuda": torch.cuda, "profiler": None})
    window = ProfileWindow(
        broken,
        2,
        lambda found, why: said.append(why),
        lambda: watching.observe(None),
    )
    watching.observe(window)
    assert len(list(loader(items=80, batch_size=4))) == 20
    assert "NoneType" in said[0]


class Loop:
    """A loop without a loader."""

    def __init__(self):
        self.many = torch.ones(1_000_000)  # its exponential outweighs all else
        self.model = torch.nn.Linear(3, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def run(self, steps):
        for _ in range(steps):
            self.many.exp()
            self.model(torch.ones(2, 3)).sum().backward()
            self.optimizer.step()


def test_a_loop_without_a_loader_is_profiled_at_the_steps_of_its_optimizer(watching):
    results = []
    watching.watch_everything()
    watching.observe(
        ProfileWindow(
            torch, 2, lambda found, why: results.append(found), lambda: watching.observe(None)
        )
    )
    Loop().run(20)
    (found,) = results
    assert found.steps == 2
    assert (found.wait_seconds, found.idle_in_next_seconds, found.busy_seconds) == (
        None,
        None,
        None,
    )
    assert any(each.name == "aten::exp" and each.per_step == 1 for each in found.operations)
    (clock,) = watching.clocks
    assert len(clock.steps) == 19
    assert 5 <= sum(interrupted for *_, interrupted, _, _ in clock.steps) <= 8  # those profiled
    assert watching.observer is None


def test_a_profile_ends_with_the_cell(watching):
    results = []
    watching.watch_everything()
    window = ProfileWindow(
        torch, 5, lambda found, why: results.append((found, why)), lambda: watching.observe(None)
    )
    watching.observe(window)
    for _ in range(3):
        Loop().run(8)  # the profiler has started
        watching.pause()  # the cell ends
        assert not torch.autograd._profiler_enabled()
    assert results == [(None, "the loop ended too early")]
    assert watching.observer is None
