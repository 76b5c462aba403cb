"""A line is pasted as README and docs print it, with its comment."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.commands.magic_line import words_of
from jupyter_gpuperf.errors import BadRequest


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("   # what can be measured", []),
        (
            "dataloader --workers 4   # through the server's worker",
            ["dataloader", "--workers", "4"],
        ),
        ("start run#2.jsonl.gz", ["start", "run#2.jsonl.gz"]),
        ('io --folder "/data/# 1"  # a folder', ["io", "--folder", "/data/# 1"]),
        ("--setup 'x = 1 # one'", ["--setup", "x = 1 # one"]),
        (r'--setup "print(\"# a\")" # b', ["--setup", 'print("# a")']),
        ("compute # it's “so”", ["compute"]),
        ("#compute", []),
    ],
)
def test_the_words_of_a_line_without_its_comment(line, words):
    assert words_of(line) == words


def test_a_quotation_mark_without_partner_is_refused():
    with pytest.raises(BadRequest, match=r"Can't parse .*: No closing quotation"):
        words_of("io --folder '/data")


def test_an_escaped_quotation_mark_opens_nothing():
    assert words_of(r"run a\"b # c") == ["run", 'a"b']
