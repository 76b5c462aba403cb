"""Settings: what torch accepts, what they cost, how they are said."""

from __future__ import annotations

from jupyter_gpuperf.loaders.setting import Setting, common_recipe


def test_without_workers_there_is_nothing_that_only_workers_have():
    setting = Setting.of(num_workers=4, persistent_workers=True, in_order=False).with_changes(
        num_workers=0
    )
    assert setting == Setting(num_workers=0, prefetch_factor=None)


def test_fewer_workers_are_cheaper_whatever_else_they_do():
    assert Setting.of(num_workers=2, pin_memory=True).cost < Setting.of(num_workers=3).cost


def test_the_recipe_counts_cores_but_not_without_end():
    assert common_recipe(4).num_workers == 8
    assert common_recipe(128).num_workers == 32
    assert common_recipe(1).describe() == "2 workers, prefetch 3, pinned, persistent"
