"""A suite of the server as a page of its own."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_gpuperf.display.comparison_view import Changes
from jupyter_gpuperf.display.document import page_of
from jupyter_gpuperf.display.suite_view import SuiteView
from jupyter_gpuperf.results.comparison import compare
from jupyter_gpuperf.schemas import Suite, SuiteInfo


def suite_page(info: SuiteInfo, suites: Sequence[Suite]) -> str:
    """Return what two kernels' results differ in, or one's results."""
    titles = [side.title for side in info.sides]
    if len(suites) == 2:
        left_out = [
            f"Left out in {side.title}: {each.benchmark}. {each.error.message} {each.error.hint}"
            for side in info.sides
            for each in side.failures
        ]
        return Changes(
            compare(*suites), before=titles[0], after=titles[1], left_out=left_out
        ).page()
    return page_of(titles[0], SuiteView(suites[0], None)._repr_html_())
