"""Examples that are proposed from what users asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from router.deciding.decision import Decision
from router.deciding.rules import Fired
from router.judging.suggestion import UNSURE, Suggestion, doubt, suggest
from router.router import Router


def decided(confidence: float, second: float = 0.0) -> Decision:
    top = (("a", confidence), ("b", second))
    return Decision(None if confidence < 0.5 else "a", confidence, confidence < 0.5, top, 0.5, (), "")


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (decided(0.5), 1.0),
        (decided(0.5 + UNSURE / 2), 0.5),
        (decided(0.5 - UNSURE / 2), 0.5),
        (decided(0.9), 0.0),
        (decided(0.1, 0.09), 0.0),  # sure that it is neither
        (decided(0.5, 0.5), 1.0),
        (Decision(None, 0.0, True, (), 0.5, (), ""), 0.0),
    ],
)
def test_doubt_is_largest_at_the_threshold_and_between_two_intents(
    decision: Decision, expected: float
) -> None:
    assert doubt(decision) == pytest.approx(expected)


class Fixed(Router):
    """Decides by a word of the text, with the model and the encoder of another router."""

    def __init__(self, router: Router) -> None:
        super().__init__(router.model, router.report, router.encoder, "")

    def decide_many(self, conversations: Iterable[Sequence[Mapping[str, Any]]]) -> list[Decision]:
        return [self._by_word(messages[0]["content"]) for messages in conversations]

    def _by_word(self, text: str) -> Decision:
        confidence = 0.55 if "gate" in text else 0.35 if "tune" in text else 0.99
        top = (("metal", confidence), ("water", 0.0))
        intent = "metal" if confidence >= 0.5 else None
        rule = Fired("r", "metal", text) if "rule" in text else None
        return Decision(intent, confidence, intent is None, top, 0.5, (), text, rule)


def test_one_of_each_kind_and_the_most_asked_first(small_router: Router) -> None:
    texts = {
        "open the garden gate": 1,
        "a gate of iron": 2,
        "A  gate of iron": 3,
        "a gate rule": 50,  # a rule has decided
        "iron gate": 50,  # an example already
        "red apple now": 50,  # sure
    }
    found = suggest(texts, Fixed(small_router), 10)
    assert found == [
        Suggestion("A  gate of iron", "metal", 0.55, "water", 5),
        Suggestion("open the garden gate", "metal", 0.55, "water", 1),
    ]
    assert suggest(texts, Fixed(small_router), 1) == found[:1]
    assert suggest({"red apple now": 1}, Fixed(small_router), 10) == []
    assert suggest({}, Fixed(small_router), 10) == []


def test_what_is_likelier_out_of_scope_is_proposed_as_that(small_router: Router) -> None:
    assert suggest({"a new tune": 1}, Fixed(small_router), 10) == [
        Suggestion("a new tune", None, 0.35, "water", 1)
    ]


def test_a_real_router_is_sure_of_what_it_knows(small_router: Router) -> None:
    assert suggest({"red apple": 3, "a red apple": 1}, small_router, 10) == []
