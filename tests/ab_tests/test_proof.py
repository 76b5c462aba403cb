"""Headroom and other settings, on a real loop; and that everything is as before, to the bit."""

from __future__ import annotations

import copy
import random
import time
from types import SimpleNamespace

import pytest

from jupyter_gpuperf.ab_tests.ab_test import headroom, measure_change
from jupyter_gpuperf.client.ab_tests import changed_settings
from jupyter_gpuperf.display.speedup_view import SpeedupView
from jupyter_gpuperf.display.tuning_view import TuningView
from jupyter_gpuperf.errors import BadRequest
from jupyter_gpuperf.loaders.comparison import alike
from jupyter_gpuperf.loaders.rebuilding import loader_with
from jupyter_gpuperf.state.roots import Roots
from jupyter_gpuperf.state.snapshot import StateSnapshot

torch = pytest.importorskip("torch")


class Slow(torch.utils.data.Dataset):
    def __init__(self, seconds=0.002, count=64):
        self._seconds, self._count = seconds, count

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        time.sleep(self._seconds)
        return torch.full((8,), float(index)), index % 3


class Trainer:
    """All that training code tends to change."""

    def __init__(self):
        self.model = torch.nn.Sequential(
            torch.nn.Linear(8, 16),
            torch.nn.BatchNorm1d(16),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(16, 3),
        )
        self.average = copy.deepcopy(self.model)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 5, 0.5)
        self.scaler = torch.amp.GradScaler("cpu", enabled=False)
        self.losses = []
        self.best = {"loss": float("inf")}
        self.steps = 0
        self.running = torch.zeros(())

    def step(self, batch):
        inputs, labels = batch
        loss = torch.nn.functional.cross_entropy(self.model(inputs), labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=self.steps % 2 == 0)
        self.scheduler.step()
        with torch.no_grad():
            for mine, theirs in zip(
                self.average.parameters(), self.model.parameters(), strict=True
            ):
                mine.lerp_(theirs, 0.1)
            self.running.add_(loss)
        self.losses.append(loss.item() + random.random())
        self.best["loss"] = min(self.best["loss"], loss.item())
        self.steps += 1


def content(trainer):
    """Return all that can change, in a form that compares to the bit."""

    def bits(thing):
        if isinstance(thing, torch.Tensor):
            return thing.detach().clone().reshape(-1).contiguous().view(torch.uint8).tolist()
        if isinstance(thing, dict):
            return {name: bits(each) for name, each in thing.items()}
        if isinstance(thing, (list, tuple)):
            return [bits(each) for each in thing]
        return thing

    return (
        bits(trainer.model.state_dict()),
        bits([each.grad for each in trainer.model.parameters()]),
        bits(trainer.average.state_dict()),
        bits(trainer.optimizer.state_dict()),
        bits(trainer.scheduler.state_dict()),
        [module.training for module in trainer.model.modules()],
        list(trainer.losses),
        dict(trainer.best),
        trainer.steps,
        bits(trainer.running),
        random.getstate(),
        torch.get_rng_state().tolist(),
    )


@pytest.fixture
def trainer():
    torch.manual_seed(0)
    trainer = Trainer()
    for batch in torch.utils.data.DataLoader(Slow(0.0, 12), batch_size=4):
        trainer.step(batch)
    return trainer


@pytest.mark.parametrize("fresh", [False, True])
def test_all_that_a_step_changes_is_put_back_to_the_bit(trainer, fresh):
    if fresh:  # an optimizer without a state yet
        trainer = Trainer()
    before, parameters = content(trainer), list(trainer.model.parameters())
    snapshot = StateSnapshot(torch, Roots.of_step(trainer.step))
    for batch in torch.utils.data.DataLoader(Slow(0.0, 32), batch_size=4, shuffle=True):
        trainer.step(batch)
    assert content(trainer) != before
    snapshot.restore()
    assert content(trainer) == before
    same = zip(trainer.model.parameters(), parameters, strict=True)
    assert all(one is other for one, other in same)  # in place: compiled steps still see them


def test_training_goes_on_as_if_nothing_had_been(trainer):
    batches = list(torch.utils.data.DataLoader(Slow(0.0, 32), batch_size=4))
    alone = copy.deepcopy(content(trainer))
    snapshot = StateSnapshot(torch, Roots.of_step(trainer.step))
    for batch in batches:
        trainer.step(batch)
    once = content(trainer)
    snapshot.restore()
    assert content(trainer) == alone
    for batch in batches:
        trainer.step(batch)
    assert content(trainer) == once


def test_headroom_is_what_the_loop_would_gain_if_data_were_free(trainer):
    loader = torch.utils.data.DataLoader(Slow(0.01), batch_size=8, shuffle=True)
    before = content(trainer)
    found = headroom(torch, loader, trainer.step, steps=2, limit_seconds=3)
    assert content(trainer) == before
    assert min(found.samples["before"]) > 0.08  # eight sleeps of 10 ms
    assert len(found.samples["before"]) == len(found.samples["after"])
    assert found.speedup["low"] <= found.speedup["value"] <= found.speedup["high"]
    assert "Sequential" in found.restored
    assert "no data loading" in repr(SpeedupView(found))


def test_other_settings_are_tried_on_the_loop_itself(trainer):
    loader = torch.utils.data.DataLoader(Slow(0.004), batch_size=8)
    before = content(trainer)
    found = measure_change(
        torch, loader, trainer.step, {"num_workers": 2}, steps=3, limit_seconds=4
    )
    assert content(trainer) == before
    assert loader.num_workers == 0
    assert found.loader.num_workers == 2
    assert len(found.samples["before"]) == len(found.samples["after"]) >= 1
    assert set(SpeedupView(found).to_dict()["speedup"]) == {"value", "low", "high"}


def test_what_fails_within_is_raised_and_all_is_put_back(trainer):
    before = content(trainer)

    def step(batch):
        trainer.step(batch)
        if trainer.steps > 6:
            raise RuntimeError("out of memory, say")

    loader = torch.utils.data.DataLoader(Slow(0.0), batch_size=8)
    with pytest.raises(RuntimeError, match="out of memory"):
        headroom(torch, loader, step, steps=3, limit_seconds=3)
    assert content(trainer) == before


def test_a_changed_loader_differs_in_what_was_asked_alone():
    data = Slow(0.0)
    sampler = torch.utils.data.RandomSampler(data)
    loader = torch.utils.data.DataLoader(
        data, batch_size=5, sampler=sampler, drop_last=True, num_workers=2, prefetch_factor=4
    )
    other = loader_with(loader, {"pin_memory": True})
    assert alike(other.sampler, sampler)
    assert (other.batch_size, other.drop_last, other.num_workers, other.prefetch_factor) == (
        5,
        True,
        2,
        4,
    )
    assert loader_with(loader, {"num_workers": 0}).prefetch_factor is None
    # More than torch suggests: it would warn, and here every warning is an error.
    assert loader_with(loader, {"num_workers": 512}).num_workers == 512


@pytest.mark.parametrize(
    ("settings", "code"),
    [({"batch_size": 2}, "unknown_setting"), ({}, "unknown_setting")],
)
def test_what_would_change_the_batches_is_not_tried(settings, code):
    with pytest.raises(BadRequest) as error:
        loader_with(torch.utils.data.DataLoader(Slow(0.0)), settings)
    assert error.value.code == code


def test_a_step_without_a_model_is_refused():
    with pytest.raises(BadRequest) as error:
        headroom(torch, [1, 2], lambda batch: None, steps=2, limit_seconds=1)
    assert error.value.code == "no_state_found"


def test_a_finding_carries_its_settings():
    finding = SimpleNamespace(settings={"num_workers": 4})
    assert changed_settings(finding) == {"num_workers": 4}
    assert changed_settings({"settings": {"pin_memory": True}}) == {"pin_memory": True}
    assert changed_settings({"num_workers": 1}) == {"num_workers": 1}
    tuned = TuningView({"recommended": {"num_workers": 12, "pin_memory": True, "in_order": False}})
    assert changed_settings(tuned) == {"num_workers": 12, "pin_memory": True}
    with pytest.raises(BadRequest):
        changed_settings(object())


class Transformed(Slow):
    """With a transform that is a model for torch, and random numbers of its own."""

    def __init__(self):
        super().__init__(0.0)
        self.transform = torch.nn.Identity()
        self.random = random.Random(4)
        self.given = 0

    def __getitem__(self, index):
        self.given += 1
        inputs, label = super().__getitem__(index)
        return self.transform(inputs) * self.random.random(), label


def test_what_the_data_set_changes_while_it_loads_is_put_back(trainer):
    data = Transformed()
    generator = torch.Generator()
    loader = torch.utils.data.DataLoader(data, batch_size=8, shuffle=True, generator=generator)
    before = data.given, data.random.getstate(), generator.get_state().tolist()
    found = headroom(torch, loader, trainer.step, steps=2, limit_seconds=1)
    assert (data.given, data.random.getstate(), generator.get_state().tolist()) == before
    assert "Identity" not in found.restored
    with pytest.raises(BadRequest):  # the transform is no model of the step
        headroom(torch, loader, lambda batch: None, steps=2, limit_seconds=1)
