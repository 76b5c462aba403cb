"""The shell speaks the user's language, argparse's own sentences included."""

from __future__ import annotations

import contextlib
import gettext
import re

import pytest

from jupyter_gpuperf.benchmarks import BENCHMARKS
from jupyter_gpuperf.cli import COMMANDS, main
from jupyter_gpuperf.messages.columns import text_width

NAMES = [name for each in COMMANDS if (name := each.__name__.rpartition(".")[2]) != "bench"]
"""Those with argparse's help."""
PAGES = ([], *([each.name] for each in BENCHMARKS))


@pytest.fixture(autouse=True)
def _chinese(monkeypatch):
    for name in ("LANGUAGE", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    before = gettext.textdomain()
    yield
    gettext.textdomain(before)


def said_by(words, capsys):
    with contextlib.suppress(SystemExit):
        main(words)
    told = capsys.readouterr()
    return told.out + told.err


@pytest.mark.parametrize(
    "words", [[], *([each] for each in NAMES), ["bench", "history"], ["bench", "suite"]], ids=str
)
def test_a_command_explains_itself_in_chinese(words, capsys):
    said = said_by([*words, "--help"], capsys)
    assert "用法" in said
    for english in ("usage", "options", "show this", "print ", "save the", "list "):
        assert english not in said.lower()


@pytest.mark.parametrize("words", PAGES, ids=str)
def test_the_manual_of_a_benchmark_is_in_chinese(words, capsys):
    said = said_by(["bench", *words, "--help"], capsys)
    explained = re.sub("jupyter gpuperf bench", "", said)
    assert re.findall(r"\b[a-z']+(?: [a-z']+){2,}\b", explained) == []
    assert ("以 JSON 输出结果" if words else "列出基准测试") in said


def test_the_list_of_benchmarks_is_in_chinese(capsys):
    said = said_by(["bench"], capsys)
    assert "bench pandas " in said
    assert "  pandas：用各个引擎执行 read_csv，以及 groupby 聚合" in said


def test_a_long_help_stays_within_the_columns_of_the_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "70")
    said = said_by(["--help"], capsys)
    assert "或显示历史" in said
    assert all(text_width(line) < 70 for line in said.splitlines())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nonsense"], "无效的选择：'nonsense'"),
        (["record"], "缺少以下参数：FILE"),
        (["record", "file", "--seconds", "x"], "'x' 不是有效的"),
        (["bench", "dataloader", "--workers", "x"], "参数 --workers：'x' 不是有效的"),
    ],
)
def test_what_is_misused_is_said_in_chinese(words, told, capsys):
    assert told in said_by(words, capsys)
