"""Lines, however they were cut on their way."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.kernel_link.framing import LineBuffer


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 100])
def test_lines_come_out_as_they_went_in(piece):
    text = b"one\n\ntwo\nthree\n"
    lines = LineBuffer(100)
    found = []
    for start in range(0, len(text), piece):
        found += lines.feed(text[start : start + piece])
    assert found == [b"one", b"", b"two", b"three"]


@pytest.mark.parametrize("piece", [1, 3, 8, 100])
def test_one_that_is_too_long_is_told_once_and_skipped(piece):
    text = b"12345\n" + b"x" * 30 + b"\n12345\n123456\n"
    lines = LineBuffer(5)
    found = []
    for start in range(0, len(text), piece):
        found += lines.feed(text[start : start + piece])
    assert found == [b"12345", None, b"12345", None]


def test_what_is_kept_has_a_limit():
    lines = LineBuffer(10)
    for _ in range(1000):
        lines.feed(b"x" * 100)
        assert len(lines._rest) <= 10
