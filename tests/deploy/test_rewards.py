"""The demo's rule rewards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploy.demo.rewards import as_chosen, same_facts


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


@pytest.mark.parametrize(
    ("said", "right", "worth"),
    [
        ("Up to 150 euros, I think.", "Goods worth up to 150 euros are free.", 1.0),
        ("Up to 150 euros in 2 days.", "Up to 150 euros.", 0.0),  # a number that is not there
        ("34 + 28 = 63", "34 + 28 = 62", 0.0),
        ("Gladly.", "Sorry.", 1.0),  # there are no facts to change
        ('{"b": [1, 2], "a": "x"}', '{"a": "x", "b": [1, 2]}', 1.0),  # one object, however it is written
        ('{"a": "y", "b": [1, 2]}', '{"a": "x", "b": [1, 2]}', 0.0),
        ('Here: {"a": "x", "b": [1, 2]}', '{"a": "x", "b": [1, 2]}', 0.0),  # no JSON any more
    ],
)
def test_an_answer_keeps_the_right_ones_facts_or_does_not(said: str, right: str, worth: float) -> None:
    answer, wanted = ([{"role": "assistant", "content": text}] for text in (said, right))
    assert same_facts([[]], [answer], chosen=[wanted], extra=[1]) == [worth]


@pytest.mark.parametrize("rule", [as_chosen, same_facts])
def test_a_row_without_a_right_answer_is_left_out(rule: Callable[..., list[float | None]]) -> None:
    answer = [{"role": "assistant", "content": "red"}]
    assert rule([[]], [answer], chosen=[None]) == [None]
