"""``%%amp_profile`` in a real IPython, on the processor."""

from __future__ import annotations

import json

import msgspec
import pytest

import jupyter_gpuperf as gpuperf
from jupyter_gpuperf.client.failures import BenchmarkError
from jupyter_gpuperf.client.in_process_progress import shortened
from jupyter_gpuperf.client.precision_as_result import profile_as_result
from jupyter_gpuperf.display.progress import ProgressView
from jupyter_gpuperf.magics.amp_profile import MANUAL
from jupyter_gpuperf.messages import Message
from jupyter_gpuperf.messages.translator import Translator
from jupyter_gpuperf.precision import advice
from jupyter_gpuperf.precision.numerics import CLOSE, FAR, FLOORS, WITHIN
from jupyter_gpuperf.precision.options import DEFAULT_STEPS, ProfileOptions
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile
from jupyter_gpuperf.results.store import ResultStore
from jupyter_gpuperf.schemas import BenchmarkResult

torch = pytest.importorskip("torch")

SETUP = """
import torch
torch.set_num_threads(1)
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Dropout(0.1), torch.nn.Linear(32, 4))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
inputs, targets = torch.randn(8, 16), torch.randint(0, 4, (8,))
losses = []
"""
CELL = """
for _ in range(3):
    optimizer.zero_grad()
    outputs = model(inputs)
    loss = torch.nn.functional.cross_entropy(outputs, targets)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print("trained")
len(losses)
"""
LINE = "--modes fp32,bf16 --time-limit-seconds 0.3 --steps 6"


@pytest.fixture
def notebook(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_GPUPERF_RESULTS", str(tmp_path / "results.sqlite"))
    threads = torch.get_num_threads()
    shell.run_cell(SETUP).raise_error()
    yield shell
    torch.set_num_threads(threads)


def profiled(notebook, line=LINE, cell=CELL):
    return notebook.run_cell_magic("amp_profile", line, cell)


def test_the_answer_has_the_documented_shape_and_the_cell_was_run_once(notebook, capsys, tmp_path):
    result = profiled(notebook, f"{LINE} --into found")
    out = capsys.readouterr().out
    assert out.startswith("trained\n3\n")
    assert out.count("\ntrained") == 0
    assert len(notebook.user_ns["losses"]) == 3
    assert notebook.user_ns["found"] is result
    answer = json.loads(json.dumps(result.to_dict()))
    assert [each["mode"] for each in answer["modes"]] == ["fp32", "bf16"]
    for each in answer["modes"]:
        assert each["error"] is None
        assert each["step_seconds"]["low"] <= each["step_seconds"]["value"]
        assert each["speedup"]["high"] >= each["speedup"]["value"] > 0
        assert each["numerics"]["losses"]
    assert answer["modes"][1]["dtypes"]["flop_shares"] == {"bfloat16": 1.0}
    assert answer["recommended"] in ("fp32", "bf16")
    assert {"code", "sentence", "warnings"} <= answer.keys()
    kept = ResultStore(tmp_path / "results.sqlite").latest("amp_profile")
    assert [each.id for each in kept] == [result.number]
    assert isinstance(kept[0].result, BenchmarkResult)
    assert {"fp32_step_seconds", "bf16_step_seconds", "bf16_speedup"} <= kept[
        0
    ].result.figures.keys()
    told = kept[0].result.precision
    assert told.sentence == answer["sentence"]
    assert [each.mode for each in told.modes] == ["fp32", "bf16"]
    assert told.modes[1].numbers.startswith("loss ")
    assert told.code == answer["code"]
    assert "amp_profile" in repr(notebook.run_line_magic("gpubench", "history amp_profile"))


def test_it_is_shown_as_text_and_as_html_that_trusts_nothing(notebook):
    notebook.user_ns["model"].register_forward_hook(lambda *_: None)
    result = profiled(notebook, f"{LINE} --no-numerics", CELL.replace("trained", "<b>trained</b>"))
    text, page = repr(result), result._repr_html_()
    for words in ("fp32 (now)", "bf16", "100 % bf16", "print() shows output"):
        assert words in text
        assert words in page
    assert "<b>trained" not in page


def test_a_cell_that_fails_shows_its_own_error_and_nothing_has_happened(notebook):
    before = notebook.user_ns["model"][0].weight.detach().clone()
    with pytest.raises(ZeroDivisionError):
        profiled(notebook, LINE, CELL + "\n1 / 0")
    assert notebook.user_ns["losses"] == []
    assert torch.equal(notebook.user_ns["model"][0].weight, before)


def test_what_is_set_up_runs_once_and_stays(notebook):
    line = f'{LINE} --no-numerics --setup "made = losses.append(7) or 1"'
    profiled(notebook, line, "output = model(inputs * made)")
    assert notebook.user_ns["losses"] == [7]
    assert notebook.user_ns["made"] == 1


REFUSED = [
    ("--modes fp8", CELL, "unknown_mode"),
    ("--steps 0", CELL, "parameter_out_of_range"),
    ("--steps many", CELL, "usage"),
    ("--quick --rigorous", CELL, "usage"),
    ("--into 1x", CELL, "usage"),
    ("", "!echo hello", "not_repeatable"),
    ("", "%time model(inputs)", "not_repeatable"),
    ("", "for", "syntax"),
    ("", "# nothing", "empty_cell"),
]


def test_what_can_not_be_done_is_refused_with_a_hint(notebook):
    # One notebook for all: each leaves it as it was, and to end one takes a second.
    for line, cell, code in REFUSED:
        with pytest.raises(BenchmarkError) as refusal:
            profiled(notebook, line, cell)
        assert refusal.value.code == code, line
        assert refusal.value.hint


def test_without_torch_it_says_what_to_install(notebook, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BenchmarkError) as refusal:
        profiled(notebook)
    assert refusal.value.code == "package_missing"
    assert "pip install torch" in refusal.value.hint


def test_a_function_is_profiled_from_a_script(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_GPUPERF_RESULTS", str(tmp_path / "results.sqlite"))
    model = torch.nn.Linear(8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, calls = torch.randn(4, 8), []

    def step():
        calls.append(1)
        optimizer.zero_grad()
        loss = model(inputs).square().mean()
        loss.backward()
        optimizer.step()

    result = gpuperf.amp_profile(step, modes=("bf16",), time_limit_seconds=0.2)
    assert result.modes["bf16"]["step_seconds"]["value"] > 0
    assert calls == [1]  # in the function's closure, and put back


def test_the_manual_gives_the_defaults_that_are():
    assert f"(default {DEFAULT_STEPS})" in MANUAL


LOSS_WITHIN = Message("loss within {noise} ({ratio:.2g}×)", noise=FLOORS["seed"], ratio=0.2)


def off(ratio):
    return Message("loss off by {ratio:.1f}× {noise}", noise=FLOORS["seed"], ratio=ratio)


def found(verdict=WITHIN, speed=2.0, memory_ratio=0.5, sentence=LOSS_WITHIN):
    """A profile of two modes, judged."""

    def mode(name, seconds, numerics):
        around = {"value": seconds, "low": seconds, "high": seconds}
        gain = {"value": 1 / seconds, "low": 0.99 / seconds, "high": 1.01 / seconds}
        memory = (
            None if memory_ratio is None else 1000 if name == "fp32" else int(1000 * memory_ratio)
        )
        return ModeOutcome(
            name,
            around,
            speedup=gain,
            speedup_over_now=gain,
            peak_allocated_bytes=memory,
            numerics=numerics,
        )

    profile = Profile(
        modes=[
            mode("fp32", 1.0, {"verdict": "reference"}),
            mode("bf16", 1 / speed, {"verdict": verdict, "sentence": sentence}),
        ],
        now=None,
        same_as_now="fp32",
    )
    advice.recommend_mode(profile)
    return profile


@pytest.mark.parametrize(
    ("given", "english", "chinese"),
    [
        (
            {},
            "Use bf16: 2.00× as fast as now, 95 % interval 1.98 to 2.02, 50 % less memory, loss within seed noise (0.2×).",
            "建议使用 bf16：速度是现在的 2.00 倍（95 % 区间 1.98 至 2.02），显存减少 50 %，损失在种子噪声以内（0.2 倍）。",
        ),
        (
            {"verdict": CLOSE, "memory_ratio": None, "sentence": off(2)},
            "Use bf16, but watch the loss: 2.00× as fast as now, 95 % interval 1.98 to 2.02, loss off by 2.0× seed noise.",
            "可使用 bf16，但请留意损失：速度是现在的 2.00 倍（95 % 区间 1.98 至 2.02），损失偏差为种子噪声的 2.0 倍。",
        ),
        (
            {"verdict": FAR, "sentence": off(9)},
            "Keep the cell as it is. bf16: 2.00× as fast as now, 95 % interval 1.98 to 2.02, but its numbers differ (loss off by 9.0× seed noise).",
            "保持单元格不变。bf16：速度是现在的 2.00 倍（95 % 区间 1.98 至 2.02），但数值有差异（损失偏差为种子噪声的 9.0 倍）。",
        ),
        (
            {"speed": 0.5},
            "Keep the cell as it is. bf16: 0.500× as fast as now, 95 % interval 0.495 to 0.505: slower.",
            "保持单元格不变。bf16：速度是现在的 0.500 倍（95 % 区间 0.495 至 0.505）：更慢。",
        ),
    ],
)
def test_the_answer_is_one_sentence_in_either_language(given, english, chinese):
    sentence = found(**given).sentence
    assert sentence == english
    assert Translator("zh_CN")(sentence) == chinese


def test_a_cell_that_sets_its_own_dtype_is_said_not_to_be_measured_in_fp32(notebook):
    setup = "half = torch.nn.Linear(16, 4).bfloat16(); small = inputs.bfloat16()"
    notebook.run_cell(setup).raise_error()
    result = profiled(notebook, f"{LINE} --no-numerics", "half(small).float().sum().backward()")
    said = " ".join(result.warnings)
    assert "fp32 was not measured: 100 % of the FLOPs in its row are in bfloat16" in said
    assert "Parameters are bfloat16, such as half.weight." in said


@pytest.mark.parametrize(
    ("cell", "headed"),
    [
        ("1 / 0", "failed"),
        ("raise SystemExit(3)", "failed"),
        ("raise KeyboardInterrupt", "cancelled"),
    ],
)
def test_a_profile_that_fails_is_headed_failed(notebook, monkeypatch, cell, headed):
    ended = []
    monkeypatch.setattr("jupyter_gpuperf.client.precision.best_view", lambda: RecordingView(ended))
    with pytest.raises(BaseException):  # noqa: B017, PT011  (each its own)
        profiled(notebook, LINE, cell)
    assert headed in ended[0]


class RecordingView(ProgressView):
    def __init__(self, ended):
        self._ended = ended

    def end(self, final, status):
        self._ended.append(status)


def test_a_huge_cell_is_told_to_the_panel_without_its_code():
    profile = found()
    profile.code = "x = 1\n" * 20_000
    result = msgspec.convert(profile_as_result(profile, ProfileOptions()), BenchmarkResult)
    assert result.precision.code == profile.code
    assert shortened(result).precision.code == ""
    assert shortened(result).precision.sentence == profile.sentence
