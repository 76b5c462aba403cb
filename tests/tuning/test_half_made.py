from __future__ import annotations

import sys

from jupyter_gpuperf.tuning.half_made import thrown_away_quietly


class HalfMadeDataLoaderIter:
    def __del__(self):
        raise AttributeError("_workers_status")


class Other:
    def __del__(self):
        raise AttributeError("anything")


def test_what_torch_complains_of_is_not_heard_and_all_else_is(monkeypatch):
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: heard.append(str(what.exc_value)))
    with thrown_away_quietly():
        HalfMadeDataLoaderIter()
        Other()
    assert heard == ["anything"]
