"""The answer of ``%%speedup`` as text and as HTML."""

from __future__ import annotations

import re

from found_speedup import found_speedup, nothing_taken

from jupyter_gpuperf.client.speedup_as_result import speedup_as_result
from jupyter_gpuperf.display.cell_speedup import CellSpeedup
from jupyter_gpuperf.levers.options import SpeedupOptions


def shown(found):
    return CellSpeedup(found, speedup_as_result(found, SpeedupOptions(), "x"))


def test_the_way_to_the_answer_comes_first_then_what_was_left_with_its_cost():
    lines = repr(shown(found_speedup())).splitlines()
    assert lines[0] == "2.00\u00a0× [1.96, 2.04] with bf16."
    assert "412\u00a0ms [404, 420] → 206\u00a0ms [202, 210] per step" in lines[1]
    assert "peak memory 3.00\u00a0GiB → 2.00\u00a0GiB" in lines[1]
    names = [line[2:19].strip() for line in lines[3:8]]
    assert names == ["as it was", "✓  bf16", "the code below", "✗  channels_last", "cudnn"]
    assert lines[-1].strip() == "loss.backward()"


def test_bars_fall_from_the_cell_as_it_was_to_the_code():
    html = shown(found_speedup())._repr_html_()
    bars = re.findall(r"height:100%;width:(\d+)%", html)
    assert bars == ["100", "50", "50"]
    assert "Loss over 3 steps" in html
    assert "as it was, in fp32" in html


def test_a_cell_that_is_best_as_it_was_has_no_way_and_no_code():
    view = shown(nothing_taken())
    text = repr(view)
    assert text.startswith("Leave it as it is")
    assert "the code below" not in text
    assert view.code == ""
    assert "height:100%" not in view._repr_html_()


def test_the_page_stands_alone_and_has_the_answer_as_its_title():
    page = shown(found_speedup()).page()
    assert "<title>2.00\u00a0× [1.96, 2.04] with bf16.</title>" in page
    assert "loss.backward()" in page
