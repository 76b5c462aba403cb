"""Predicting the time of a batch from a few trials."""

from __future__ import annotations

import pytest

from jupyter_gpuperf.tuning.model import fit_model


def test_a_known_loader_is_found_again():
    true = lambda workers: 0.4 / min(workers, 4) + 0.01 + 0.02 * max(0, workers - 4)
    model = fit_model({each: true(each) for each in (1, 2, 4, 8)}, cpus=4, computing=1.0)
    for workers in (3, 6, 12):
        assert model.seconds(workers) == pytest.approx(true(workers), rel=0.01)
    assert model.best_workers(32) == 4


def test_waiting_scales_beyond_the_processors_and_computing_does_not():
    computing = fit_model({1: 0.4, 2: 0.2}, cpus=2, computing=1.0)
    waiting = fit_model({1: 0.4, 2: 0.2}, cpus=2, computing=0.0)
    assert computing.best_workers(16) == 2
    assert waiting.best_workers(16) > 12


def test_the_fewest_for_a_goal():
    model = fit_model({1: 0.4, 2: 0.2}, cpus=16, computing=1.0)
    assert model.fewest_workers(16, 0.1) == 4
    assert model.fewest_workers(3, 0.1) is None


def test_one_point_is_enough_for_a_guess():
    assert fit_model({1: 0.4}, cpus=4, computing=1.0).seconds(4) == pytest.approx(0.1)
