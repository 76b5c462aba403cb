"""What single levers write, and when they do not apply."""

from __future__ import annotations

import types

import pytest

from jupyter_gpuperf.levers import model_levers, precision_levers
from jupyter_gpuperf.levers.cell_code import CellCode
from jupyter_gpuperf.levers.goal import MemoryGoal, SpeedGoal
from jupyter_gpuperf.levers.lever import NotApplicable, Situation
from jupyter_gpuperf.levers.options import SpeedupOptions
from jupyter_gpuperf.levers.registry import all_levers
from jupyter_gpuperf.levers.search import search
from jupyter_gpuperf.precision.profiled_code import ProfiledCode

torch = pytest.importorskip("torch")

TRAIN = """\
for _ in range(2):
    loss = model(batch).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
INFER = "result = model(batch)\n"


def situation(device="cuda", *, has_backward=True, **options):
    model = options.pop("model", torch.nn.Linear(4, 4))
    names = {"model": model, "batch": torch.ones(2, 4), "torch": torch}
    names["optimizer"] = torch.optim.SGD(torch.nn.Linear(4, 4).parameters(), lr=0.1)
    return Situation(
        torch=torch,
        device=torch.device(device),
        namespace=names,
        models={"model": model},
        optimizers={"optimizer": names["optimizer"]},
        has_own_autocast=False,
        has_scaler=options.get("has_scaler", False),
        has_backward=has_backward,
    )


def applied(name, given, cell):
    lever = next(each for each in all_levers() if each.name == name)
    return lever.apply(given, CellCode(cell))


def refusal(name, given, cell):
    with pytest.raises(NotApplicable) as refused:
        applied(name, given, cell)
    return refused.value.reason


@pytest.fixture
def before_ampere(monkeypatch):
    monkeypatch.setattr(precision_levers, "precisions_of", lambda *_: ["fp32", "fp16"])


@pytest.mark.usefixtures("before_ampere")
def test_without_bf16_the_cell_gets_fp16_and_a_scaler():
    code = applied("fp16", situation(), TRAIN)
    assert 'scaler = torch.amp.GradScaler("cuda")' in code.setup_code.splitlines()
    assert 'with torch.autocast("cuda", dtype=torch.float16):' in code.cell
    assert "scaler.scale(loss).backward()" in code.cell
    assert "scaler.step(optimizer)" in code.cell
    compile(f"{code.setup_code}\n{code.cell}", "<cell>", "exec")


@pytest.mark.usefixtures("before_ampere")
def test_a_cell_that_scales_already_or_only_infers_gets_no_second_scaler():
    assert "GradScaler" not in applied("fp16", situation(has_backward=False), INFER).setup_code
    assert refusal("bf16", situation(), TRAIN) == "This device does not support bf16."


def test_where_bf16_is_there_fp16_is_not_tried(monkeypatch):
    monkeypatch.setattr(precision_levers, "precisions_of", lambda *_: ["fp32", "bf16", "fp16"])
    assert "bf16 is as fast here" in refusal("fp16", situation(), TRAIN)


def test_inference_without_no_grad_gets_it():
    code = applied("no_grad", situation(has_backward=False), INFER)
    assert code.cell == "with torch.no_grad():\n    result = model(batch)\n"
    assert refusal("no_grad", situation(), TRAIN) == "The cell runs a backward pass."
    own = "with torch.inference_mode():\n    result = model(batch)\n"
    assert "itself" in refusal("no_grad", situation(has_backward=False), own)


class Eager(torch.nn.Linear):
    """A model with attention as transformers has it."""

    def __init__(self):
        super().__init__(4, 4)
        self.config = types.SimpleNamespace(_attn_implementation="eager")
        self.generation_config = types.SimpleNamespace(cache_implementation=None)

    def set_attn_implementation(self, name):
        self.config._attn_implementation = name


def test_attention_step_by_step_is_fused_and_the_model_has_its_own_again_afterwards():
    model = Eager()
    code = applied("sdpa attention", situation(model=model), TRAIN)
    assert code.setup_code == 'model.set_attn_implementation("sdpa")'
    assert "step by step" in refusal("sdpa attention", situation(), TRAIN)
    names = {"model": model, "batch": torch.ones(2, 4)}
    cell = compile(INFER, "<cell>", "exec")
    subject = ProfiledCode(
        body=lambda: exec(cell, names),
        namespace=names,
        code=cell,
        hidden=frozenset({"__builtins__"}),
    )
    lever = next(each for each in all_levers() if each.name == "sdpa attention")
    search(subject, INFER, SpeedupOptions(time_limit_seconds=1), levers=[lever])
    assert model.config._attn_implementation == "eager"


def test_generating_text_gets_a_cache_of_fixed_size(monkeypatch):
    monkeypatch.setattr(model_levers, "check_compiler", lambda *_: None)
    cell = "texts = model.generate(batch)\n"
    code = applied("compile generate()", situation(model=Eager(), has_backward=False), cell)
    assert 'model.generation_config.cache_implementation = "static"' in code.setup_code
    assert "model.forward = torch.compile(model.forward" in code.setup_code
    assert "generate()" in refusal("compile generate()", situation(model=Eager()), TRAIN)


def test_a_lever_of_an_option_is_tried_only_with_it():
    lever = next(each for each in all_levers() if each.name == "compile max-autotune")
    assert lever.requires == "max_autotune"
    assert 'mode="max-autotune"' in lever.apply(situation("cpu"), CellCode(TRAIN)).setup_code


def test_speed_is_taken_only_beyond_doubt():
    goal = SpeedGoal()
    value = lambda low, middle, high: {"value": middle, "low": low, "high": high}
    assert goal.objection(value(1.1, 1.2, 1.3), lambda: None) is None
    assert goal.objection(value(0.8, 0.9, 0.95), lambda: None) == "It is slower."
    assert "contains 1" in goal.objection(value(0.9, 1.2, 1.3), lambda: None)
    assert "too little" in goal.objection(value(1.001, 1.002, 1.003), lambda: None)


def test_memory_is_taken_where_it_costs_no_speed():
    goal, as_fast = MemoryGoal(1000), {"value": 1.0, "low": 0.98, "high": 1.02}
    assert goal.objection({"value": 0.9, "low": 0.85, "high": 0.95}, lambda: 1) == "It is slower."
    assert goal.objection(as_fast, lambda: 995) == "It needs no less memory."
    assert "not be measured" in goal.objection(as_fast, lambda: None)
    assert goal.objection(as_fast, lambda: 800) is None
    assert goal.objection(as_fast, lambda: 795) == "It needs no less memory."


def test_tokens_must_be_the_same():
    names = {"batch": torch.arange(6)}
    cell = "tokens = batch * scale\n"
    names["scale"] = 2
    code = compile(cell, "<cell>", "exec")
    subject = ProfiledCode(
        body=lambda: exec(code, names),
        namespace=names,
        code=code,
        hidden=frozenset({"__builtins__"}),
    )
    from jupyter_gpuperf.levers.numbers_check import NumbersCheck, wrong_numbers
    from jupyter_gpuperf.levers.versions import Versions
    from jupyter_gpuperf.precision.session import ProfileSession

    session = ProfileSession(torch, subject)
    versions = Versions(session)
    session.ordinary_run()
    check = NumbersCheck(session, versions, 1)
    assert wrong_numbers(check, CellCode(cell))[1] is None
    _, why = wrong_numbers(check, CellCode("tokens = batch * 3\n"))
    assert why == "Numbers: 83 % of the values of tokens differ from fp32's."
    _, why = wrong_numbers(check, CellCode("tokens = batch[1:] * 2\n"))
    assert why == "Numbers: tokens has another shape than in fp32."
    versions.restore()
    session.close()
