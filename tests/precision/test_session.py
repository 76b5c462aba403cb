"""A profile runs a cell many times, and leaves what one ordinary run leaves."""

from __future__ import annotations

import signal

import pytest
import torch
from namespaces import fingerprint, notebook

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.precision.options import ProfileOptions
from jupyter_gpuperf.precision.profile import run_profile
from jupyter_gpuperf.precision.session import (
    CellFailed,
    ProfiledCode,
    ProfileSession,
    bytes_allocated_ever,
)
from jupyter_gpuperf.state.interrupts import uninterrupted

CELL = """
for _ in range(2):
    optimizer.zero_grad()
    loss = helper().square().mean()
    loss.backward()
    optimizer.step()
    schedule.step()
    losses.append(loss.item())
"""
QUICK = ProfileOptions(modes=("fp32", "bf16"), time_limit_seconds=0.2, steps=4)


def subject(ns, code=CELL):
    compiled = compile(code, "<cell>", "exec")
    return ProfiledCode(
        body=lambda: exec(compiled, ns),
        namespace=ns,
        code=compiled,
        hidden=frozenset({"__builtins__", "__name__"}),
    )


def ordinary(code=CELL, make=notebook):
    ns = make()
    exec(compile(code, "<cell>", "exec"), ns)
    return ns


def with_batches():
    ns = notebook()
    ns["batches"] = iter([torch.randn(8, 6) for _ in range(10)])
    ns["again"] = ns["batches"]
    return ns


BATCHED = CELL.replace("helper()", "model(next(batches).mul_(2))")


def test_everything_is_as_after_one_ordinary_run():
    ns = notebook()
    profile = run_profile(subject(ns), QUICK)
    assert fingerprint(ns) == fingerprint(ordinary())
    assert [each.mode for each in profile.modes] == ["fp32", "bf16"]
    assert profile.steps_per_run == 2
    assert profile.mode("bf16").numerics["losses"] != profile.mode("fp32").numerics["losses"]


def test_a_live_iterator_stands_where_one_run_leaves_it_and_all_modes_see_the_same_batches():
    ns = with_batches()
    original = ns["batches"]
    profile = run_profile(subject(ns, BATCHED), QUICK)
    assert ns["batches"] is ns["again"] is original
    assert fingerprint({**ns, "batches": 0, "again": 0}) == fingerprint(
        {**ordinary(BATCHED, with_batches), "batches": 0, "again": 0}
    )
    assert len(list(original)) == 8
    assert any("batches returned 2 items" in each for each in profile.warnings)
    first = [profile.mode(mode).numerics["losses"][0] for mode in ("fp32", "bf16")]
    assert first[0] == pytest.approx(first[1], rel=0.05)


def test_an_iterator_out_of_reach_is_said_and_nothing_is_run_twice():
    ns = notebook()
    ns["source"] = {"batches": (torch.randn(8, 6) for _ in range(10))}
    code = CELL.replace("helper()", "model(next(source['batches']))")
    with pytest.raises(GpuPerfError) as refusal:
        run_profile(subject(ns, code), QUICK)
    assert refusal.value.code == "iterator_not_replayable"
    assert "source['batches']" in refusal.value.message
    assert len(ns["losses"]) == 2
    assert len(list(ns["source"]["batches"])) == 8


def test_a_cell_that_fails_as_it_is_leaves_everything_as_before():
    ns = notebook()
    before = fingerprint(ns)
    with pytest.raises(CellFailed) as failure:
        run_profile(subject(ns, CELL + "\n1 / 0"), QUICK)
    assert isinstance(failure.value.__cause__, ZeroDivisionError)
    assert fingerprint(ns) == before


@pytest.mark.parametrize("error", ["RuntimeError('no kernel')", "torch.OutOfMemoryError('full')"])
def test_what_fails_in_one_mode_is_told_and_the_others_go_on(error):
    code = CELL + f"\nimport torch\nif torch.is_autocast_enabled('cpu'): raise {error}"
    ns = notebook()
    profile = run_profile(subject(ns, code), QUICK)
    codes = {"RuntimeError": "cell_failed", "torch.OutOfMemoryError": "out_of_memory"}
    assert profile.mode("bf16").error["code"] == codes[error.partition("(")[0]]
    assert profile.mode("fp32").step_seconds["value"] > 0
    assert profile.recommended == "fp32"
    assert fingerprint(ns) == fingerprint(ordinary(code))


def test_a_mode_that_fails_late_is_left_out_of_the_rounds():
    code = CELL + (
        "\nimport torch\nruns.append(torch.is_autocast_enabled('cpu'))"
        "\nif torch.is_autocast_enabled('cpu') and sum(runs) > 4: raise RuntimeError('late')"
    )
    runs = []

    class Kept(list):  # counts beyond a restore, as a device's memory would
        def append(self, value):
            runs.append(value)

        def __iter__(self):
            return iter(runs)

    ns = notebook()
    ns["runs"] = Kept()
    profile = run_profile(subject(ns, code), QUICK)
    assert profile.mode("bf16").error["code"] == "cell_failed"
    assert len(profile.mode("fp32").samples) > 0


@pytest.mark.parametrize("after_runs", [1, 4, 12])
def test_an_interrupt_in_the_middle_leaves_what_one_ordinary_run_leaves(after_runs):
    ns = notebook()
    count = 0
    code = compile(CELL, "<cell>", "exec")

    def body():
        nonlocal count
        count += 1
        if count > after_runs:
            raise KeyboardInterrupt
        exec(code, ns)

    with pytest.raises(KeyboardInterrupt):
        run_profile(
            ProfiledCode(body=body, namespace=ns, code=code, hidden=subject(ns).hidden), QUICK
        )
    assert fingerprint(ns) == fingerprint(ordinary())
    assert not torch.is_autocast_enabled("cpu")


@pytest.fixture
def python_s_interrupts():
    """As in a notebook; a shell that starts tests in the background has interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_s_interrupts")
def test_an_interrupt_while_the_state_is_put_back_waits_until_it_is():
    done = []

    def put_back():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append("put back")

    with pytest.raises(KeyboardInterrupt):
        put_back()
    assert done == ["put back"]


def test_a_model_spread_over_processes_is_refused():
    class FullyShardedDataParallel(torch.nn.Linear):
        pass

    ns = {"model": FullyShardedDataParallel(2, 2), "__name__": "__main__"}
    with pytest.raises(GpuPerfError) as refusal:
        ProfileSession(torch, subject(ns, "pass"))
    assert refusal.value.code == "sharded_model"


def test_a_cell_without_a_backward_pass_is_compared_by_what_it_computes():
    ns = {"model": torch.nn.Linear(8, 8), "inputs": torch.randn(4, 8), "__name__": "__main__"}
    profile = run_profile(subject(ns, "output = model(inputs)"), QUICK)
    found = profile.mode("bf16").numerics
    assert found["outputs"]["relative"] > 0
    assert profile.steps_per_run == 0


def test_what_only_draws_random_numbers_repeats_exactly():
    code = "import torch, random\nvalues = torch.rand(3), random.random()\nloss = (model.first.weight * values[0].sum()).sum()\nloss.backward()"
    ns = notebook()
    profile = run_profile(
        subject(ns, code), ProfileOptions(modes=("fp32",), time_limit_seconds=0.1)
    )
    assert profile.mode("fp32").numerics["floors"]["repeat"] == 0.0
    assert profile.mode("fp32").numerics["floors"]["seed"] > 0.0


def test_a_cell_that_uses_the_cpu_only_is_not_taken_for_one_of_the_gpu(monkeypatch):
    """Memory that earlier cells allocated does not count, nor do tensors that the cell does not name."""
    allocated = {"allocated_bytes.all.allocated": 10**9}
    monkeypatch.setattr("jupyter_gpuperf.precision.session.cuda_in_use", lambda torch: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda index: dict(allocated) if index else {})
    session = object.__new__(ProfileSession)
    session.torch = torch
    before = bytes_allocated_ever(torch)
    assert not bytes_allocated_ever(torch) - before
    allocated["allocated_bytes.all.allocated"] += 4096
    assert session._device_in_use(before) == torch.device("cuda:1")
