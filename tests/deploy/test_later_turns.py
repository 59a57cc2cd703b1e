"""Later turns about the rules, of small talk and of refusals: each answer follows from what is written."""

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from random import Random

import pytest

from deploy.demo import tools
from deploy.demo.text import corpus, policy, policy_on, smalltalk, talk_on
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Message, Sample

LANGUAGES: tuple[Language, ...] = ("en", "zh")
Make = Callable[[Random, Language], Sample]
MAKERS: tuple[Make, ...] = (policy_on.sample, talk_on.small_talk, talk_on.refused)
SLOTS = dict.fromkeys(("id", "address", "who", "town", "n", "said"), "#")
TALKS = 4000  # so many that each rule of a turn is drawn


@cache
def talks(make: Make, language: Language) -> tuple[Sample, ...]:
    rng = Random(f"{make.__name__} {language}")
    return tuple(make(rng, language) for _ in range(TALKS))


def exchanges(sample: Sample) -> list[tuple[str, Message]]:
    """What the user said and the message that answered it, in order."""
    said = [message["content"] for message in sample.messages[::2]]
    return list(zip(said, sample.messages[1::2], strict=True))


def learned(sample: Sample) -> list[tuple[str, str]]:
    return [(said, answer["content"]) for said, answer in exchanges(sample) if answer.get("weight") != 0]


def plain(task: str, language: Language, rule: str) -> str:
    return Phrases.load(task, language).plain(Random(0), rule, refund_days="30")


def facts(language: Language) -> dict[str, str]:
    """The name of each rule by its answer."""
    return {plain("policy", language, f"answer_{fact}"): fact for fact in policy.STATED}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_turns_alternate_and_only_the_own_answers_are_learned(make: Make, language: Language) -> None:
    others = 0
    for sample in talks(make, language):
        roles = [message["role"] for message in sample.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert all(message["content"].strip() for message in sample.messages)
        assert all(part in sample.messages[-1]["content"] for part in sample.expect.contains)
        assert not any("<think>" in m["content"] or "tool_calls" in m for m in sample.messages)
        weights = [answer.get("weight") for _, answer in exchanges(sample)]
        assert weights[-1] is None
        others += 0 in weights
    assert 0.15 < others / TALKS < 0.95


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_rules_are_told_by_their_few_sentences(language: Language) -> None:
    rest = {plain("policy_on", language, rule) for rule in ("answer_act", "answer_ok")}
    rest.add(plain("policy", language, "answer_thanks"))
    told = {answer for sample in talks(policy_on.sample, language) for _, answer in learned(sample)}
    assert told == rest | set(facts(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_has_been_long_is_read_by_the_rule_before_it(language: Language) -> None:
    been = re.compile(
        {
            "en": r"(and )?it'?s been ",
            "zh": "(那)?(等了|都过了|都过去|已经过了|已经过去|已经有)[^退]*[周天月年期]了?[吧呢]?$",
        }[language]
    )
    names, seen = facts(language), set[str]()
    for sample in talks(policy_on.sample, language):
        turns = learned(sample)
        for (_, before), (said, answer) in pairwise(turns):
            if len(said) < 36 and before in names and been.match(said.casefold()):
                kept = names[before] in ("refund_time", "refund_lost")
                after = "refund_window" if names[before].startswith("refund") else "customs_time"
                assert names[answer] == (names[before] if kept else after), said
                seen.add(names[answer])
    assert seen == {"refund_time", "refund_lost", "refund_window", "customs_time"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_doubts_get_the_same_rule_again(language: Language) -> None:
    doubt = re.compile(
        {
            "en": r"\b(are you sure|repeat that|the rule$|seriously|come again|always$|since when|says who)",
            "zh": "你确定|再说一|是规定|真的吗|没听懂|例外吗|谁规定的",
        }[language]
    )
    seen = 0
    for sample in talks(policy_on.sample, language):
        turns = learned(sample)
        for (_, before), (said, answer) in pairwise(turns):
            if len(said) < 40 and doubt.search(said.casefold()):
                seen += 1
                assert answer == before, said
    assert seen > 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_is_asked_for_in_one_message_and_never_looked_up(language: Language) -> None:
    act, seen = plain("policy_on", language, "answer_act"), 0
    for sample in talks(policy_on.sample, language):
        for said, answer in learned(sample):
            if tools.is_parcel_id(said.strip(".?!。？！ ")):
                seen += 1
                assert answer == act
    assert seen > 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_small_talk_and_refusals_keep_their_fixed_answers(language: Language) -> None:
    topics = {plain("smalltalk", language, f"answer_{topic}") for topic in smalltalk.TOPICS}
    said = {answer for sample in talks(talk_on.small_talk, language) for _, answer in learned(sample)}
    assert said == topics
    refused = {answer for sample in talks(talk_on.refused, language) for _, answer in learned(sample)}
    assert refused == {plain("refusal", language, "answer")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_joke_is_told_again_and_a_doubted_answer_repeated(language: Language) -> None:
    again = re.compile(
        {"en": r"(another one|one more|tell me another)", "zh": "再来一个|换一个|还想听"}[language]
    )
    joke, seen = plain("smalltalk", language, "answer_joke"), 0
    for sample in talks(talk_on.small_talk, language):
        turns = learned(sample)
        for (_, before), (said, answer) in pairwise(turns):
            if before == joke and again.match(said.casefold()):
                seen += 1
                assert answer == joke
    assert seen > 3


@pytest.mark.parametrize("task", ["policy_on", "talk_on"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_can_be_said_and_both_languages_have_the_same(task: str, language: Language) -> None:
    phrases = Phrases.load(task, language)
    shared = {"_", "it", "days", "goods"}
    assert set(phrases.rules) - shared == set(Phrases.load(task, "zh").rules) - shared
    for rule in phrases.rules:
        for seed in range(60):
            assert not set(phrases.plain(Random(seed), rule, **SLOTS)) & set("[]{}|")


def test_later_turns_have_their_share_of_training_and_none_of_what_is_held_out() -> None:
    def other_tasks(rows: list[corpus.Row]) -> float:
        return sum(any(m.get("weight") == 0 for m in row["messages"]) for row in rows) / len(rows)

    chat = other_tasks(list(corpus.adapter_rows("chat", 3000, 5)))
    assert 0.10 < chat < 0.15  # of the 15 % that go on, most begin with another task
    assert other_tasks(list(corpus.held_out_rows("chat", 300, 5))) == 0
