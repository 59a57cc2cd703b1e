"""What a fit says of itself."""

from __future__ import annotations

import re

import pytest

from router.examples import RoutingExamples
from router.learning.report import SHOWN, FitWarning, messages
from router.router import Router
from tests.router.conftest import FRUIT, METAL, NONE, WATER, WordEncoder


def warnings(intents: dict[str, list[str]], out_of_scope: list[str]) -> dict[str, list[FitWarning]]:
    found: dict[str, list[FitWarning]] = {}
    for warning in Router.fit(RoutingExamples(intents, out_of_scope), WordEncoder()).report.warnings:
        found.setdefault(warning.kind, []).append(warning)
    return found


def test_clean_examples_give_no_warning_and_good_rates(small_router: Router) -> None:
    report = small_router.report
    assert report.warnings == ()
    assert (report.examples, report.out_of_scope) == (18, 12)
    assert report.recall >= 0.9
    assert report.abstained_outside is not None
    assert report.abstained_outside >= 0.8
    assert set(report.recall_by_intent) == {"fruit", "metal", "water"}
    assert str(report).startswith("18 examples of 3 intents, cross-fitted: ")


def test_rates_are_of_held_out_examples() -> None:
    """Random words can be learned by heart, and nothing can be known of one that was held out."""
    noise = [[f"w{n}x{k} q{n * 7 % 13}y{k}" for n in range(8)] for k in range(3)]
    report = Router.fit(
        RoutingExamples({"a": noise[0], "b": noise[1], "c": [t[::-1] for t in noise[0]]}, NONE), WordEncoder()
    ).report
    assert report.recall < 0.9


def test_an_intent_of_one_example_is_warned_about() -> None:
    found = warnings({"fruit": FRUIT, "metal": METAL, "water": ["deep river"]}, NONE)
    assert [w.intents for w in found["few"]] == [("water",)]
    assert found["few"][0].message == "intent 'water' has 1 example; give 5 or more"
    assert "never_fires" not in found  # it can't be known
    assert "not_told_apart" not in found
    found = warnings({"fruit": FRUIT, "metal": METAL, "water": ["deep river", "one two three"]}, NONE)
    assert [w.intents for w in found["never_fires"]] == [("water",)]


def test_the_same_example_under_two_intents_is_a_contradiction() -> None:
    found = warnings(
        {"fruit": [*FRUIT, "Apple  Pie"], "metal": [*METAL, "apple pie"], "water": WATER},
        [*NONE, "deep river"],
    )
    assert [w.intents for w in found["contradiction"]] == [("fruit", "metal"), ("water", "out_of_scope")]
    assert found["contradiction"][0].message == (
        "'Apple  Pie' is an example of fruit and 'apple pie' is an example of metal"
    )
    long = "a basket of apples " * 4
    found = warnings({"fruit": [*FRUIT, long], "metal": [*METAL, long], "water": WATER}, NONE)
    quote = "'a basket of apples a basket of apples a basket of apples a b …'"
    assert found["contradiction"][0].message == f"{quote} is an example of fruit and of metal"


def test_a_text_that_an_intent_has_twice_counts_once() -> None:
    twice = RoutingExamples({"fruit": FRUIT * 2, "metal": METAL}, NONE * 3)
    once = RoutingExamples({"fruit": FRUIT, "metal": METAL}, NONE)
    assert twice == once
    assert twice.digest == once.digest


def test_numbers_and_punctuation_make_no_other_example() -> None:
    found = warnings(
        {"fruit": [*FRUIT, "where's PX482913?"], "metal": [*METAL, "Where's px111111"], "water": WATER}, NONE
    )
    assert [w.intents for w in found["contradiction"]] == [("fruit", "metal")]
    found = warnings({"fruit": [*FRUIT, "12+30"], "metal": [*METAL, "12-30"], "water": WATER}, NONE)
    assert "contradiction" not in found


def test_of_many_warnings_of_a_kind_some_are_spelled_out() -> None:
    many = [FitWarning("few", (str(n),), f"few {n}") for n in range(1_000)]
    said = messages([*many, FitWarning("rule", (), "a rule")])
    assert said[0] == "few 0"
    assert said[SHOWN:] == (f"{1_000 - SHOWN} more of this kind (few)", "a rule")


def test_two_intents_that_say_the_same_are_not_told_apart() -> None:
    halves = FRUIT[::2] + [f"{text} now" for text in FRUIT[1::2]]
    others = FRUIT[1::2] + [f"{text} now" for text in FRUIT[::2]]
    found = warnings({"here": halves, "there": others, "water": WATER}, NONE)
    of_here, of_there = found["not_told_apart"]
    assert of_here.intents == ("here", "there") == of_there.intents[::-1]
    assert re.fullmatch(r"[2-6] of 6 examples of 'here' look like 'there'", of_here.message)
    assert messages([of_here, of_there]) == (of_here.message,)


def test_examples_that_no_request_can_be_like_are_warned_about() -> None:
    found = warnings({"fruit": [*FRUIT, "..."], "metal": METAL, "smile": ["😀", "😀😀", "🙏"]}, NONE)
    assert [w.intents for w in found["unread"]] == [("fruit",), ("smile",)]
    assert found["unread"][0].message.startswith("1 of 7 examples of 'fruit' have no letter and no digit")
    assert found["unread"][1].message.startswith("intent 'smile' never fires: 3 of 3 examples of 'smile'")


def test_no_example_out_of_scope_is_warned_about_and_still_abstains() -> None:
    router = Router.fit(RoutingExamples({"fruit": FRUIT, "metal": METAL, "water": WATER}), WordEncoder())
    assert [w.kind for w in router.report.warnings] == ["no_out_of_scope"]
    assert router.report.abstained_outside is None
    assert router.decide([{"role": "user", "content": "loud music"}]).abstained
    assert router.decide([{"role": "user", "content": "red apple juice"}]).intent == "fruit"


@pytest.mark.parametrize("out_of_scope", [[], NONE])
def test_two_intents_of_one_example_can_be_fitted(out_of_scope: list[str]) -> None:
    router = Router.fit(
        RoutingExamples({"fruit": ["red apple"], "metal": ["iron bar"]}, out_of_scope), WordEncoder()
    )
    assert router.decide([{"role": "user", "content": "red apple"}]).top[0][0] == "fruit"
