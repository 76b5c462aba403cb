"""The search for what makes a cell faster: with planted levers, and with real ones on the processor."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.errors import GpuPerfError
from jupyter_gpuperf.levers.lever import Lever, NotApplicable
from jupyter_gpuperf.levers.numbers_check import NumbersCheck
from jupyter_gpuperf.levers.options import SpeedupOptions
from jupyter_gpuperf.levers.registry import all_levers
from jupyter_gpuperf.levers.search import search
from jupyter_gpuperf.levers.waiting_lines import waiting_lines
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.precision.profiled_code import ProfiledCode
from jupyter_gpuperf.precision.session import CellFailed, OutOfTime

torch = pytest.importorskip("torch")

SETUP = """
import time, torch
torch.manual_seed(0)
model = torch.nn.Linear(8, 8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
batch = torch.randn(4, 8)
losses = []
wait_seconds = 0.03
"""
CELL = """\
for _ in range(2):
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
    time.sleep(wait_seconds)
    losses.append(loss.item())
"""
QUICK = SpeedupOptions(time_limit_seconds=10)


def lever(name, old="", new="", setup=(), **options):
    """Return a lever that replaces a part of the cell and adds lines before it."""

    def apply(situation, code):
        if old not in code.cell:
            raise NotApplicable(Message("There is nothing to replace."))
        return code.with_setup(*setup).with_cell(code.cell.replace(old, new))

    return Lever(name=name, apply=apply, **options)


FASTER = lever("no wait", "time.sleep(wait_seconds)", "pass")
SLOWER = lever("more wait", "wait_seconds)", "2 * wait_seconds)")
NOTHING = lever("nothing")
WRONG = lever(
    "wrong numbers", "time.sleep(wait_seconds)", "model.weight.data += 1", keeps_numbers=False
)
RAISES = lever("raises", setup=("raise RuntimeError('no such kernel')",))
ELSEWHERE = lever("elsewhere", "no such line")
HALF = lever("half", setup=("wait_seconds = 0.015",), excludes=frozenset({"half", "none"}))
NONE = lever("none", setup=("wait_seconds = 0.0",), excludes=frozenset({"half", "none"}))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Measure and compare as little as possible: the levers differ by far more than the intervals are wide."""
    for name in ("TRIAL_RATIO", "FINAL_RATIO"):
        monkeypatch.setattr(f"jupyter_gpuperf.levers.trials.{name}", 1e9)
    monkeypatch.setattr("jupyter_gpuperf.levers.search.COMPARED_STEPS", 6)


@pytest.fixture
def notebook():
    names = {}
    exec(SETUP, names)
    return names


def found(notebook, levers, cell=CELL, options=QUICK, **more):
    code = compile(cell, "<cell>", "exec", dont_inherit=True)
    subject = ProfiledCode(
        body=lambda: exec(code, notebook),
        namespace=notebook,
        code=code,
        hidden=frozenset({"__builtins__"}),
    )
    return search(subject, cell, options, levers=levers, **more)


def by_name(result):
    return {each.name: each for each in result.levers}


def test_what_is_faster_is_taken_and_measured_against_the_cell(notebook):
    result = found(notebook, [SLOWER, FASTER, NOTHING])
    assert result.taken == ["no wait"]
    assert "time.sleep" not in result.code
    assert result.speedup["low"] > 1.5
    assert result.before_seconds["value"] > 0.03 > result.after_seconds["value"]
    levers = by_name(result)
    assert levers["more wait"].why == "It is slower."
    assert levers["more wait"].speedup["high"] < 1
    assert not levers["nothing"].taken
    assert levers["no wait"].speedup["low"] > 1.5


def test_what_a_run_changes_and_is_not_restored_is_said(notebook):
    notebook["sqlite3"] = pytest.importorskip("sqlite3")
    exec("table = sqlite3.connect(':memory:'); table.execute('create table t (x)')", notebook)
    result = found(notebook, [], CELL + "table.execute('insert into t values (1)')\n")
    assert any("Not restored after each run: table" in str(each) for each in result.warnings)


def test_annotations_of_a_cell_stay_what_they_are(notebook):
    result = found(notebook, [FASTER], CELL + "def helper(x: int) -> float: return x\n")
    assert result.taken == ["no wait"]
    assert notebook["helper"].__annotations__ == {"x": int, "return": float}


def test_what_was_found_is_told_after_each_lever_and_gains_multiply(notebook):
    told = []
    result = found(
        notebook,
        [HALF, ELSEWHERE, lever("rest", setup=("wait_seconds = 0.001",))],
        on_outcome=lambda outcomes, _: told.append([each.name for each in outcomes]),
    )
    assert told == [["half"], ["half", "elsewhere"], ["half", "elsewhere", "rest"]]
    levers = by_name(result)
    assert result.taken == ["half", "rest"]
    assert levers["elsewhere"].speedup_so_far is None
    gains = [levers[name].speedup["value"] for name in result.taken]
    assert levers["half"].speedup_so_far == gains[0]
    assert levers["rest"].speedup_so_far == pytest.approx(gains[0] * gains[1])


def test_the_losses_before_and_after_are_kept_with_the_samples(notebook):
    result = found(notebook, [NONE])
    assert len(result.losses["before"]) == len(result.losses["after"]) == 6
    assert result.losses["after"] == pytest.approx(result.losses["before"])
    before, after = result.samples["before_seconds"], result.samples["after_seconds"]
    assert len(before) == len(after) > 1
    assert result.environment["torch"] == str(torch.__version__)
    assert found(notebook, [SLOWER]).losses == {}


def test_the_printed_code_is_what_ran(notebook):
    result = found(notebook, [NONE])
    fresh = {}
    exec(SETUP, fresh)
    exec(result.setup + "\n" + result.code, fresh)
    assert fresh["wait_seconds"] == 0.0
    assert fresh["losses"] == notebook["losses"]  # which had the original cell, once


def test_the_notebook_is_as_after_one_ordinary_run(notebook):
    expected = {}
    exec(SETUP, expected)
    exec(CELL, expected)
    model, names = notebook["model"], set(notebook)
    changing = lever("changes names", setup=("model = torch.nn.Linear(8, 8)", "extra = 1"))
    found(notebook, [FASTER, changing, NONE, WRONG])
    assert notebook["model"] is model
    assert set(notebook) - names == {"_", "loss"}
    assert notebook["losses"] == expected["losses"]
    assert notebook["wait_seconds"] == 0.03
    for one, other in zip(model.parameters(), expected["model"].parameters(), strict=True):
        assert torch.equal(one, other)


def test_faster_but_wrong_is_left_with_the_reason(notebook):
    result = found(notebook, [WRONG])
    assert result.taken == []
    assert result.code == CELL
    assert by_name(result)["wrong numbers"].why.startswith("Numbers:")
    assert result.speedup == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_a_lever_that_fails_or_does_not_apply_is_only_its_own_end(notebook):
    result = found(notebook, [RAISES, ELSEWHERE, FASTER])
    levers = by_name(result)
    assert "no such kernel" in levers["raises"].why
    assert levers["elsewhere"].why == "There is nothing to replace."
    assert result.taken == ["no wait"]


def test_a_lever_with_a_fault_of_its_own_is_left(notebook):
    def apply(situation, code):
        raise ZeroDivisionError("a fault")

    result = found(notebook, [Lever(name="faulty", apply=apply)])
    assert "ZeroDivisionError" in result.levers[0].why


def test_a_lever_that_is_only_measured_is_named_with_its_cost(notebook):
    named = lever(
        "named",
        "time.sleep(wait_seconds)",
        "pass",
        hint=lambda code: Message("Not changed: it waits."),
    )
    result = found(notebook, [named])
    assert result.taken == []
    assert result.code == CELL
    (outcome,) = result.levers
    assert outcome.why == "Not changed: it waits."
    assert outcome.speedup["low"] > 1.5


def test_lines_that_wait_for_values_are_those_in_loops():
    cell = """\
first = loss.item()
for batch in loader:
    losses.append(loss.item())
    if step % 100 == 0:
        print(outputs.cpu().numpy(), table.item("name"))
"""
    assert waiting_lines(cell) == [3, 5]


def test_numbers_that_can_not_be_compared_are_only_that_levers_end(notebook, monkeypatch):
    """As when the time is up, or memory runs out, while the losses are compared."""

    def compare(check, code):
        if "pass" in code.cell:
            raise OutOfTime("out_of_time", "The time limit is used up.", "")
        return original(check, code)

    original = NumbersCheck.compare
    monkeypatch.setattr(NumbersCheck, "compare", compare)
    result = found(notebook, [FASTER, NONE])
    assert by_name(result)["no wait"].why == "Numbers not compared: no time was left."
    assert result.taken == ["none"]
    assert result.numerics["verdict"] in {"within", "close"}


def test_a_gain_that_is_gone_at_the_end_is_not_claimed(notebook, tmp_path):
    flag = tmp_path / "final"
    once = lever(
        "once",
        setup=("import os", f"wait_seconds = 0.03 if os.path.exists({str(flag)!r}) else 0.0"),
    )

    def progress(_ratio, message):
        if "Comparing" in message:
            flag.touch()

    result = found(notebook, [once], progress=progress)
    (outcome,) = result.levers
    assert outcome.speedup["low"] > 1.5  # in its trial
    assert outcome.why == "No gain over the cell as it was could be told at the end."
    assert result.taken == []
    assert result.code == CELL
    assert result.setup == ""
    assert result.speedup["value"] == 1.0


def test_what_follows_a_lever_that_is_slower_or_fails_is_not_tried(notebook):
    next_levers = [
        lever(f"after {each}", setup=("wait_seconds = 0.0",), follows=each)
        for each in ("more wait", "raises", "no wait")
    ]
    levers = by_name(found(notebook, [SLOWER, RAISES, FASTER, *next_levers]))
    assert levers["after more wait"].why == "Not tried: more wait is no gain."
    assert levers["after raises"].why == "Not tried: raises is no gain."
    assert levers["after no wait"].speedup is not None


def test_of_levers_that_exclude_each_other_the_faster_one_stays(notebook):
    result = found(notebook, [HALF, NONE])
    assert result.taken == ["none"]
    assert by_name(result)["half"].why == "none is faster."
    assert result.setup == "wait_seconds = 0.0"


def test_safe_leaves_what_changes_the_numbers(notebook):
    options = SpeedupOptions(time_limit_seconds=10, safe=True)
    result = found(notebook, [WRONG, FASTER], options=options)
    assert by_name(result)["wrong numbers"].why == "Not tried: it changes fp32's numbers."
    assert result.taken == ["no wait"]


def test_a_cell_that_raises_is_reported_as_the_cells_own_error(notebook):
    with pytest.raises(CellFailed):
        found(notebook, [FASTER], cell="raise ValueError('own')")


def test_an_interrupt_leaves_the_state_of_one_run(notebook):
    expected = {}
    exec(SETUP, expected)
    exec(CELL, expected)
    interrupting = lever("interrupts", setup=("raise KeyboardInterrupt",))
    with pytest.raises(KeyboardInterrupt):
        found(notebook, [FASTER, interrupting])
    assert notebook["losses"] == expected["losses"]
    assert torch.equal(notebook["model"].weight, expected["model"].weight)


def test_every_real_lever_can_be_tried_and_undone_on_the_processor():
    names = {}
    exec(
        """
import torch
torch.manual_seed(0)
torch.set_num_threads(1)
model = torch.nn.Sequential(
    torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 4))
optimizer = torch.optim.AdamW(model.parameters())
images, labels = torch.randn(4, 3, 8, 8), torch.randint(0, 4, (4,))
""",
        names,
    )
    cell = """\
for _ in range(2):
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
    model = names["model"]
    result = found(names, None, cell=cell, options=SpeedupOptions(time_limit_seconds=20))
    assert [each.name for each in result.levers] == [each.name for each in all_levers()]
    tried = {each.name for each in result.levers if each.speedup}
    assert {"bf16", "channels_last", "fused optimizer"} <= tried
    assert names["model"] is model
    assert model[0].weight.is_contiguous()
    assert not names["optimizer"].param_groups[0]["fused"]
    for state in names["optimizer"].state.values():
        assert float(state["step"]) == 2
    compile(result.setup + "\n" + result.code, "<cell>", "exec")


def test_inference_has_no_noise_so_that_only_rounding_may_differ():
    names = {}
    exec(
        "import torch\nmodel = torch.nn.Linear(64, 64)\nbatch = torch.randn(32, 64)\nscale = 1.0",
        names,
    )
    cell = """\
with torch.no_grad():
    outputs = model(batch) * scale
    text = 'one line'
"""
    (bf16,) = [each for each in all_levers() if each.name == "bf16"]
    seen = []

    def apply(situation, code):
        seen.append(bf16.apply(situation, code))
        return seen[-1]

    off = lever("off", setup=("scale = 1.01",))
    result = found(names, [Lever(name="bf16", apply=apply), off], cell=cell)
    assert seen[0].cell.startswith('with torch.autocast("cpu", dtype=torch.bfloat16):\n    with')
    assert result.taken == []
    assert names["outputs"].dtype == torch.float32


def test_a_cell_that_indenting_would_change_is_left():
    names = {}
    exec("import torch\nmodel = torch.nn.Linear(8, 8)\nbatch = torch.randn(4, 8)", names)
    cell = "outputs = model(batch)\ntext = '''one\ntwo'''\n"
    (bf16,) = [each for each in all_levers() if each.name == "bf16"]
    result = found(names, [bf16], cell=cell)
    assert result.levers[0].why == "The forward pass can't be found in the cell's code."


@pytest.mark.parametrize("seconds", [0, -1, 4000, float("nan")])
def test_a_limit_out_of_range_is_refused(seconds):
    with pytest.raises(GpuPerfError):
        SpeedupOptions(time_limit_seconds=seconds).validated()
