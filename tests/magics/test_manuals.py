"""Each magic prints its manual, in the language of the notebook."""

from __future__ import annotations

import re

import pytest

from jupyter_gpuperf.benchmarks import BENCHMARKS
from jupyter_gpuperf.commands.manual import USAGE
from jupyter_gpuperf.commands.subcommands import SUBCOMMANDS
from jupyter_gpuperf.magics import amp_profile, gpudoctor, gpumem, gpuperf, gpurecord, gpuwatch
from jupyter_gpuperf.messages.columns import text_width

MANUALS = {
    "gpuperf": gpuperf.MANUAL,
    "gpudoctor": gpudoctor.MANUAL,
    "gpumem": gpumem.MANUAL,
    "gpurecord": gpurecord.MANUAL,
    "gpuwatch": gpuwatch.MANUAL,
    "amp_profile": amp_profile.MANUAL,
}
LINES = (
    *((name, "--help") for name in (*MANUALS, "gpubench")),
    *(("gpubench", f"{name} --help") for name in (*SUBCOMMANDS, *(b.name for b in BENCHMARKS))),
)
SAYS = {
    "gpuperf": "显示此笔记本的 GPU、内核和面板",
    "gpubench": "在工作进程中测量本机的性能。",
    "gpudoctor": "%gpudoctor --all             同时显示通过的检查\n",
    "gpumem": "\n                            说明释放了多少内存\n",
    "gpurecord": "  %gpurecord stop          停止",
    "gpuwatch": "  %gpuwatch off             停止，并还原 torch\n",
    "amp_profile": "  --into NAME         将结果赋给此变量\n",
}
TYPED = re.compile(r"%%?\w+|(?<!\w)--?[a-z][\w-]*")
"""What a user types: a magic or an option."""
SENTENCE = re.compile(r"\b[a-z']+(?: [a-z']+){2,}\b")
"""Three words and more: shorter ones are names, such as channels last, or choices."""


@pytest.fixture
def read(shell, monkeypatch, capsys):
    """Return what a line of a magic prints in a language."""
    for name in ("LANGUAGE", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def read(magic: str, line: str, language: str) -> str:
        monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
        assert shell.run_line_magic(magic, line) is None
        return capsys.readouterr().out

    return read


@pytest.mark.parametrize("word", ["--help", "-h"])
@pytest.mark.parametrize("magic", MANUALS)
def test_each_magic_prints_its_manual(read, magic, word):
    assert f"%{magic}" in MANUALS[magic]
    assert read(magic, word, "C") == f"{MANUALS[magic].rstrip()}\n"


@pytest.mark.parametrize(("magic", "line"), LINES)
def test_a_manual_is_in_chinese(read, magic, line):
    text = read(magic, line, "zh_CN")
    assert SENTENCE.findall(text) == []
    assert re.search(r"[\u4e00-\u9fff]", text)
    assert all(text_width(each) <= 120 for each in text.splitlines())


@pytest.mark.parametrize(("magic", "line"), LINES)
def test_what_one_types_is_the_same_in_chinese(read, magic, line):
    english, chinese = (read(magic, line, language) for language in ("C", "zh_CN"))
    assert TYPED.findall(chinese) == TYPED.findall(english)


@pytest.mark.parametrize("magic", SAYS)
def test_the_question_mark_shows_it_in_chinese_and_programs_read_it_in_english(
    shell, monkeypatch, read, magic
):
    assert SAYS[magic] in read(magic, "--help", "zh_CN")
    assert SAYS[magic].strip() in shell.object_inspect(f"%{magic}")["docstring"]
    function = shell.find_line_magic(magic)
    assert function.__doc__ == {**MANUALS, "gpubench": USAGE}[magic]


def test_the_columns_of_a_benchmark_are_aligned_in_chinese(read):
    text = read("gpubench", "launch --help", "zh_CN")
    assert text.startswith(
        "%gpubench launch\n"
        "  核函数启动：主机每次启动核函数的耗时：单独启动、启动并等待设备，以及从 CUDA 图重\n"
        "  放。\n"
        "    --rigorous/--no-rigorous  在五个进程中测量，每个都测到区间为 ±1 %（而非 ±3 %）；\n"
        "                              这样得到的区间也适用于以后的运行。（默认 否）\n"
        "    --time-limit-seconds X    总测量时间。（默认 10，1 至 600）\n"
        "\n"
        "  所有基准测试均可使用：\n"
        "    --device UUID|INDEX  用于运行的设备；默认为第一个\n"
    )


def test_the_page_of_a_benchmark_in_english(read):
    assert read("gpubench", "launch --help", "C") == (
        "%gpubench launch\n"
        "  Kernel launch: The host's time per kernel launch: alone, with a wait for the\n"
        "  device, and replayed from a CUDA graph.\n"
        "    --rigorous/--no-rigorous  Measure in five processes, each to ±1 % instead of ±3\n"
        "                              %; the interval then also applies to later runs.\n"
        "                              (default no)\n"
        "    --time-limit-seconds X    Total measuring time. (default 10, 1 to 600)\n"
        "\n"
        "  For every benchmark:\n"
        "    --device UUID|INDEX  the device to run on; by default the first\n"
        "    --into NAME          assign the result to this variable\n"
        "    --local              start the worker from this process, not from the server\n"
        "    --baseline           compare with the baseline, or with the previous run\n"
    )


def test_the_tuner_s_options_are_in_chinese(read):
    text = read("gpubench", "dataloader --help", "zh_CN")
    assert "用于 LOADER（笔记本中的变量）：\n    --tune " in text
    assert "--budget-seconds S  总时间，以秒计（默认 60）\n" in text


def test_a_subcommand_s_usage_is_aligned_in_chinese(read):
    text = read("gpubench", "history --help", "zh_CN")
    first, second = text.splitlines()[:2]
    assert first.startswith("用法：%gpubench history [-h]")
    assert text_width(second[: second.index("[")]) == text_width(first[: first.index("[")])
