"""Text is broken where a terminal's columns end, in Chinese too."""

from __future__ import annotations

import re
import textwrap

import pytest

from jupyter_gpuperf.messages.columns import text_width, wrapped

CHINESE = "在五个进程中测量，每个都测到区间为 ±1 %（而非 ±3 %）；这样得到的区间也适用于 DataLoader（默认 30，1 至 600）。"
ENGLISH = "Measure in five processes, each to ±1 % - a well-known way; see torch.backends.cudnn.benchmark."


def test_a_chinese_character_takes_two_columns():
    assert text_width("GPU 监控") == 8


@pytest.mark.parametrize("width", range(16, 90))
def test_chinese_fills_its_lines_and_loses_nothing(width):
    lines = wrapped(CHINESE, width)
    assert re.sub(" ", "", "".join(lines)) == CHINESE.replace(" ", "")
    assert all(text_width(line) <= width for line in lines)
    # The next word may be DataLoader with the bracket that follows it.
    assert all(text_width(line) > width - 16 for line in lines[:-1])


@pytest.mark.parametrize("width", range(16, 90))
def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one(width):
    for line in wrapped(CHINESE, width):
        assert line[0] not in "，。；）"
        assert line[-1] != "（"


@pytest.mark.parametrize("hyphens", [True, False])
@pytest.mark.parametrize("width", range(5, 90))
def test_english_is_broken_as_ever(width, hyphens):
    options = {"initial_indent": "  ", "subsequent_indent": "    ", "break_on_hyphens": hyphens}
    assert wrapped(ENGLISH, width, **options) == textwrap.wrap(ENGLISH, width, **options)
