"""The text of each task: right answers, held-out values apart from train, and many ways to ask."""

import ast
import json
import operator
import re
from functools import cache
from random import Random
from types import ModuleType

import pytest

from deploy.demo.text import (
    arithmetic,
    columns,
    comparison,
    extraction,
    generic,
    pools,
    prose,
    refusal,
    smalltalk,
)
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Sample, Split

LANGUAGES: tuple[Language, ...] = ("en", "zh")
SIGNS = {"+": operator.add, "-": operator.sub, "×": operator.mul}


@cache
def draw(task: ModuleType, language: Language, split: Split, count: int) -> list[Sample]:
    rng = Random(f"{task.__name__} {language} {split}")
    return [task.sample(rng, language, split) for _ in range(count)]


def asked(sample: Sample) -> str:
    """All that the user says."""
    return "\n".join(message["content"] for message in sample.messages if message["role"] == "user")


def value(calculation: str) -> int:
    """The value of ``34 + 28 + 5``, by Python and not by the code under test."""
    tree = ast.parse(calculation.replace("×", "*"), mode="eval")
    allowed = ast.Expression | ast.BinOp | ast.UnaryOp | ast.Constant | ast.operator | ast.unaryop
    assert all(isinstance(node, allowed) for node in ast.walk(tree))
    return int(eval(compile(tree, "", "eval")))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("split", ["train", "held_out"])
def test_sums_are_right_in_every_line(language: Language, split: Split) -> None:
    for sample in draw(arithmetic, language, split, 1500):
        content = sample.messages[-1]["content"]
        thought, answer = content.removeprefix("<think>\n").split("\n</think>\n\n")
        calculation, result = answer.rsplit(" = ", 1)
        assert int(result) == value(calculation)
        assert sample.expect.number in {None, int(result)}
        assert thought.split("\n")[-1] == answer
        for line in thought.split("\n"):
            for step in line.replace("：", ":").split(":")[-1].replace("，", ",").split(","):
                if "=" in step and ">" not in step and "<" not in step:
                    *_, left, right = step.split(" = ") if " = " in step else step.split("=")
                    assert value(left.strip().removeprefix("so ")) == int(right), line


def test_columns_by_hand() -> None:
    assert columns.add(34, 28, "en") == [
        "ones: 4 + 8 = 12, write 2, carry 1",
        "tens: 3 + 2 + 1 = 6",
        "34 + 28 = 62",
    ]
    assert columns.subtract(82, 37, "zh") == [
        "82 > 37",
        "个位：借位，12 - 7 = 5",
        "十位：8 - 3 - 1 = 4",
        "82 - 37 = 45",
    ]
    assert columns.subtract(5, 12, "en")[-1] == "5 - 12 = -7"
    assert columns.multiply(34, 7, "en")[-2:] == ["tens: 7 × 3 = 21, 21 + 2 = 23", "34 × 7 = 238"]
    assert [columns.english(n) for n in (0, 14, 40, 86, 305)] == [
        "zero", "fourteen", "forty", "eighty-six", "three hundred and five",
    ]  # fmt: skip
    assert [columns.chinese(n) for n in (7, 10, 15, 20, 86, 305, 310, 900)] == [
        "七", "十", "十五", "二十", "八十六", "三百零五", "三百一十", "九百",
    ]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_sums_are_never_trained(language: Language) -> None:
    def pairs(samples: list[Sample]) -> set[tuple[int, str, int]]:
        found = set()
        for sample in samples:
            for message in sample.messages:
                for line in message["content"].split("\n"):
                    parts = line.split()
                    whole = len(parts) == 5 and parts[0].isdecimal() and parts[2].isdecimal()
                    if message["role"] == "assistant" and whole and parts[1] in SIGNS:
                        a, b = int(parts[0]), int(parts[2])
                        if min(a, b) >= 10:
                            found.add((min(a, b), parts[1], max(a, b)))
        return found

    asked = pairs(draw(arithmetic, language, "held_out", 500))
    assert len(asked) > 300
    assert not asked & pairs(draw(arithmetic, language, "train", 20_000))


@pytest.mark.parametrize("language", LANGUAGES)
def test_orders_are_copied_from_the_mail(language: Language) -> None:
    for sample in draw(extraction, language, "train", 1500):
        mail, answer = asked(sample), sample.messages[-1]["content"]
        order = json.loads(answer)
        assert "\n" not in answer
        assert order == sample.expect.json
        assert list(order) == ["customer", "items", "city", "date"]
        assert order["customer"] in mail
        assert order["city"] in mail
        assert 1 <= len(order["items"]) <= 4
        assert all(item["product"] in mail and item["quantity"] >= 1 for item in order["items"])
        if order["date"]:
            year = order["date"][:4]
            in_words = "".join("零一二三四五六七八九"[int(digit)] for digit in year)
            assert year in mail or in_words in mail


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_orders_share_no_value_with_train(language: Language) -> None:
    def values(split: Split, count: int) -> dict[str, set[str]]:
        orders = [sample.expect.json or {} for sample in draw(extraction, language, split, count)]
        return {
            "customer": {o["customer"] for o in orders},
            "city": {o["city"] for o in orders},
            "date": {o["date"] for o in orders if o["date"]},
        }

    asked, trained = values("held_out", 500), values("train", 20_000)
    for role, held in asked.items():
        assert len(held) > 50
        assert not held & trained[role], role


def test_pools_keep_the_splits_apart() -> None:
    rng = Random(1)
    for language in LANGUAGES:
        for make in (pools.person, pools.city, pools.product):
            held = {make(rng, language, "held_out") for _ in range(500)}
            assert not held & {make(rng, language, "train") for _ in range(5000)}
    held_days = {pools.day(rng, "held_out") for _ in range(500)}
    assert not held_days & {pools.day(rng, "train") for _ in range(5000)}


@pytest.mark.parametrize("task", [smalltalk, refusal])
@pytest.mark.parametrize("language", LANGUAGES)
def test_talk_has_few_answers(task: ModuleType, language: Language) -> None:
    samples = draw(task, language, "train", 2000)
    answers = {m["content"] for s in samples for m in s.messages if m["role"] == "assistant"}
    assert len(answers) == (1 if task is refusal else len(smalltalk.TOPICS))
    assert all(s.messages[-1]["content"] in s.expect.contains for s in samples)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_comparison_ends_with_the_relation_of_what_was_asked(language: Language) -> None:
    for sample in draw(comparison, language, "train", 800):
        question, answer = (message["content"] for message in sample.messages)
        found = re.fullmatch(r"<think>\n.*</think>\n\n(.+?)[:：] ?(\d+) ([<>=]) (\d+)", answer, re.DOTALL)
        assert found
        said, left, sign, right = found.groups()
        a, b = int(left), int(right)
        assert (a > b, a < b, a == b) == (sign == ">", sign == "<", sign == "=")
        assert sorted(re.findall(r"\d+", question)) == sorted([left, right])
        if said[:1].isdigit():  # which of both: it stands first
            assert said.split()[0] == left
            assert ("bigger" in said or "更大" in said) == (a > b)


@pytest.mark.parametrize(
    ("task", "least"), [(arithmetic, 0.97), (extraction, 0.99), (smalltalk, 0.35), (refusal, 0.75)]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_many_ways_to_ask(task: ModuleType, language: Language, least: float) -> None:
    every = [asked(sample) for sample in draw(task, language, "train", 20_000)]
    assert len(set(every)) > least * len(every)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_of_every_file_can_be_said(language: Language) -> None:
    rng = Random(4)
    for _ in range(300):
        assert "{" not in prose.document(rng, language)
        row = generic.row(rng, language)
        assert not set("".join(m["content"] for m in row["messages"])) & set("\x02\x03[]")


def test_a_phrase_keeps_its_values_as_they_are() -> None:
    phrases = Phrases("en", {"ask": ["[where is|find] {x} now?", "{x}. i want it"]})
    rng = Random(2)
    said = {phrases.say(rng, "ask", typos=0.5, x="aBc dEf. i gh") for _ in range(300)}
    assert all("aBc dEf. i gh" in text for text in said)
    assert {"Where is aBc dEf. i gh now?", "find aBc dEf. i gh now?", "aBc dEf. i gh. I want it"} <= said


def test_a_broken_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="without"):
        Phrases("en", {"ask": ["[where|find"]})
