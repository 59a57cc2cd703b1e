"""A conversation stays on its track, and leaves it when the topic changes."""

from __future__ import annotations

import pytest

from router.deciding.decision import Decision
from router.deciding.policy import NO_POLICY, Policy
from router.deciding.track import follow, join, joined, stands_alone
from router.text.conversation import Turn


def decided(intent: str, confidence: float) -> Decision:
    abstained = confidence < 0.5
    chosen = None if abstained else intent
    return Decision(chosen, confidence, abstained, ((intent, confidence),), 0.5, (), f"about {intent}")


TRACK = decided("track", 0.9)
REFUND = decided("refund", 0.95)
WEAK_REFUND = decided("refund", 0.6)
NOTHING = decided("refund", 0.1)

FIRST = Turn("Where is my parcel PX482913?", answers=False)


TALK = Policy(asides=frozenset({"talk"}))


def after_track(
    turn: Turn, alone: Decision, joint: Decision = NOTHING, policy: Policy = NO_POLICY
) -> Decision:
    """The decision on ``turn`` after a first turn that is clearly about tracking."""
    return follow((FIRST, turn), {FIRST.text: TRACK, turn.text: alone, join(FIRST, turn): joint}, policy)


@pytest.mark.parametrize(
    "text", ["and where is the other one?", "那另一个呢", "what about that one then", "why?", "第二个呢？"]
)
def test_an_elliptic_turn_stays_unless_it_is_sure(text: str) -> None:
    turn = Turn(text, answers=False)
    assert after_track(turn, NOTHING) is TRACK
    assert after_track(turn, WEAK_REFUND) is TRACK
    assert after_track(turn, REFUND) is REFUND


def test_a_statement_that_names_again_what_was_named_stays_where_it_means_nothing_alone() -> None:
    text = "I forgot to say that the lamp has a red shade"
    assert after_track(Turn(text, answers=False, echoes=True), NOTHING) is TRACK
    assert after_track(Turn(text, answers=False), NOTHING) is NOTHING
    question = Turn("What does one do with a lamp at the seaside?", answers=False, echoes=True)
    assert after_track(question, NOTHING) is NOTHING


@pytest.mark.parametrize("text", ["yes please", "PX482913", "great", "好的"])
def test_an_acknowledgement_or_an_id_stays_however_sure(text: str) -> None:
    assert after_track(Turn(text, answers=False), REFUND) is TRACK


@pytest.mark.parametrize("text", ["thanks", "ok great, thank you so much!", "好的，谢谢"])
def test_thanks_are_an_aside_that_leaves_the_track_where_it_was(text: str) -> None:
    thanks, more = Turn(text, answers=False), Turn("and the other one?", answers=False)
    talk = decided("smalltalk", 0.95)
    assert after_track(thanks, talk) is talk
    turns = (FIRST, thanks, more)
    decisions = dict.fromkeys((more.text, *joined(turns)), NOTHING) | {FIRST.text: TRACK, text: talk}
    assert follow(turns, decisions) is TRACK


def test_thanks_stay_where_nothing_is_meant_for_them_or_where_they_answer() -> None:
    assert after_track(Turn("thanks", answers=False), WEAK_REFUND) is TRACK
    assert after_track(Turn("yes, thanks", answers=True), REFUND) is TRACK


def test_a_clear_change_of_topic_leaves() -> None:
    turn = Turn("How long do I have to ask for my money back?", answers=False)
    assert after_track(turn, WEAK_REFUND) is WEAK_REFUND


def test_an_answer_to_a_question_stays_unless_it_is_sure() -> None:
    text = "My cousin Anna Schmidt ordered it from a shop in Leeds"
    assert after_track(Turn(text, answers=True), WEAK_REFUND) is TRACK
    assert after_track(Turn(text, answers=True), NOTHING) is TRACK
    assert after_track(Turn(text, answers=True), REFUND) is TRACK
    assert after_track(Turn(text, answers=True), REFUND, joint=REFUND) is REFUND
    asked = Turn("Can I get my money back for what my cousin ordered?", answers=True)
    assert after_track(asked, REFUND) is REFUND


@pytest.mark.parametrize("text", ["the plates are smashed", "the number is PE330818", "盘子都碎了"])
def test_what_only_states_something_stays_unless_the_turn_before_fits_as_well(text: str) -> None:
    turn = Turn(text, answers=True)
    assert not stands_alone(turn, REFUND)
    assert after_track(turn, REFUND, joint=WEAK_REFUND) is TRACK


def test_a_sure_statement_that_answers_nothing_leaves() -> None:
    turn = Turn("My parcel arrived completely crushed, this is unacceptable", answers=False)
    assert after_track(turn, REFUND, joint=TRACK) is REFUND


def test_a_faint_request_for_something_else_is_not_drowned_by_the_turn_before() -> None:
    turn = Turn("I want what I paid for order 55127", answers=False)
    faint = decided("refund", 0.4)
    assert after_track(turn, faint, joint=TRACK) is faint
    assert after_track(turn, faint, joint=WEAK_REFUND) is WEAK_REFUND


def test_an_id_stays_whatever_the_turn_before_makes_of_it() -> None:
    assert after_track(Turn("it's PX482913", answers=True), REFUND, joint=REFUND) is TRACK


def test_a_long_turn_about_nothing_known_abstains() -> None:
    turn = Turn("Please write me a poem about the sea in the style of Byron", answers=False)
    assert after_track(turn, NOTHING) is NOTHING


def test_a_turn_that_may_mean_something_is_decided_with_the_one_before() -> None:
    turn = Turn("Somebody at the front desk of the hotel should have signed", answers=False)
    faint = decided("refund", 0.3)
    assert after_track(turn, faint, joint=TRACK) is TRACK
    assert after_track(turn, faint, joint=NOTHING) is faint
    assert after_track(turn, NOTHING, joint=TRACK) is NOTHING


def test_two_weak_turns_are_decided_together() -> None:
    first = Turn("I ordered something last week", answers=False)
    turn = Turn("when will it come", answers=False)
    decisions = {first.text: NOTHING, turn.text: NOTHING, join(first, turn): TRACK}
    assert follow((first, turn), decisions) is TRACK


def test_the_track_is_the_one_it_last_changed_to() -> None:
    change = Turn("How long do I have to ask for my money back?", answers=False)
    last = Turn("and for the other one?", answers=False)
    turns = (FIRST, change, last)
    texts = [turn.text for turn in turns]
    decisions = dict.fromkeys((*texts, *joined(turns)), NOTHING) | {FIRST.text: TRACK, change.text: REFUND}
    assert follow(turns, decisions) is REFUND


def test_a_turn_that_stands_alone_needs_no_other() -> None:
    turn = Turn("How long do I have to ask for my money back?", answers=False)
    assert stands_alone(turn, WEAK_REFUND)
    assert after_track(turn, WEAK_REFUND) is WEAK_REFUND
    assert not stands_alone(turn, NOTHING)
    assert not stands_alone(Turn("thanks", answers=False), REFUND)


@pytest.mark.parametrize("text", ["我的包裹丢了", "PX482913", "refund please", "and what about returns?"])
def test_after_an_aside_a_turn_is_decided_as_a_first_one(text: str) -> None:
    hello, turn = Turn("hello there, how are you", answers=False), Turn(text, answers=False)
    greeting = decided("talk", 0.95)
    decisions = {hello.text: greeting, text: WEAK_REFUND, join(hello, turn): greeting}
    assert follow((hello, turn), decisions, TALK) is WEAK_REFUND
    assert follow((hello, turn), decisions) is greeting


def test_after_an_aside_only_what_points_back_goes_on_with_it() -> None:
    joke, turn, poem = (Turn(text, answers=False) for text in ("tell me a joke", "another one", "写首诗"))
    talk = decided("talk", 0.95)
    decisions = {joke.text: talk, turn.text: NOTHING, poem.text: NOTHING}
    decisions |= dict.fromkeys(joined((joke, turn)) + joined((joke, poem)), NOTHING)
    assert follow((joke, turn), decisions, TALK) is talk
    assert follow((joke, poem), decisions, TALK) is NOTHING


def test_an_aside_leaves_the_track_where_it_was() -> None:
    turns = (FIRST, Turn("you are great", answers=False), Turn("and the other one?", answers=False))
    talk = decided("talk", 0.99)
    decisions = dict.fromkeys((turns[2].text, *joined(turns)), NOTHING)
    decisions |= {FIRST.text: TRACK, turns[1].text: talk}
    assert follow(turns[:2], decisions, TALK) is talk
    assert follow(turns, decisions, TALK) is TRACK
    assert follow(turns, decisions) is talk


@pytest.mark.parametrize("text", ["when exactly?", "你确定？"])
def test_an_elliptic_turn_leaves_for_an_aside_only_if_it_is_surer(text: str) -> None:
    turn = Turn(text, answers=False)
    assert after_track(turn, decided("talk", 0.8), TRACK, TALK) is TRACK
    assert after_track(turn, decided("talk", 0.8), TRACK).intent == "talk"
    assert after_track(turn, decided("talk", 0.95), TRACK, TALK).intent == "talk"


@pytest.mark.parametrize("text", ["5 mugs, not 4", "add 2 red candles", "再加3个碗"])
def test_a_few_words_that_ask_for_nothing_stay_unless_very_sure(text: str) -> None:
    turn = Turn(text, answers=False)
    assert after_track(turn, REFUND, TRACK) is TRACK
    assert after_track(turn, REFUND, REFUND) is REFUND
    sure = decided("refund", 0.99)
    assert after_track(turn, sure, TRACK) is sure


def test_a_few_words_that_mean_nothing_alone_stay_if_the_turn_before_fits() -> None:
    turn = Turn("only a small bottle", answers=False)
    assert after_track(turn, NOTHING, TRACK) is TRACK
    assert after_track(turn, NOTHING, NOTHING) is NOTHING
    longer = Turn("who is the president of France today", answers=False)
    assert after_track(longer, NOTHING, TRACK) is NOTHING


def test_what_says_little_stays_whatever_it_is_taken_for() -> None:
    assert after_track(Turn("PX482913", answers=False), NOTHING, NOTHING) is TRACK


def test_a_short_question_about_nothing_known_abstains() -> None:
    turn = Turn("法国总统是谁", answers=False)
    assert after_track(turn, NOTHING, NOTHING) is NOTHING
    assert after_track(turn, NOTHING, TRACK) is TRACK


def test_a_turn_is_read_beside_the_last_one_that_says_something() -> None:
    turns = (FIRST, Turn("thanks", answers=False), Turn("that one too?", answers=False), Turn("why", False))
    assert joined(turns) == tuple(join(FIRST, turn) for turn in turns[1:])
    change = Turn("How long do I have to ask for my money back?", answers=False)
    assert joined((FIRST, change, turns[3]))[-1] == join(change, turns[3])
