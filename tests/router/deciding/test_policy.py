"""Parents that take over where no child is sure, and what a switch of adapter costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.deciding.decision import Decision
from router.deciding.policy import MOST_CHARGED, Policy
from router.deciding.rules import Fired
from router.deciding.track import follow, join
from router.examples import RoutingExamples
from router.router import Router
from router.text.conversation import Turn, user_turns
from tests.router.conftest import FRUIT, NONE, WATER, WordEncoder, talk

TREE = Policy(parents={"track": "parcels", "lost": "parcels", "parcels": "shop", "refund": "shop"})


@pytest.mark.parametrize(
    ("chances", "found"),
    [
        ({"track": 0.4, "lost": 0.3, "refund": 0.1}, ("parcels", 0.7)),
        ({"track": 0.3, "lost": 0.1, "refund": 0.3}, ("shop", 0.7)),
        ({"track": 0.2, "lost": 0.1, "refund": 0.1, "sums": 0.4}, None),
        ({"sums": 0.4, "track": 0.3, "lost": 0.25}, ("parcels", 0.55)),
        ({"parcels": 0.3, "track": 0.3, "lost": 0.0}, ("parcels", 0.6)),
    ],
)
def test_the_closest_parent_that_is_sure(chances: dict[str, float], found: tuple[str, float] | None) -> None:
    common = TREE.common_parent(chances, threshold=0.5)
    assert (common and common[0]) == (found and found[0])
    assert (common and common[1]) == (found and pytest.approx(found[1]))


def test_a_text_between_two_children_goes_to_their_parent() -> None:
    """Two intents that say the same: neither is sure, both together are."""
    here = FRUIT[::2] + [f"{text} now" for text in FRUIT[1::2]]
    there = FRUIT[1::2] + [f"{text} now" for text in FRUIT[::2]]
    router = Router.fit(RoutingExamples({"here": here, "there": there, "water": WATER}, NONE), WordEncoder())
    text = [{"role": "user", "content": "a ripe apple"}]
    chances = dict(router.decide(text).top)
    both = chances["here"] + chances["there"]
    between = (both + max(chances.values())) / 2  # a threshold that one of them misses and both reach
    calibration = replace(router.model.calibration, threshold=between)
    router = Router(replace(router.model, calibration=calibration), router.report, router.encoder, "")
    assert router.decide(text).abstained
    decision = router.under(Policy(parents={"here": "place", "there": "place"})).decide(text)
    assert (decision.intent, decision.abstained) == ("place", False)
    assert decision.confidence == pytest.approx(both)
    assert dict(decision.top) == pytest.approx(chances)
    assert router.under(Policy(parents={"here": "place", "water": "other"})).decide(text).abstained


def test_a_child_that_is_sure_keeps_what_is_its_own(small_router: Router) -> None:
    text = [{"role": "user", "content": "a rusty iron bar"}]
    router = small_router.under(Policy(parents={"metal": "stuff", "water": "stuff"}))
    assert router.decide(text) == small_router.decide(text)


def decided(intent: str, confidence: float, **others: float) -> Decision:
    top = ((intent, confidence), *others.items())
    return Decision(intent, confidence, False, top, 0.5, (), intent)


COSTLY = Policy(homes={"track": "support", "address": "support", "sums": "math"}, switch_cost=0.1)
FIRST = Turn("where is my parcel", answers=False)


@pytest.mark.parametrize(
    ("alone", "before", "leaves"),
    [
        (decided("sums", 0.6, track=0.3), 2_000, True),  # 0.3 ahead, 0.2 is charged
        (decided("sums", 0.6, track=0.3), 4_000, False),
        (decided("sums", 0.9, track=0.05), 50_000, True),  # MOST_CHARGED at most
        (decided("sums", 0.52, track=0.45), 50_000, False),
        (decided("address", 0.6, track=0.4), 50_000, True),  # on the same adapter
        (decided("sums", 0.6), 5_000, True),
    ],
)
def test_leaving_an_adapter_has_to_pay(alone: Decision, before: int, leaves: bool) -> None:
    track = decided("track", 0.9)
    turn = Turn("how much is twelve plus thirty in the end of it all", answers=False, before=before)
    nothing = Decision(None, 0.1, True, (), 0.5, (), "")
    decisions = {FIRST.text: track, turn.text: alone, join(FIRST, turn): nothing}
    assert follow((FIRST, turn), decisions, COSTLY) is (alone if leaves else track)
    assert follow((FIRST, turn), decisions) is alone  # costs nothing
    if not leaves:
        assert not COSTLY.pays(turn, alone)  # so that the turns before are looked at
    assert MOST_CHARGED < 1


def test_a_rule_pays_nothing() -> None:
    turn = Turn("operator", answers=False, before=100_000)
    by_rule = Decision("sums", 1.0, False, (), 0.5, (), "", rule=Fired("r", "sums", "operator"))
    assert COSTLY.pays(turn, by_rule)


def test_turns_know_what_was_said_before_them() -> None:
    messages: list[dict[str, object]] = [
        {"role": "system", "content": "s" * 100},
        {"role": "user", "content": "where is it"},
        {"role": "assistant", "content": None},
        {"role": "tool", "content": [{"type": "text", "text": "t" * 50}]},
        {"role": "user", "content": "and now"},
    ]
    assert [turn.before for turn in user_turns(messages)] == [100, 161]


def test_a_long_conversation_holds_on_to_its_adapter(small_router: Router) -> None:
    messages = talk("a wide and deep river", "Yes. " * 8_000, "iron gate by the river bank")
    homes: dict[str | None, str] = {"water": "w", "metal": "m", "fruit": "f"}
    for cost, intent in ((0.0, "metal"), (1.0, "water")):
        assert small_router.under(Policy(homes=homes, switch_cost=cost)).decide(messages).intent == intent
