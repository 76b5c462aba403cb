"""Tuning small real loaders from end to end, good ones and bad ones.

Which setting wins depends on what else runs here: that is for ``test_search.py``, against loaders whose times are known.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
import warnings

import psutil
import pytest
import torch
from data_sets import (
    Answer,
    BatchSamplerShard,
    DataLoaderShard,
    Dries,
    Endless,
    FabricLoader,
    Items,
    Later,
    Lost,
    Shards,
    Stream,
    crashes,
    hangs,
    raises,
    wait,
)
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, RandomSampler

from jupyter_gpuperf.benchmarks.declaration import Context
from jupyter_gpuperf.errors import BadRequest, GpuPerfError
from jupyter_gpuperf.loaders.setting import Setting
from jupyter_gpuperf.tuning.request import TuneRequest
from jupyter_gpuperf.tuning.tune import tune_loader

SHORT_SECONDS = 6.0
LONGEST_HANG_SECONDS = 60.0  # so long, and again, does sleep what hangs


def tuned(subject, *, said=None, **wanted):
    context = Context(
        progress=lambda ratio, words: said.append((ratio, words)) if said is not None else None,
        warn=lambda words: None,
    )
    wanted.setdefault("budget_seconds", SHORT_SECONDS)
    return Answer(**tune_loader(subject, "train_loader", TuneRequest(**wanted), context))


def tuned_at_last(subject, *, budget_seconds=SHORT_SECONDS, **wanted):
    """Tune, and where a busy machine gets nothing done within the budget with a longer one."""
    for longer in (1, 3):
        with contextlib.suppress(GpuPerfError):
            return tuned(subject, budget_seconds=longer * budget_seconds, **wanted)
    return tuned(subject, budget_seconds=10 * budget_seconds, **wanted)


def workers_left():
    return [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]


def test_the_answer_has_the_documented_shape_and_no_worker_is_left():
    said = []
    own = DataLoader(Items(do=wait(0.003)), batch_size=4, num_workers=0)
    before = set(workers_left())
    answer = vars(tuned(own, said=said))
    for trial in answer["trials"]:
        assert {"num_workers", "prefetch_factor", "pin_memory", "persistent_workers"} <= set(trial)
        if trial["error"] is None:
            rate = trial["batches_per_second"]
            assert rate["low"] <= rate["value"] <= rate["high"]
    with_role = {role: trial for trial in answer["trials"] for role in trial["roles"]}
    assert {"recommended", "present", "golden"} <= set(with_role)
    recommended, settings = with_role["recommended"], answer["recommended"]
    assert {name: recommended[name] for name in settings} == settings
    assert Setting(**settings).describe() in answer["summary"][0]
    assert with_role["present"]["num_workers"] == 0
    assert answer["regime"] == "no files"
    assert "left" in said[-1][1]
    assert set(workers_left()) <= before


def test_the_code_makes_a_loader_in_the_recommended_setting():
    train_loader = DataLoader(
        Items(do=wait(0.002)),
        batch_sampler=BatchSampler(RandomSampler(range(4000)), 4, drop_last=True),
        collate_fn=lambda items: torch.stack(items),
    )
    answer = tuned_at_last(train_loader)
    names = {"torch": torch, "train_loader": train_loader}
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # torch has its own opinion of how many workers there should be
        exec(answer.code, names)
    own, made = train_loader, names["train_loader"]
    assert made is not train_loader
    assert made.num_workers == answer.recommended["num_workers"]
    assert made.collate_fn is train_loader.collate_fn
    assert made.batch_sampler is own.batch_sampler


def test_a_target_rate_takes_the_place_of_a_step():
    answer = tuned_at_last(DataLoader(Items(), batch_size=2, num_workers=2), target_rate=10.0)
    assert answer.step_seconds == pytest.approx(0.1, abs=0.01)
    assert answer.enough is not None  # it was held against the rate
    assert "ms per step" in answer.summary[0]


def test_the_users_own_step_runs_on_real_batches_and_what_it_changed_is_put_back():
    seen = []

    def step(batch):
        assert batch.shape == (4,)
        seen.append(batch)
        time.sleep(0.02)

    answer = tuned_at_last(DataLoader(Items(), batch_size=4), step=step)
    assert seen == []
    assert answer.step_seconds >= 0.02
    assert answer.trial("recommended")["wait_ratio"] is not None


def test_a_step_that_fails_is_told():
    def step(batch):
        raise ValueError("shapes differ")

    with pytest.raises(GpuPerfError, match="shapes differ") as failure:
        tuned(DataLoader(Items(), batch_size=4), step=step)
    assert failure.value.code == "step_failed"


SILENT = "no batch came in time|not enough batches"  # whichever looks first
BROKEN = {
    "raises": (Items(do=raises), {}, "data_set_failed", "no such picture"),
    "crashes": (Items(do=crashes), {}, "data_set_failed", "killed"),
    "hangs": (Items(do=hangs), {}, "data_set_failed", "no batch came in time"),
    "collate hangs": (Items(), {"collate_fn": hangs}, "data_set_failed", "no batch came in time"),
    "worker hangs": (Items(), {"worker_init_fn": hangs}, "data_set_failed", "no batch came in"),
    "is empty": (Items(length=0), {"num_workers": 0}, "data_set_failed", "is empty"),
    "drops all": (Items(length=3), {"drop_last": True}, "data_set_failed", "drop_last"),
    "raises later": (Later(raises), {}, "nothing_measured", "no such picture"),
    "hangs later": (Later(hangs), {}, "nothing_measured", SILENT),
    "hangs later, here": (Later(hangs), {"num_workers": 0}, "nothing_measured", SILENT),
    "gives nothing": (Endless(), {}, "data_set_failed", "no batch came in time"),
    "dries up": (Dries(), {"num_workers": 1}, "nothing_measured", SILENT),
    "has no index": (Items(), {"sampler": Lost()}, "no_time", "nothing to measure"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_data_set_ends_within_the_budget_and_is_told(what):
    data, options, code, words = BROKEN[what]
    own = DataLoader(data, batch_size=4, **{"num_workers": 2, **options})
    before = set(workers_left())  # other tests' helpers may still be there
    began = time.monotonic()
    with pytest.raises(GpuPerfError) as failure:
        tuned(own, budget_seconds=3.0)
    # Ending what hangs takes a moment, and more on a busy machine; without a limit it would be for ever.
    assert time.monotonic() - began < LONGEST_HANG_SECONDS
    assert failure.value.code == code
    assert re.search(words, failure.value.message)
    assert failure.value.hint
    assert set(workers_left()) <= before


def test_a_step_that_hangs_ends_within_the_budget_and_is_not_taken_for_the_data():
    began = time.monotonic()
    with pytest.raises(GpuPerfError) as failure:
        tuned(DataLoader(Items(), batch_size=4), step=hangs, budget_seconds=3.0)
    assert time.monotonic() - began < LONGEST_HANG_SECONDS
    assert failure.value.code == "no_time"
    assert "The step did not end" in failure.value.message


def test_a_stream_without_an_end_is_tuned_like_any_other():
    answer = tuned(DataLoader(Shards(length=None), batch_size=4), budget_seconds=3.0)
    assert answer.trial("recommended")["batches_per_second"]["value"] > 0


def test_batches_too_slow_to_compare_are_refused_with_the_time_they_need():
    with pytest.raises(GpuPerfError) as refusal:
        tuned(DataLoader(Items(do=wait(0.2)), batch_size=16), budget_seconds=3.0)
    assert refusal.value.code == "no_time"
    assert "budget_seconds=" in refusal.value.hint


def test_a_stream_that_is_not_divided_gets_one_worker_and_a_warning():
    answer = tuned_at_last(DataLoader(Stream(), batch_size=4, num_workers=2))
    assert answer.recommended["num_workers"] <= 1
    assert any("comes twice" in warning for warning in answer.warnings)
    present = answer.trial("present")
    assert "can use 1 at most" in present["error"]


def test_a_divided_stream_may_have_more_up_to_its_shards():
    divided = tuned(DataLoader(Stream(divided=True), batch_size=4), budget_seconds=3.0)
    assert not any("comes twice" in warning for warning in divided.warnings)
    answer = tuned(DataLoader(Shards(), batch_size=4, num_workers=2), budget_seconds=3.0)
    assert max(each["num_workers"] for each in answer.trials if each["error"] is None) <= 2


@pytest.mark.parametrize(
    "own",
    [
        lambda: DataLoader(
            Items(), batch_size=4, sampler=DistributedSampler(range(4000), 2, 1, shuffle=False)
        ),
        lambda: DataLoaderShard(
            Items(),
            device="cpu",
            batch_sampler=BatchSamplerShard(BatchSampler(range(4000), 4, False), 2, 1),
        ),
        lambda: FabricLoader(DataLoader(Items(), batch_size=4)),
        lambda: DataLoader(Items(), batch_size=None),
    ],
    ids=["DistributedSampler", "Accelerate", "Fabric", "no batching"],
)
def test_loaders_of_all_kinds_are_tuned(own):
    answer = tuned_at_last(own(), budget_seconds=3.0)
    assert answer.trial("recommended")["batches_per_second"]["value"] > 0
    assert answer.trial("present") is not None


def test_a_data_set_alone_is_tuned():
    answer = tuned(Items(), batch_size=16, budget_seconds=3.0)
    assert answer.batch_size == 16
    assert answer.trial("present") is None
    assert "\nloader = torch.utils.data.DataLoader(train_loader, batch_size=16" in answer.code


def test_trials_read_items_that_no_other_trial_has_read(tmp_path):
    note = os.open(tmp_path / "seen", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    own = DataLoader(
        Items(length=10**6, do=lambda index: os.write(note, b"%d\n" % index)), batch_size=4
    )
    answer = tuned(own, budget_seconds=3.0)
    os.close(note)
    # What workers have begun may be written twice never; each number comes once.
    seen = (tmp_path / "seen").read_text().split()
    probed = answer.probe["items"]
    assert len(seen) - len(set(seen)) <= probed
    assert "No trial read items" in answer.regime_summary


def test_nothing_of_the_users_moves():
    generator = torch.Generator().manual_seed(3)
    own = DataLoader(Items(), batch_size=4, shuffle=True, generator=generator)
    batches = iter(own)
    first = next(batches)
    state, drawn = generator.get_state(), torch.get_rng_state()
    tuned(own, budget_seconds=3.0)
    assert torch.equal(generator.get_state(), state)
    assert torch.equal(torch.get_rng_state(), drawn)
    rest = list(itertools.islice(batches, 3))
    again = iter(
        DataLoader(
            Items(),
            batch_size=4,
            shuffle=True,
            generator=torch.Generator().manual_seed(3),
        )
    )
    assert [each.tolist() for each in (first, *rest)] == [
        each.tolist() for each in itertools.islice(again, 4)
    ]


def test_wishes_that_make_no_sense_are_refused():
    for wanted in (
        {"budget_seconds": 0.1},
        {"target_rate": 0.0},
        {"batch_size": 0},
        {"batch_size": "many"},
        {"target_rate": 1.0, "step": print},
    ):
        with pytest.raises(BadRequest):
            TuneRequest(**wanted)
    with pytest.raises(BadRequest):
        tuned(7)
