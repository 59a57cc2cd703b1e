"""Fitting on some rows and measuring on others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from router.errors import ExamplesError
from router.judging import metrics
from router.judging.evaluation import Row
from router.judging.trial import draw, run_trials, strangers, write_trials
from tests.router.conftest import FRUIT, METAL, NONE, WATER, WordEncoder

TRAIN = [Row(t, n) for n, ts in (("fruit", FRUIT), ("metal", METAL), ("water", WATER)) for t in ts]
TRAIN += [Row(text, None) for text in NONE]
TEST = [Row("a red apple", "fruit"), Row("rusty iron bar", "metal"), Row("loud music hall", None)]


def test_shots_are_drawn_of_each_intent_by_the_seed() -> None:
    drawn = draw(TRAIN, 2, seed=0)
    intents = [row.intent for row in drawn]
    assert [intents.count(name) for name in ("fruit", "metal", "water", None)] == [2, 2, 2, len(NONE)]
    assert drawn == draw(TRAIN, 2, seed=0) != draw(TRAIN, 2, seed=1)


def test_every_seed_is_measured_on_every_split_and_written(tmp_path: Path) -> None:
    trials = run_trials(TRAIN, {"test": TEST, "val": TEST[:2]}, WordEncoder(), shots=5, seeds=2)
    assert [(trial.split, trial.seed) for trial in trials] == [
        ("test", 0),
        ("val", 0),
        ("test", 1),
        ("val", 1),
    ]
    assert trials[0].report.accuracy == 1
    assert trials[1].report.outside_auprc is None
    write_trials(tmp_path / "out.json", trials)
    written = json.loads((tmp_path / "out.json").read_text())
    assert written[0]["report"]["outside_auroc"] == 1
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_an_encoder_is_tuned_for_each_seed_to_the_rows_that_are_fitted_on() -> None:
    tuned: list[tuple[int, int]] = []

    def tune(rows: Sequence[Row], seed: int) -> WordEncoder:
        tuned.append((len(rows), seed))
        return WordEncoder()

    run_trials(TRAIN, {"test": TEST}, tune, shots=5, seeds=2, validation=TRAIN)
    assert tuned == [(15 + len(NONE), 0), (15 + len(NONE), 1)]


def test_what_is_wrong_with_the_validation_rows_is_said_of_them() -> None:
    with pytest.raises(ExamplesError, match=r"validation rows \(--val\): .*two intents or more, found 0"):
        run_trials(TRAIN, {"test": TEST}, WordEncoder(), shots=None, seeds=1, validation=[Row("a", None)])


def test_intents_that_were_never_shown_are_named() -> None:
    assert strangers(TRAIN, [*TEST, Row("a", "wood"), Row("b", "wood"), Row("c", "air")]) == ["air", "wood"]


def test_rates_of_what_is_out_of_scope_by_hand() -> None:
    confidence = np.array([0.1, 0.2, 0.3, 0.4])
    inside = np.array([False, True, False, True])
    # found at ranks 1 and 3: precision 1 and 2/3, each for half of what is looked for
    assert metrics.auprc(confidence, inside) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.fpr95(confidence, inside) == 0.5  # at 0.3 both are found and the 0.2 is lost
    right = np.array([False, True, False, True])
    coverage, accuracy = zip(*metrics.curve(confidence, right), strict=True)
    assert coverage == (0.25, 0.5, 0.75, 1.0)
    assert accuracy == pytest.approx((1, 0.5, 2 / 3, 0.5))
