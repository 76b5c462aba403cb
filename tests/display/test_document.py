from __future__ import annotations

import pytest

from jupyter_gpuperf.display.blocks import (
    Bar,
    Code,
    Folded,
    Heading,
    Items,
    Line,
    Span,
    Table,
    WarningBox,
)
from jupyter_gpuperf.display.document import html_of, page_of, text_of

EVIL = "<script>alert('\"&')</script>"


@pytest.mark.parametrize(
    "block",
    [
        Heading(EVIL, EVIL),
        Line(EVIL, "warning"),
        Table([(EVIL, Span(EVIL))], looks=("label", "value"), head=(EVIL, EVIL), bold=(0,)),
        Code(EVIL, title=EVIL),
        Items(EVIL, [EVIL]),
        WarningBox([Line(EVIL)]),
        Folded(EVIL, [Line(EVIL)]),
    ],
)
def test_nothing_that_is_shown_becomes_markup(block):
    drawn = html_of([block])
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn


def test_a_page_escapes_its_title():
    assert EVIL not in page_of(EVIL, "<p>body</p>")
    assert "<p>body</p>" in page_of(EVIL, "<p>body</p>")


def test_below_a_heading_columns_line_up_and_numbers_stand_right():
    rows = [("a", Bar(0.5), "1", "quiet"), ("中文", Bar(1.0), "100", "")]
    table = Table(rows, looks=("label", "bar", "value", "quiet"), head=("name", "", "n", ""))
    assert text_of([Heading("title", "more"), table]).splitlines() == [
        "title  more",
        "  name    n",
        "  a       1  quiet",
        "  中文  100",
    ]


def test_a_row_that_has_only_a_sentence_does_not_widen_the_columns():
    rows = [("fp32", "1 ms"), ("bf16", Span("This mode failed, for a long reason."))]
    text = text_of([Table(rows, looks=("name", "value"))])
    assert text.splitlines() == ["fp32  1 ms", "bf16  This mode failed, for a long reason."]


def test_bars_are_drawn_as_wide_as_their_share():
    drawn = html_of([Table([("x", Bar(0.25))], looks=("label", "bar"))])
    assert "width:25%" in drawn


def test_an_empty_table_and_an_empty_list_show_nothing():
    assert "<table" not in html_of([Table([], looks=("label",)), Items("Next", [])])
    assert text_of([Heading("only"), Table([], looks=("label",)), Items("Next", [])]) == "only"


def test_text_for_a_terminal_holds_nothing_that_it_obeys():
    odd = "\x1b[2Jname\rof\x9b a file"
    blocks = [Heading(odd), Table([(odd, odd)], looks=("label", "value")), Code(odd)]
    assert not {"\x1b", "\r", "\x9b"} & set(text_of(blocks))
