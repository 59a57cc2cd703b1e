"""Temperatures, against logits that were made to need one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from router.model import classifier, layout
from router.model.classifier import Floats, Gate, Labels, fit_temperature


def drawn(temperature: float) -> tuple[Floats, Labels]:
    """Logits, and classes drawn from their softmax; then the logits are made too sure by ``temperature``."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(2_000, 6)) * 2
    classes = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    return logits * temperature, classes


@pytest.mark.parametrize("temperature", [0.25, 1.0, 5.0])
def test_the_temperature_is_found(temperature: float) -> None:
    logits, classes = drawn(temperature)
    found, loss = fit_temperature(logits, classes)
    assert found == pytest.approx(temperature, rel=0.1)

    def reference(log_temperature: float) -> float:
        chances = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(chances[np.arange(len(classes)), classes].mean())

    best = minimize_scalar(reference, bounds=(-3, 3), method="bounded")
    assert loss == pytest.approx(best.fun, abs=1e-5)
    assert found == pytest.approx(np.exp(best.x), rel=2e-3)


def test_rows_of_a_class_that_was_not_there_say_nothing() -> None:
    logits, classes = drawn(2.0)
    unseen = np.full((50, 6), 0.0)
    unseen[:, 3] = layout.NEVER
    found = fit_temperature(np.vstack([logits, unseen]), np.append(classes, np.full(50, 3)))
    assert found == fit_temperature(logits, classes)


def test_a_gate_stops_only_where_more_steps_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    signals = random.normal(size=(500, 3))
    right = signals[:, 0] + random.normal(size=500) > 0
    gate = Gate.fit(signals, right, np.ones(500))
    monkeypatch.setattr(classifier, "_SHORTEST_STEP", 0.0)
    longer = Gate.fit(signals, right, np.ones(500))
    np.testing.assert_allclose([*gate.weights, gate.bias], [*longer.weights, longer.bias], atol=1e-12)
