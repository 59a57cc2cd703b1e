"""The demo's rule rewards."""

from __future__ import annotations

import pytest

from deploy.demo.rewards import as_chosen


@pytest.mark.parametrize(
    ("said", "right", "worth"),
    [
        ("Red, 30 days.", "red, 30 days.", 1.0),
        ("60 days", "30 days", 0.5),  # one of two words
        ("天三", "三十天", 0.8),  # characters are words
        ("", "30 days", 0.0),
        ("days days days", "days", 0.5),  # said once too often, twice
    ],
)
def test_an_answer_is_worth_what_it_shares_with_the_right_one(said: str, right: str, worth: float) -> None:
    answer, wanted = ([{"role": "assistant", "content": text}] for text in (said, right))
    assert as_chosen([[]], [answer], chosen=[wanted], extra=[1]) == [pytest.approx(worth)]


def test_a_row_without_a_right_answer_is_left_out() -> None:
    answer = [{"role": "assistant", "content": "red"}]
    assert as_chosen([[]], [answer], chosen=[None]) == [None]
