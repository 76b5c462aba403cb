"""Text from elsewhere is shown; it is never obeyed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gpuperf.messages.printable import printable, printable_data


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pip install a\n\tb", "pip install a\n\tb"),
        ("ü 中文 🙂 café", "ü 中文 🙂 café"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\r\nb", "a\nb"),
        ("rm a\rls", "rm a\ufffdls"),
        ("\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
        ("a\x00\x7f\x85\u2028", "a\ufffd\ufffd\ufffd\ufffd"),
        ("\u202etxt.exe", "\ufffdtxt.exe"),
        ("\ud800", "\ufffd"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text, shown):
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_every_text_can_be_encoded_and_stays_as_it_is_the_second_time(text):
    shown = printable(text)
    shown.encode()
    assert printable(shown) == shown
    assert not any(each < " " and each not in "\n\t" for each in shown)


def test_names_and_values_of_plain_data_become_printable():
    assert printable_data({"a\r": ["\0", 1, None, {"b": 2.5}]}) == {
        "a\ufffd": ["\ufffd", 1, None, {"b": 2.5}]
    }
