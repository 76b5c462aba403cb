"""No module needs another one that needs it in turn."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp

PACKAGE = "jupyter_gpuperf"


def test_no_two_files_import_each_other_in_a_circle():
    """Imports inside functions and under ``TYPE_CHECKING`` count as well."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    imports = {each: graph.find_modules_directly_imported_by(each) for each in graph.modules}
    try:
        tuple(TopologicalSorter(imports).static_order())
    except CycleError as error:
        raise AssertionError(" ← ".join(error.args[1])) from None
