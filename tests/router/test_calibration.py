"""What is chosen from scores: temperature and threshold; and the requests out of scope reckoned with."""

import numpy as np
import pytest

from router.calibration import Scores, calibrate, choose_threshold, outside_share
from router.examples import OUT_OF_SCOPE


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


@pytest.mark.parametrize(("outside", "share"), [(0, 0.1), (4, 0.1), (5, 0.2), (300, 0.3), (900, 0.5)])
def test_the_share_out_of_scope_is_that_of_the_examples_within_bounds(outside: int, share: float) -> None:
    assert outside_share(outside, 1_000) == share


def test_a_few_wrong_labels_leave_the_others_as_sure_as_they_are_right() -> None:
    """Of 1,900 rows every label is drawn from the logits' softmax, 100 have that of a hopeless intent."""
    random = np.random.default_rng(0)
    logits = np.full((2_200, 9), -20.0)  # six intents, one that nothing is like, "outside" and decoys
    logits[:, :6] = random.normal(size=(2_200, 6)) * 2
    labels = (logits[:, :6] + random.gumbel(size=(2_200, 6))).argmax(axis=1)
    labels[1_900:2_000] = 6
    labels[2_000:] = OUT_OF_SCOPE
    signals = np.column_stack([np.where(labels == OUT_OF_SCOPE, -1.0, 1.0), np.zeros((2_200, 3))])
    scores = Scores(logits, signals, labels, np.zeros(2_200, np.int64), np.zeros(2_200, np.bool_))
    assert calibrate(scores, 2.0, share=0.2).temperature == pytest.approx(1, abs=0.2)
