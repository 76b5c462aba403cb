"""The shell speaks the user's language, argparse's own sentences included."""

from __future__ import annotations

import contextlib
import gettext

import pytest

from jupyter_gpuperf.cli import COMMANDS, main

NAMES = [name for each in COMMANDS if (name := each.__name__.rpartition(".")[2]) != "bench"]
"""The benchmarks' manual is English, as those of the magics are."""


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
