"""Numbers with their errors, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluation.measures import difference, exponential, ratio


def test_a_share_has_the_error_of_a_mean() -> None:
    # 3 of 4: deviations 1/4, 1/4, 1/4, -3/4; their squares sum to 3/4, over 4 · 3 that is 1/16
    share = ratio([1, 1, 1, 0], [1, 1, 1, 1])
    assert share.value == 0.75
    assert share.error == pytest.approx(0.25)
    assert share.count == 4


def test_a_ratio_of_sums_is_no_mean_of_ratios() -> None:
    # 6 nats over 2 tokens and 2 over 6: 8 over 8. Influences (6 - 2)/8 and (2 - 6)/8, √(2 · ½² · 2)
    loss = ratio([6, 2], [2, 6])
    assert loss.value == 1.0
    assert loss.error == pytest.approx(1.0)
    assert loss.count == 8


def test_the_error_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 30, (400, 50))
    nats = lengths * rng.uniform(0.5, 1.5, lengths.shape)
    drawn = [ratio(n.tolist(), t.tolist()) for n, t in zip(nats, lengths, strict=True)]
    spread = float(np.std([one.value for one in drawn if one.value is not None]))
    mean_error = float(np.mean([one.error for one in drawn if one.error is not None]))
    assert mean_error == pytest.approx(spread, rel=0.1)


def test_perplexity_is_the_exponential() -> None:
    loss = ratio([2, 4], [2, 2])
    found = exponential(loss)
    assert loss.value is not None
    assert loss.error is not None
    assert found.value == pytest.approx(math.exp(1.5))
    assert found.error == pytest.approx(math.exp(1.5) * loss.error)


def test_the_same_rows_make_a_difference_exact() -> None:
    one, other = ratio([1, 5, 9], [1, 1, 1]), ratio([0, 4, 8], [1, 1, 1])
    exact = difference(one, other)
    assert exact is not None
    assert exact[0] == pytest.approx(1.0)
    assert exact[1] == pytest.approx(0.0)
    apart = difference(one, ratio([0, 8], [1, 1]))  # other rows: the errors add up in squares
    assert apart is not None
    assert one.error is not None
    assert apart[1] == pytest.approx(math.hypot(one.error, 4.0))


def test_nothing_measured_is_no_number() -> None:
    nothing = ratio([0, 0], [0, 0])
    assert (nothing.value, nothing.error, nothing.count) == (None, None, 0)
    assert exponential(nothing).value is None
    assert difference(nothing, ratio([1], [1])) is None
    assert ratio([1], [2]).error is None  # one row has no spread
