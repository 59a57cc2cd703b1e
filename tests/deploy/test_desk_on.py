"""How talks with the desk go on: nothing is done that was not asked for, and every value was said before."""

import re
from functools import cache
from random import Random

import pytest

from deploy.demo.text import acts, address_edits, addresses, corpus, desk_on
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Intent, Language, Message, Sample

LANGUAGES: tuple[Language, ...] = ("en", "zh")
LEARNED = re.compile(r"CH-\d{6}|TK\d{7}|20\d\d-\d\d-\d\d|[A-Za-z]{1,3}[- ]?\d{6,10}(?:[A-Z]{2})?")
WITHOUT_CALL = (
    *("answer_ticket", "answer_address", "answer_found", "answer_ok", "answer_stopped"),
    *("answer_undo_complaint", "answer_undo_redirect", "answer_reasons"),
)


@cache
def talks(language: Language, count: int = 1_500) -> tuple[Sample, ...]:
    rng = Random(f"on {language}")
    intents: tuple[Intent, ...] = acts.INTENTS
    return tuple(desk_on.sample(rng, language, intents[n % 3]) for n in range(count))


def said(messages: tuple[Message, ...]) -> str:
    return " ".join(str(message["content"]) for message in messages)


def no_call(language: Language) -> dict[str, re.Pattern[str]]:
    """The answers that stand without a call, each as a pattern."""
    phrases = Phrases.load("desk_on", language)
    slots = ("parcel_id", "ticket", "answer_within_days", "address", "reference")
    found = {}
    for rule in WITHOUT_CALL:
        text = re.escape(phrases.plain(Random(0), rule, **dict.fromkeys(slots, "\1")))
        found[rule] = re.compile(text.replace(re.escape("\1"), ".+"))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_answer_without_a_call_is_learned_often(language: Language) -> None:
    counts = dict.fromkeys(WITHOUT_CALL, 0)
    for sample in talks(language):
        for before, message in zip(sample.messages, sample.messages[1:], strict=False):
            for rule, pattern in no_call(language).items():
                if message.get("weight") != 0 and pattern.fullmatch(str(message["content"])):
                    assert before["role"] == "user"
                    counts[rule] += 1
    assert min(counts.values()) > 15, counts


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_copied_was_said(language: Language) -> None:
    for sample in talks(language):
        for place, message in enumerate(sample.messages):
            if message["role"] != "assistant" or message.get("tool_calls"):
                continue
            before = said(sample.messages[:place])
            if sample.messages[place - 1]["role"] == "user" and message.get("weight") != 0:
                assert all(value in before for value in LEARNED.findall(str(message["content"])))


@pytest.mark.parametrize("language", LANGUAGES)
def test_parcels_of_calls_were_named_by_the_user(language: Language) -> None:
    for sample in talks(language):
        asked = ""
        for message in sample.messages:
            if message["role"] == "user":
                asked += str(message["content"])
            for call in message.get("tool_calls", ()):
                assert call["function"]["arguments"]["parcel_id"] in asked


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_complaint_is_filed_once_for_each_parcel_and_reason(language: Language) -> None:
    filed = 0
    for sample in talks(language):
        seen = set()
        for message in sample.messages:
            for call in message.get("tool_calls", ()):
                arguments = call["function"]["arguments"]
                if call["function"]["name"] == "open_complaint":
                    key = (arguments["parcel_id"], arguments["reason"])
                    assert key not in seen
                    seen.add(key)
                    filed += 1
    assert filed > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_talks_have_up_to_five_turns_and_some_open_with_another_topic(language: Language) -> None:
    turns = [sum(message["role"] == "user" for message in sample.messages) for sample in talks(language)]
    assert {1, 2, 3, 4} <= set(turns)
    assert sum(count >= 2 for count in turns) > 0.85 * len(turns)
    opened = [sample for sample in talks(language) if not is_of_the_desk(sample.messages[:2])]
    assert len(opened) > 100
    assert all(sample.messages[1]["weight"] == 0 for sample in opened)
    assert not any("<think>" in said(sample.messages) for sample in opened)


def is_of_the_desk(opening: tuple[Message, ...]) -> bool:
    return opening[1].get("weight") != 0 or bool(LEARNED.search(said(opening)))


def test_slips_are_mended_where_they_stand() -> None:
    edits = set()
    for seed in range(60):
        edit = address_edits.slip(Random(seed), "41 Mill Lane, Leeds LS1 4AB")
        assert edit is not None
        assert edit.address == "41 Mill Lane, Leeds LS1 4AB".replace(edit.old, edit.new)
        assert edit.new != edit.old
        edits.add(edit.old)
    assert edits == {"41", "Leeds"}
    chinese = address_edits.slip(Random(1), "杭州市文三路14号")
    assert chinese is not None
    assert chinese.old in ("杭州市", "14号")


def test_a_forgotten_door_comes_last() -> None:
    english = address_edits.forgotten(Random(0), "41 Mill Lane, Leeds")
    assert english is not None
    assert english.address == f"41 Mill Lane, Leeds, {english.new}"
    chinese = address_edits.forgotten(Random(0), "杭州市文三路14号")
    assert chinese is not None
    assert chinese.address == f"杭州市文三路14号{chinese.new}"
    assert address_edits.forgotten(Random(0), "杭州市文三路14号302室") is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_addresses_to_train_on_have_the_wider_forms(language: Language) -> None:
    wide = re.compile(r"c/o|care of|PO Box| in [A-Z]|弄|转交|，|丰巢")
    rng = Random(4)
    assert not any(wide.search(addresses.address(rng, "held_out", language)) for _ in range(400))
    assert sum(bool(wide.search(addresses.address(rng, "train", language))) for _ in range(400)) > 20


def test_an_address_on_several_lines_reaches_the_tool_in_one() -> None:
    lines = 0
    for row in corpus.adapter_rows("support", 4_000, 5):
        for before, message in zip(row["messages"], row["messages"][1:], strict=False):
            for call in message.get("tool_calls", ()):
                address = str(call["function"]["arguments"].get("address", ""))
                assert "\n" not in address
                lines += bool(address) and address not in before["content"] and before["content"].count("\n")
    assert lines > 5
