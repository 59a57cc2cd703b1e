"""The regression, against the conditions that its optimum must meet."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax

from router.model import regression
from router.model.regression import Metric, fit_against, fit_logistic


def sample(seed: int = 0) -> tuple[regression.Matrix, NDArray[np.int64]]:
    """Three classes of 40 rows that overlap, in five dimensions, away from zero."""
    random = np.random.default_rng(seed)
    classes = np.repeat(np.arange(3), 40)
    rows = random.normal(size=(120, 5)) * 0.2 + np.eye(5)[classes] * 0.3 + 1
    return rows.astype(np.float32), classes


def fitted(
    rows: regression.Matrix, classes: NDArray[np.int64]
) -> tuple[regression.Matrix, regression.Matrix]:
    """Weights and bias of ``rows`` as they are."""
    metric = Metric.of(rows)
    found = fit_logistic(metric.columns(rows), classes, 3, 0.5, metric)
    return found[:-1], found[-1] - metric.mean @ found[:-1]


def test_with_enough_steps_the_gradient_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regression, "STEPS", 100)
    rows, classes = sample()
    weights, bias = fitted(rows, classes)
    missed = softmax(rows @ weights + bias, axis=1) - np.eye(3)[classes]
    np.testing.assert_allclose(missed.sum(axis=0), 0.5 * _centred_bias(rows, weights, bias), atol=0.02)
    np.testing.assert_allclose((rows - rows.mean(axis=0)).T @ missed + 0.5 * weights, 0, atol=0.02)


def test_one_more_class_beside_logits_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regression, "STEPS", 100)
    rows, classes = sample()
    own, others = classes == 2, np.where(classes == 0, 1.0, 0.5)
    metric = Metric.of(rows)
    found = fit_against(metric.columns(rows), own, others, 0.5, metric)
    weights, bias = found[:-1], found[-1] - metric.mean @ found[:-1]
    count = np.where(own, 0.1 * 80 / 40, 1)  # all rows of the class count a tenth of all 80 others
    missed = count * (expit(rows @ weights + bias - others) - own)
    np.testing.assert_allclose((rows - rows.mean(axis=0)).T @ missed + 0.5 * weights, 0, atol=0.02)
    scores = rows @ weights + bias - others
    assert scores[own].mean() > scores[~own].mean() + 0.5


def _centred_bias(
    rows: regression.Matrix, weights: regression.Matrix, bias: regression.Matrix
) -> regression.Matrix:
    """Minus the bias at the mean of the rows, where it is held small as the weights are."""
    centred: regression.Matrix = -(bias + rows.mean(axis=0) @ weights)
    return centred


def test_every_step_goes_down_and_few_are_nearly_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, classes = sample()
    losses = []
    for steps in (0, 2, 8, 100):
        monkeypatch.setattr(regression, "STEPS", steps)
        weights, bias = fitted(rows, classes)
        chances = softmax(rows @ weights + bias, axis=1)[np.arange(len(rows)), classes]
        losses.append(float(-np.log(chances).sum() + 0.25 * (weights**2).sum()))
    assert losses == sorted(losses, reverse=True)
    assert losses[2] < losses[3] + 0.05 * (losses[0] - losses[3])


def test_without_steps_the_nearest_centroid_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regression, "STEPS", 0)
    rows, classes = sample()
    weights, bias = fitted(rows, classes)
    means = np.stack([rows[classes == each].mean(axis=0) for each in range(3)])
    distances = ((rows[:, None] - means) ** 2).sum(axis=2)
    assert ((rows @ weights + bias).argmax(axis=1) == distances.argmin(axis=1)).all()


def test_more_rows_than_a_chunk_give_the_same_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, classes = sample()
    whole = fitted(rows, classes)
    monkeypatch.setattr(regression, "_CHUNK", 7)
    for found, expected in zip(fitted(rows, classes), whole, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_last_step_is_checked_on_some_rows_that_have_the_loss_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, classes = sample()
    twice, of_each = np.repeat(rows, 2, axis=0), np.repeat(classes, 2)
    whole = fitted(twice, of_each)
    weights = np.vstack(whole)
    monkeypatch.setattr(regression, "_GLANCED", len(rows))
    loss = regression._Loss(Metric.of(twice).columns(twice), of_each, 0.5)
    assert len(loss.glance().rows) == len(rows)
    assert loss.glance().at(weights)[0] == pytest.approx(loss.at(weights)[0], rel=1e-5)
    for found, expected in zip(fitted(twice, of_each), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_last_step_that_goes_up_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, classes = sample()
    monkeypatch.setattr(regression, "_GLANCED", 60)
    monkeypatch.setattr(regression, "STEPS", 0)
    start = fitted(rows, classes)
    monkeypatch.setattr(regression, "STEPS", 1)
    monkeypatch.setattr(regression, "_FIRST_STEP", 1e4)
    weights, bias = fitted(rows, classes)

    def loss(weights: regression.Matrix, bias: regression.Matrix) -> float:
        chances = softmax(rows @ weights + bias, axis=1)[np.arange(len(rows)), classes]
        return float(-np.log(chances).sum() + 0.25 * (weights**2).sum())

    assert loss(weights, bias) <= loss(*start)
