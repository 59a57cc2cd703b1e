"""What is chosen from scores: the threshold."""

import numpy as np
import pytest

from router.calibration import choose_threshold


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
