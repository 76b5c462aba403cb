"""The rank of a loop in a distributed training."""

from __future__ import annotations

from types import SimpleNamespace

from jupyter_gpuperf.loops.rank import give_rank
from jupyter_gpuperf.schemas.training import WatchedLoop


class Torch:
    """A torch whose process group comes and goes."""

    def __init__(self, ranks_count):
        self.is_in_group = True
        self.distributed = SimpleNamespace(
            is_available=lambda: True,
            is_initialized=lambda: self.is_in_group,
            get_world_size=lambda: ranks_count,
            get_rank=lambda: 1,
        )


def rank_of(clock):
    return (clock.info.rank, clock.info.ranks_count)


def test_a_rank_stays_when_the_process_group_ends_before_the_last_report():
    clock, torch = SimpleNamespace(info=WatchedLoop(id=1, name="loop")), Torch(2)
    give_rank(torch, [clock])
    assert rank_of(clock) == (1, 2)
    torch.is_in_group = False
    give_rank(torch, [clock])
    assert rank_of(clock) == (1, 2)


def test_a_process_that_trains_alone_has_no_rank():
    for torch in (Torch(1), None):
        clock = SimpleNamespace(info=WatchedLoop(id=1, name="loop"))
        give_rank(torch, [clock])
        assert rank_of(clock) == (None, None)
