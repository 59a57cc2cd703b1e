"""Orders over several turns: each answer is the order before it, with what the user changed and no more."""

import json
import re
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from deploy.demo.text import (
    corpus,
    customers,
    extraction,
    order_changes,
    order_days,
    order_mails,
    order_talks,
    pools,
)
from deploy.demo.text.order_mails import Order
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Message

LANGUAGES: tuple[Language, ...] = ("en", "zh")
Told = dict[str, Any]
MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


def talks(language: Language, count: int) -> Iterator[list[Message]]:
    rng = Random(f"talks {language}")
    for _ in range(count):
        messages, order = order_talks.talk(rng, language)
        assert json.loads(messages[-1]["content"]) == order.json()
        yield messages


def steps(language: Language, count: int) -> Iterator[tuple[Told, str, Told]]:
    """Order, what the user says to it, and the order after that."""
    for messages in talks(language, count):
        told: Told | None = None
        for asked, answer in zip(messages[::2], messages[1::2], strict=True):
            assert (asked["role"], answer["role"]) == ("user", "assistant")
            if not answer["content"].startswith("{"):
                continue
            new = json.loads(answer["content"])
            if told is not None:
                yield told, asked["content"], new
            told = new


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_differs_from_the_order_before_stands_in_what_was_said(language: Language) -> None:
    unchanged = total = 0
    for before, said, after in steps(language, 1500):
        for name in ("customer", "city"):
            assert after[name] == before[name] or after[name] in said
        known = {item["product"] for item in before["items"]}
        assert all(item["product"] in known or item["product"] in said for item in after["items"])
        if after["date"] != before["date"] and after["date"] is not None:
            assert re.search(r"[\d零一二三四五六七八九十月]|" + "|".join(MONTHS), said)
        total += 1
        unchanged += before == after
    assert 0.05 < unchanged / total < 0.3


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_change_keeps_what_it_does_not_name(language: Language) -> None:
    rng, phrases = Random(f"changes {language}"), Phrases.load("order_talk", language)
    for _ in range(1500):
        _, order = order_mails.draw(rng, language, "train")
        _, new, made = order_changes.change(rng, phrases, order)
        differ = [
            field
            for field in ("customer", "items", "city", "date")
            if getattr(order, field) != getattr(new, field)
        ]
        assert len(differ) <= 1, made
        if abs(len(new.items) - len(order.items)) == 1 and "items" in differ:
            assert set(new.items) < set(order.items) or set(order.items) < set(new.items)
        _, both, _ = order_changes.change(rng, phrases, new, but=made)
        assert new.items in (order.items, both.items), "one change of items undid the other"


def test_a_day_alone_is_one_of_the_month_and_year_of_the_order() -> None:
    rng = Random(2)
    order = Order("Ann Hall", (("mugs", 3),), "Leeds", "2026-05-04")
    phrases = Phrases(
        "en",
        {
            "change_day_only": ["the {day}"],
            "change_day_month": ["{day_month}"],
            "change_day": ["{date}"],
            "change_no_day": ["none"],
            "change_month": ["{month}"],
            "change_year": ["{year}"],
        },
    )
    seen = set()
    for _ in range(300):
        words, new = order_days.day(rng, phrases, order)
        if found := re.fullmatch(r"the \x02(\d+)(?:st|nd|rd|th)\x03", words):
            assert new.date == f"2026-05-{int(found[1]):02}"
            seen.add(new.date)
        assert new.date is None or not pools.is_held_out(new.date)
    assert len(seen) > 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_said_of_other_topics_is_not_trained(language: Language) -> None:
    others = 0
    for messages in talks(language, 800):
        for message in messages:
            if message["role"] == "assistant" and not message["content"].startswith("{"):
                assert message["weight"] == 0
                assert "<think>" not in message["content"]
                others += 1
        assert "weight" not in messages[-1]
    assert others > 100


def test_an_eighth_of_the_rows_to_train_on_are_talks_and_no_held_out_one_is() -> None:
    rng = Random(3)
    count = sum(len(extraction.sample(rng, "en", "train").messages) > 2 for _ in range(3000))
    assert 0.09 < count / 3000 < 0.15
    assert all(len(sample.messages) == 2 for sample in corpus.held_out("order_json", "zh", 300, 1))


@pytest.mark.parametrize("language", LANGUAGES)
def test_people_order_under_a_first_name_alone_too(language: Language) -> None:
    rng = Random(4)
    names = [customers.customer(rng, language, "train") for _ in range(3000)]
    single = [name for name in names if name.isascii() and name.isalpha()]
    assert len(single) > (300 if language == "en" else 60)
    assert not any(pools.is_held_out(name) for name in single)
    asked = [customers.customer(rng, "en", "held_out") for _ in range(500)]
    assert all(" " in name for name in asked)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_of_the_talks_can_be_said(language: Language) -> None:
    for messages in talks(language, 600):
        text = "".join(message["content"] for message in messages if message["role"] == "user")
        assert not set(text) & set("\x02\x03")
        assert not re.search(r"\{\w+\}", text)


def test_the_year_that_is_told_later_makes_a_date_of_a_day() -> None:
    rng = Random(6)
    phrases = Phrases("en", {"give_year": ["{year}"], "change_day": ["{date}"]})
    order = Order("Ann Hall", (("mugs", 3),), "Leeds", None, yearless="2026-05-09")
    said = dict(order_days.day(rng, phrases, order) for _ in range(50))
    assert said["\x022026\x03"].date == "2026-05-09"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_day_without_its_year_is_known_where_the_mail_names_one(language: Language) -> None:
    rng, found = Random(7), 0
    for _ in range(2000):
        text, order = order_mails.draw(rng, language, "train")
        if order.yearless is not None:
            assert order.date is None
            day = order.yearless.split("-")[2].lstrip("0")
            assert day in text
            found += 1
    assert found > 20
