"""What is chosen from scores: temperature and threshold; and the requests out of scope reckoned with."""

import numpy as np
import pytest

from router.examples import OUT_OF_SCOPE, RoutingExamples
from router.model import layout
from router.model.calibration import Scores, calibrate, choose_threshold, outside_share
from router.router import Router
from tests.router.conftest import WordEncoder


@pytest.mark.parametrize(("wrong_cost", "threshold"), [(1.0, 0.35), (4.0, 0.55)])
def test_the_threshold_is_where_a_wrong_route_costs_what_abstaining_does(
    wrong_cost: float, threshold: float
) -> None:
    """Six rows at 0.4 and at 0.5, one of three wrong: routed at a cost of 1, turned away at 4."""
    best = np.repeat([0.3, 0.4, 0.5, 0.6], [20, 6, 6, 20])
    right = np.concatenate([np.zeros(20), [1, 1, 0] * 4, np.ones(20)]).astype(bool)
    confidences = np.column_stack([best, 1 - best - 0.2 * best])
    confidences[:, 1] = 0.1
    chosen = choose_threshold(confidences, np.where(right, 0, 1), np.ones(len(best)), wrong_cost)
    assert chosen == pytest.approx(threshold, abs=0.05)


@pytest.mark.parametrize(("outside", "share"), [(0, 0.2), (5, 0.2), (300, 0.3), (900, 0.5)])
def test_the_share_out_of_scope_is_that_of_the_examples_within_bounds(outside: int, share: float) -> None:
    assert outside_share(outside, 1_000) == share


def drawn() -> Scores:
    """1,900 rows in scope, every label drawn from the logits' softmax, 100 of another intent; 200 out of it.

    The gate has one signal that tells the 200 from the others, and four that say nothing.
    """
    random = np.random.default_rng(0)
    logits = np.full((2_200, 9), -20.0)  # six intents, one that nothing is like, "outside" and decoys
    logits[:, :6] = random.normal(size=(2_200, 6)) * 2
    labels = (logits[:, :6] + random.gumbel(size=(2_200, 6))).argmax(axis=1)
    labels[1_900:2_000] = 6
    labels[2_000:] = OUT_OF_SCOPE
    near = np.where(labels == OUT_OF_SCOPE, 0.0, 1.0) + random.normal(size=2_200) * 0.3
    signals = np.column_stack([np.zeros((2_200, 4)), near])
    return Scores(logits, signals, labels, np.zeros(2_200, np.int64), np.zeros(2_200, np.bool_))


def test_a_confidence_is_how_often_the_intent_is_right() -> None:
    """In each fifth of the confidences, where a fifth of the requests is out of scope."""
    scores = drawn()
    best = calibrate(scores, 2.0, share=0.2).confidences(scores.logits, scores.signals).max(axis=1)
    right = scores.logits[:, layout.INTENTS].argmax(axis=1) == scores.labels
    weight = np.where(scores.labels == OUT_OF_SCOPE, 0.2 / 200, 0.8 / 2_000)
    for part in range(5):
        rows = (best * 5).astype(int) == part
        assert abs(weight[rows] @ (best - right)[rows]) < 0.02


def test_the_likeliest_intent_stays_so_and_all_together_are_no_more_than_one() -> None:
    scores = drawn()
    calibration = calibrate(scores, 2.0, share=0.2)
    confidences = calibration.confidences(scores.logits, scores.signals)
    assert (confidences.argmax(axis=1) == scores.logits[:, layout.INTENTS].argmax(axis=1)).all()
    assert confidences.sum(axis=1).max() <= 1 + 1e-6
    assert confidences.min() >= 0


def test_intents_of_one_example_can_open() -> None:
    """Held out, their only example can't be told; so it must not count as a wrong decision."""
    router = Router.fit(RoutingExamples({"apple": ["apple"], "river": ["river"]}), WordEncoder())
    assert router.decide([{"role": "user", "content": "river"}]).intent == "river"
