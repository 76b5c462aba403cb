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
        watching.patch.draw_batch = None

    watching.watch_everything()
    window = ProfileWindow(torch, 2, lambda found, why: results.append((found, why)), finish)
    watching.patch.draw_batch = window.draw
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
        lambda: setattr(watching.patch, "draw_batch", None),
    )
    watching.patch.draw_batch = window.draw
    assert len(list(loader(items=80, batch_size=4))) == 20
    assert "NoneType" in said[0]
