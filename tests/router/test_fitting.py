"""Examples are fitted, however many and few, and what is wrong with them is told."""

from __future__ import annotations

import pytest

from router.errors import ExamplesError
from router.examples import NAMED, RoutingExamples
from router.learning.report import SHOWN
from router.router import Router
from tests.router.conftest import FRUIT, METAL, NONE, WATER, WordEncoder, talk


def test_a_fit_tells_its_steps(small_examples: RoutingExamples) -> None:
    told: list[str] = []
    Router.fit(small_examples, WordEncoder(), tell=told.append)
    assert told[0] == "encoding the examples, 0 %"
    assert [step.split(" ")[0] for step in told[1:]] == ["reading", "choosing", "scoring"]


def test_fitting_again_gives_the_same(small_examples: RoutingExamples, small_router: Router) -> None:
    again = Router.fit(small_examples, WordEncoder())
    assert again.fingerprint == small_router.fingerprint
    assert again.decide(talk("cold river boat")) == small_router.decide(talk("cold river boat"))


def test_all_that_is_wrong_with_examples_is_said_at_once() -> None:
    with pytest.raises(ExamplesError) as caught:
        RoutingExamples({"only": ["fine", " "], "none": []}, ["", "fine"])
    assert len(caught.value.problems) == 3
    with pytest.raises(ExamplesError, match="two intents"):
        RoutingExamples({"only": ["fine"]})


def test_an_intents_name_counts_as_one_of_its_few_examples_and_is_never_scored() -> None:
    few = RoutingExamples({"copper wire": METAL, "ripe_mango": FRUIT, "???": WATER}, NONE)
    named = few.with_names().intents
    assert named == {
        "copper wire": (*METAL, "copper wire"),
        "ripe_mango": (*FRUIT, "ripe mango"),
        "???": tuple(WATER),
    }
    router = Router.fit(few, WordEncoder())
    assert router.report.examples == len(METAL) + len(FRUIT) + len(WATER)
    for text, intent in (("copper wire", "copper wire"), ("a mango that is ripe", "ripe_mango")):
        assert router.decide(talk(text)).top[0][0] == intent
    many = RoutingExamples({"copper": [f"iron {n}" for n in range(NAMED)], "mango": FRUIT})
    assert many.with_names().intents["copper"] == many.intents["copper"]


def test_hundreds_of_intents_of_few_and_equal_examples_are_fitted() -> None:
    """Also those of one example, and an example that two intents have."""
    intents = {
        f"intent {n}": [f"word{n}a word{n}b", f"word{n}b word{n % 7}c"][: 1 + n % 2] for n in range(250)
    }
    intents["intent 1"] = ["word2a word2b"]
    router = Router.fit(RoutingExamples(intents, NONE), WordEncoder())
    kinds = {warning.kind for warning in router.report.warnings}
    assert {"few", "contradiction"} <= kinds
    assert len(str(router.report).splitlines()) <= 1 + len(kinds) * (SHOWN + 1)
    assert len(router.decide(talk("word200a word200b")).top) == 5
