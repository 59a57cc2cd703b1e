"""What a gate may decide and what it must leave open, by rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from training.evaluation.measures import Measure, ratio
from training.release import intervals
from training.release.gate import Criterion, Judged, judge

RIGHT = "answers.desk.correct"
LOSS = "general.mix.nats_per_token"
SHARES = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=40)
NATS = st.lists(st.floats(0.01, 9), min_size=10, max_size=40)


def share(right: list[float]) -> Measure:
    return ratio(right, [1.0] * len(right))


def one(measure: Measure, live: Measure | None = None, metric: str = RIGHT, **bound: float | str) -> Judged:
    [row] = judge(
        [Criterion.model_validate({"metric": metric, **bound})],
        {metric: measure},
        None if live is None else {metric: live},
    ).rows
    return row


def test_twenty_right_answers_do_not_prove_nineteen_of_twenty() -> None:
    """With 20 of 20 right the true share may be 0.025 ** (1 / 20) = 83.2 %; 72 rows are the fewest of which
    all right is more than 95 %: 0.025 ** (1 / 72) = 0.9501."""
    few = one(share([1.0] * 20), at_least=0.95)
    assert few.outcome == "undecided"
    assert few.low == pytest.approx(0.025 ** (1 / 20))
    assert "20 rows can't tell on which side of 0.95 it is; about 72 would" in few.why
    assert one(share([1.0] * 71), at_least=0.95).outcome == "undecided"
    assert one(share([1.0] * 72), at_least=0.95).outcome == "pass"


def test_what_is_clear_on_few_rows_is_decided_on_few() -> None:
    assert one(share([1.0] * 20), at_least=0.8).outcome == "pass"
    failed = one(share([0.0] * 12 + [1.0] * 8), at_least=0.95)
    assert failed.outcome == "fail"
    assert failed.high is not None
    assert failed.high < 0.95


def test_a_copy_of_the_live_version_is_no_better_and_no_worse() -> None:
    rows = share([1.0] * 180 + [0.0] * 20)
    assert one(rows, rows, at_least="live - 0.02").outcome == "pass"
    assert one(rows, rows, at_least="live + 0.01").outcome == "undecided"  # 200 rows may miss a few
    nats = ratio([2.0, 3.0] * 10, [1.0, 2.0] * 10)
    assert one(nats, nats, LOSS, at_most="live").outcome == "pass"
    assert one(nats, nats, LOSS, at_most="live - 0.001").outcome == "fail"


def test_pairs_show_what_spread_would_hide() -> None:
    """Rows of 1 to 9 nats, each worse by 0.1: apart the intervals overlap, in pairs nothing is open."""
    easy = np.linspace(1, 9, 40)
    live, worse = ratio(easy.tolist(), [1.0] * 40), ratio((easy + 0.1).tolist(), [1.0] * 40)
    row = one(worse, live, LOSS, at_most="live + 0.05")
    assert row.outcome == "fail"
    assert row.low == pytest.approx(float(easy.mean()) + 0.1)
    assert one(worse, live, LOSS, at_most="live + 0.11").outcome == "pass"
    alone = intervals.of_ratio(worse.rows)
    assert alone is not None
    assert alone.high - alone.low > 1


@pytest.mark.parametrize(
    ("measure", "live", "bound", "why"),
    [
        (None, None, {"at_least": 0.5}, "was not measured; did you mean answers.dusk.correct?"),
        (ratio([], []), None, {"at_least": 0.5}, "there was no row to measure it on"),
        (share([1.0, math.nan]), None, {"at_least": 0.5}, "is no number"),
        (Measure(0.5, 0.1, 9, np.zeros(0)), None, {"at_least": 0.5}, "is not known row by row"),
        (share([1.0] * 99), None, {"at_least": "live"}, "no version is live to compare with"),
        (share([1.0] * 99), share([1.0] * 98), {"at_least": "live"}, "did not answer the same rows"),
    ],
)
def test_what_was_not_measured_does_not_pass(
    measure: Measure | None, live: Measure | None, bound: dict[str, float | str], why: str
) -> None:
    found = {"answers.dusk.correct": share([1.0])} if measure is None else {RIGHT: measure}
    verdict = judge(
        [Criterion.model_validate({"metric": RIGHT, **bound})], found, None if live is None else {RIGHT: live}
    )
    assert not verdict.passed
    assert verdict.rows[0].outcome == "fail"
    assert why in verdict.reasons[0]


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "give one bound"),
        ({"at_least": 1, "at_most": 2}, "give one bound"),
        ({"at_least": "live -"}, "must be a number, `live`"),
        ({"at_most": "best + 1"}, "must be a number, `live`"),
    ],
)
def test_a_row_has_one_bound_of_a_known_form(bounds: dict[str, float | str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Criterion.model_validate({"metric": RIGHT, **bounds})


@settings(max_examples=40, deadline=None)
@given(SHARES, st.floats(0, 1))
def test_a_pass_is_never_beyond_the_number_itself(right: list[float], bound: float) -> None:
    row = one(share(right), at_least=bound)
    value = sum(right) / len(right)
    assert row.low is not None
    assert row.high is not None
    assert 0 <= row.low <= value + 1e-12
    assert value - 1e-12 <= row.high <= 1
    assert (row.outcome == "pass") == (row.low >= bound)
    assert (row.outcome == "fail") == (row.high < bound)


@settings(max_examples=30, deadline=None)
@given(SHARES, st.floats(0, 1), st.randoms())
def test_the_order_of_rows_changes_nothing(right: list[float], bound: float, random: object) -> None:
    mixed = list(right)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert one(share(mixed), at_least=bound) == one(share(right), at_least=bound)


@settings(max_examples=30, deadline=None)
@given(NATS, st.floats(-1, 1), st.floats(0.001, 1))
def test_a_better_candidate_is_judged_no_worse(nats: list[float], change: float, gain: float) -> None:
    ones = [1.0] * len(nats)
    live, worse = ratio(nats, ones), ratio([n + change for n in nats], ones)
    better = ratio([n + change - gain for n in nats], ones)
    rank = {"fail": 0, "undecided": 1, "pass": 2}
    before, after = (one(it, live, LOSS, at_most="live + 0.1").outcome for it in (worse, better))
    assert rank[after] >= rank[before]


@settings(max_examples=30, deadline=None)
@given(NATS)
def test_the_direction_is_the_sign(nats: list[float]) -> None:
    """At most b of x is at least -b of -x."""
    ones = [1.0] * len(nats)
    bound = sum(nats) / len(nats) + 0.3
    up = one(ratio([-n for n in nats], ones), None, LOSS, at_least=-bound)
    assert one(ratio(nats, ones), None, LOSS, at_most=bound).outcome == up.outcome


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """100 samples of 40 rows at 90 % right, and of 25 skewed nats: at least 92 hold the truth."""
    random = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        right = (random.random(40) < 0.9).astype(float)
        found = intervals.of_ratio(share(right.tolist()).rows, intervals.SHARE)
        held += found is not None and found.low <= 0.9 <= found.high
    assert held >= 92
    held = 0
    for _ in range(100):
        nats = random.gamma(4.0, 0.5, 25)
        found = intervals.of_ratio(ratio(nats.tolist(), [1.0] * 25).rows)
        held += found is not None and found.low <= 2.0 <= found.high
    assert held >= 92


def test_as_many_rows_as_are_said_to_be_needed_decide() -> None:
    few = share([1.0] * 45 + [0.0] * 5)
    found = intervals.of_ratio(few.rows, intervals.SHARE)
    assert found is not None
    needed = found.rows_needed(0.85)
    assert needed is not None
    assert 100 < needed < 250  # (1.96 / 0.05)² × 0.9 × 0.1 = 138, and the bootstrap's lower tail is longer
    assert one(few, at_least=0.85).outcome == "undecided"
    many = share([1.0] * round(0.9 * needed) + [0.0] * (needed - round(0.9 * needed)))
    assert one(many, at_least=0.85).outcome == "pass"
