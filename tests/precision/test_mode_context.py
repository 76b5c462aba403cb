"""A cell under a mode computes what a loop written by hand for that mode computes, number by number."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch.nn import functional

from jupyter_gpuperf.errors import GpuPerfError, Unavailable
from jupyter_gpuperf.precision.mode_context import (
    CURRENT_MODE,
    CellTraits,
    RunObserver,
    check_mode,
    mode_applied,
)

CPU = CellTraits("cpu")
LOOP = """
for _ in range(5):
    optimizer.zero_grad()
    loss = functional.cross_entropy(model(inputs), targets)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
"""


@pytest.fixture
def make():
    def made(lr=1e-2, optimizer=torch.optim.AdamW):
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Linear(16, 32),
            torch.nn.ReLU(),
            torch.nn.LayerNorm(32),
            torch.nn.Dropout(0.1),
            torch.nn.Linear(32, 3),
        )
        return {
            "model": model,
            "optimizer": optimizer(model.parameters(), lr=lr),
            "inputs": torch.randn(8, 16),
            "targets": torch.randint(0, 3, (8,)),
            "losses": [],
            "torch": torch,
            "functional": functional,
        }

    return made


def in_mode(mode, ns, code=LOOP, cell_traits=CPU):
    observer = RunObserver()
    with mode_applied(torch, mode, cell_traits, observer):
        exec(compile(code, "<cell>", "exec"), ns)
    return observer


def by_hand(ns, dtype=None, *, scaler=None, clip=False, accumulate=1):
    for _ in range(5):
        ns["optimizer"].zero_grad()
        for _ in range(accumulate):
            autocast = torch.autocast("cpu", dtype=dtype) if dtype else contextlib.nullcontext()
            with autocast:
                loss = functional.cross_entropy(ns["model"](ns["inputs"]), ns["targets"])
            (scaler.scale(loss) if scaler else loss).backward()
        if scaler and clip:
            scaler.unscale_(ns["optimizer"])
        if clip:
            torch.nn.utils.clip_grad_norm_(ns["model"].parameters(), 0.1)
        if scaler:
            scaler.step(ns["optimizer"])
            scaler.update()
        else:
            ns["optimizer"].step()
        ns["losses"].append(loss.item())


@pytest.mark.parametrize(("mode", "dtype"), [("fp32", None), ("bf16", torch.bfloat16)])
def test_several_steps_train_as_in_a_loop_written_by_hand(make, mode, dtype):
    """Autocast kept open over several steps would go on using the first weights: the loss would stand still."""
    cell, hand = make(), make()
    in_mode(mode, cell)
    torch.manual_seed(0)
    hand = make()
    by_hand(hand, dtype)
    assert cell["losses"] == hand["losses"]
    assert len(set(cell["losses"])) == 5


def test_fp16_is_scaled_as_by_torchs_own_scaler(make):
    cell = make()
    observer = in_mode("fp16", cell)
    hand = make()
    by_hand(hand, torch.float16, scaler=torch.amp.GradScaler("cpu"))
    assert cell["losses"] == hand["losses"]
    assert observer.scaling is not None
    assert (observer.step_count, observer.scaling.steps_skipped) == (5, 0)


def test_what_is_clipped_is_unscaled_before(make):
    code = LOOP.replace(
        "    optimizer.step()",
        "    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)\n    optimizer.step()",
    )
    cell = make()
    in_mode("fp16", cell, code, CellTraits("cpu", clipped=(cell["optimizer"],)))
    hand = make()
    by_hand(hand, torch.float16, scaler=torch.amp.GradScaler("cpu"), clip=True)
    assert cell["losses"] == hand["losses"]


def test_gradients_are_accumulated_over_passes_and_then_unscaled_once(make):
    code = LOOP.replace(
        "    loss.backward()", "    loss.backward(retain_graph=True); loss.backward()"
    )
    cell = make()
    in_mode("fp16", cell, code)
    assert len(set(cell["losses"])) == 5
    clipped = make()
    with pytest.raises(GpuPerfError) as failure:
        in_mode("fp16", clipped, code, CellTraits("cpu", clipped=(clipped["optimizer"],)))
    assert failure.value.code == "clipped_and_accumulated"


def test_a_step_with_infinite_gradients_is_skipped_and_counted(make):
    code = LOOP.replace("loss.backward()", "(loss * 3e38).backward()")
    cell = make()
    before = [p.detach().clone() for p in cell["model"].parameters()]
    observer = in_mode("fp16", cell, code)
    assert observer.scaling.steps_skipped == 5
    assert all(map(torch.equal, before, cell["model"].parameters()))
    assert not cell["optimizer"].state


def test_a_cell_without_an_optimizer_forgets_its_casts_too(make):
    code = """
for _ in range(4):
    loss = functional.cross_entropy(model(inputs), targets)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad
    losses.append(loss.item())
"""
    cell = make()
    in_mode("bf16", cell, code)
    assert len(set(cell["losses"])) == 4


def test_a_look_without_gradients_does_not_rob_the_next_pass_of_them(make):
    code = "with torch.no_grad():\n    model(inputs)\n" + LOOP
    cell = make()
    in_mode("bf16", cell, code)
    assert len(set(cell["losses"])) == 5


def test_backward_pass_and_step_are_outside_of_autocast(make):
    code = """
seen = []
model[0].weight.register_hook(lambda gradient: seen.append(torch.is_autocast_enabled("cpu")))
optimizer.register_step_pre_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
""" + LOOP.replace("losses.append(loss.item())", "seen.append(torch.is_autocast_enabled('cpu'))")
    cell = make()
    in_mode("bf16", cell, code)
    assert cell["seen"] == [False, False, True] * 5 or cell["seen"] == [False, True, True] * 5


def test_everything_is_as_before_afterwards_also_when_a_step_raises(make):
    before = torch.autograd.backward, torch.autograd.grad, torch.no_grad.__exit__
    cell = make()
    cell["optimizer"].register_step_post_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        in_mode("bf16", cell)
    assert (torch.autograd.backward, torch.autograd.grad, torch.no_grad.__exit__) == before
    assert not torch.is_autocast_enabled("cpu")


def test_the_cells_own_autocast_is_noticed(make):
    code = "with torch.autocast('cpu', torch.bfloat16):\n    model(inputs)"
    observer = in_mode(CURRENT_MODE, make(), code)
    assert set(observer.own_autocast) == {"bfloat16"}
    with pytest.raises(Unavailable) as refusal:
        check_mode(torch, "bf16", torch.device("cpu"), CellTraits("cpu", own_autocast="bfloat16"))
    assert refusal.value.code == "own_autocast"


@pytest.mark.parametrize("mode", ["tf32", "fp16"])
def test_what_a_processor_lacks_is_refused_with_the_reason(mode):
    with pytest.raises(Unavailable) as refusal:
        check_mode(torch, mode, torch.device("cpu"), CPU)
    assert refusal.value.code == "mode_not_supported"
    assert "CPU" in refusal.value.message


def test_an_optimizer_with_a_closure_computes_inside():
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=2)
    inputs, seen = torch.randn(8, 4), []

    def closure():
        optimizer.zero_grad()
        seen.append(torch.is_autocast_enabled("cpu"))
        loss = model(inputs).float().square().mean()
        loss.backward()
        return loss

    with mode_applied(torch, "bf16", CPU, RunObserver()):
        optimizer.step(closure)
    assert seen
    assert all(seen)


def test_torchs_scaler_takes_no_closure_so_fp16_is_refused(make):
    code = LOOP.replace("optimizer.step()", "optimizer.step(lambda: loss)")
    with pytest.raises(GpuPerfError) as refusal:
        in_mode("fp16", make(), code)
    assert refusal.value.code == "closure_with_scaler"


@pytest.mark.parametrize("step", ["optimizer.step(None)", "optimizer.step(closure=None)"])
def test_a_closure_that_is_none_is_no_closure(make, step):
    cell = make()
    observer = in_mode("fp16", cell, LOOP.replace("optimizer.step()", step))
    hand = make()
    by_hand(hand, torch.float16, scaler=torch.amp.GradScaler("cpu"))
    assert cell["losses"] == hand["losses"]
    assert observer.step_count == 5
