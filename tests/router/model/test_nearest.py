"""The nearest examples, counted by hand on unit vectors of the plane."""

from __future__ import annotations

import numpy as np

from router.examples import DECOY, OUT_OF_SCOPE
from router.model.features import Dense
from router.model.nearest import Neighbours


def at(*degrees: float) -> Dense:
    angles = np.radians(degrees)
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


# intent 0: 0°, 10°, 20°, 30°; intent 1: 90°; intent 2: 180°, 190°; intent 3: 350°; out of scope: 60°;
# a decoy: 240°
NEIGHBOURS = Neighbours.of(
    at(0, 10, 20, 30, 90, 180, 190, 350, 60, 240),
    at(0, 0, 40, 0, 90, 170, 200, 0, 0, 0),  # their sentence vectors
    np.array([0, 0, 0, 0, 1, 2, 2, 3, OUT_OF_SCOPE, DECOY]),
    4,
)
LOGITS = np.array([[3.0, 2.0, 1.0, 0.0]])  # intent 3 is not looked at


def test_the_nearest_of_the_likeliest_intents_are_found() -> None:
    near = NEIGHBOURS.near(at(0), LOGITS)
    best = near.best(0)
    assert [example for example, _ in best] == [0, 1, 2]
    np.testing.assert_allclose(
        [similarity for _, similarity in best], np.cos(np.radians([0, 10, 20])), atol=1e-6
    )
    np.testing.assert_allclose(near.inside(), np.cos(np.radians([0, 10, 20])).mean(), atol=1e-6)
    np.testing.assert_allclose(near.outside(), np.cos(np.radians(60)), atol=1e-6)


def test_what_is_out_of_scope_is_listed_among_the_nearest() -> None:
    assert NEIGHBOURS.near(at(75), LOGITS).best(0)[:2] == [
        (4, NEIGHBOURS.near(at(75), LOGITS).best(0)[0][1]),
        (8, NEIGHBOURS.near(at(75), LOGITS).best(0)[1][1]),
    ]


def test_a_decoy_is_listed_and_neither_inside_nor_outside() -> None:
    near = NEIGHBOURS.near(at(240), LOGITS)
    assert near.best(0)[0][0] == 9
    np.testing.assert_allclose(near.inside(), np.cos(np.radians([60, 50, 120])).mean(), atol=1e-6)
    np.testing.assert_allclose(near.outside(), np.cos(np.radians(180)), atol=1e-6)


def test_rows_together_find_what_each_finds_alone() -> None:
    rows, logits = at(5, 100, 200), np.array([[3.0, 2, 1, 0], [0, 3, 2, 1], [1, 0, 3, 2.0]])
    together = NEIGHBOURS.near(rows, logits)
    for place in range(3):
        alone = NEIGHBOURS.near(rows[place : place + 1], logits[place : place + 1])
        assert [n for n, _ in together.best(place)] == [n for n, _ in alone.best(0)]
        np.testing.assert_allclose(together.inside()[place], alone.inside()[0], atol=1e-6)


def test_rows_of_one_intent_find_the_same_three_together_and_alone() -> None:
    """A fit asks for many rows at once, a decision for one: two ways to the same examples."""
    rows, logits = at(5, 28, 12), np.repeat(LOGITS, 3, axis=0)
    together = NEIGHBOURS.near(rows, logits)
    assert [{n for n, _ in together.best(place)} for place in range(3)] == [{0, 1, 2}, {3, 2, 1}, {1, 2, 0}]
    for place in range(3):
        alone = NEIGHBOURS.near(rows[place : place + 1], logits[place : place + 1])
        np.testing.assert_array_equal(np.sort(together.examples[place]), np.sort(alone.examples[0]))
        np.testing.assert_allclose(
            np.sort(together.similarities[place]), np.sort(alone.similarities[0]), atol=1e-6
        )


def test_none_out_of_scope_is_no_similarity() -> None:
    inside_only = Neighbours.of(at(0, 90), at(0, 90), np.array([0, 1]), 2)
    near = inside_only.near(at(0), np.array([[1.0, 0.0]]))
    assert near.outside().tolist() == [0]
    np.testing.assert_allclose(near.inside(), 0.5, atol=1e-6)
    assert [example for example, _ in near.best(0)] == [0, 1]


def test_a_candidate_is_raised_by_its_mean_similarity_and_others_are_not() -> None:
    logits = np.column_stack([LOGITS, [[-1.0, -2.0]]])  # last, out of scope and decoys
    weighed = NEIGHBOURS.near(at(0), LOGITS).weigh(logits)
    expected = [
        3 + 10 * np.cos(np.radians([0, 10, 20])).mean(),
        2,
        1 + 10 * np.cos(np.radians([180, 190])).mean(),
        0,
    ]
    outside, decoy = -1 + 10 * np.cos(np.radians(60)), -2 + 10 * np.cos(np.radians(240))
    np.testing.assert_allclose(weighed[0], [*expected, outside, decoy], atol=1e-5)
    assert logits[0, 0] == 3  # what is given stays as it is


def test_a_sentence_is_compared_with_the_examples_of_one_intent() -> None:
    """By the sentence vectors of the examples, not by their rows; an intent without any is like nothing."""
    found = NEIGHBOURS.means_alike(at(50, 50, 175), np.array([0, 1, 2]))
    np.testing.assert_allclose(found, np.cos(np.radians([10, 40, 5])), atol=1e-6)
    without = Neighbours.of(at(0), at(0), np.array([0]), 2)
    assert without.means_alike(at(0, 0), np.array([0, 1])).tolist() == [1, 0]
