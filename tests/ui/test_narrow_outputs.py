"""Outputs of the magics on a page narrower than their tables: a notebook beside the panel, or the docs."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from jupyter_gpuperf.display.precision_result import AmpProfile
from jupyter_gpuperf.precision.outcome import ModeOutcome, Profile

pytestmark = pytest.mark.ui

PAGE_PIXELS = 700
ROWS = "[...document.querySelectorAll('tbody tr')].map(each => each.offsetHeight)"
PAGE_WIDTH = "document.documentElement.scrollWidth"


def outcome(mode: str, milliseconds: float) -> ModeOutcome:
    seconds = milliseconds / 1000
    return ModeOutcome(
        mode=mode,
        step_seconds={"value": seconds, "low": 0.98 * seconds, "high": 1.02 * seconds},
        speedup_over_now={"value": 1.38, "low": 1.26, "high": 1.48},
        peak_allocated_bytes=6 * 2**30,
        dtypes={"flop_shares": {"bfloat16": 1.0}},
        kernels={"tensor_core_ratio": 0.28},
        tensor_active_ratio=0.09,
        numerics={"sentence": "loss within one step's change (0.0038×)"},
    )


@pytest.fixture
def page(open_page) -> Page:
    return open_page("about:blank", width=PAGE_PIXELS)


def test_a_precision_profile_scrolls_by_itself_and_its_sentences_are_not_a_word_a_line(page):
    modes = [outcome("bf16", 39.0), outcome("fp16", 41.0)]
    found = Profile(
        modes=modes,
        now=outcome("now", 53.8),
        same_as_now=None,
        sentence="Use bf16: 1.38× faster than now.",
    )
    page.set_content(
        f'<!doctype html><body style="font-size:13px">{AmpProfile(found)._repr_html_()}'
    )
    heights = page.evaluate(ROWS)
    assert len(heights) == 3
    line = page.evaluate("parseFloat(getComputedStyle(document.querySelector('td')).lineHeight)")
    assert max(heights) < 5 * line
    assert page.evaluate(PAGE_WIDTH) == PAGE_PIXELS
