"""Talks about sums: every answer right, nothing held out, every number said before, corrections as meant."""

import re
from collections import Counter
from functools import cache
from itertools import islice
from random import Random

import pytest

from deploy.demo.text import arithmetic, columns, corpus, sums_on
from deploy.demo.text.calculation import Calculation
from deploy.demo.text.sample import Language, Message
from deploy.demo.text.sums_next import next_turn

LANGUAGES: tuple[Language, ...] = ("en", "zh")
SUM = re.compile(r"(?<![\d-])(\d+) ([+×-]) (\d+)(?: \+ (\d+))?(?: = (-?\d+))?")
RELATION = re.compile(r"(?:.*[:：] ?)?((\d+) ([<>=]) (\d+))")
LAST = Calculation("add", (32, 15), (0, 1))
# What may stand in a turn after 32 + 15 = 47, and the calculation that it asks for; the groups are numbers.
BARE = "a number in the place of that which it is like, else of the last"
MEANT: dict[Language, dict[str, str]] = {
    "en": {
        r"(are you )?(sure|certain)": "32 + 15",
        r"what (was|is) (that|it) again|check again|how much was it": "32 + 15",
        r"(?:no, |sorry, |oops, )?(?:i meant )?(\d+),? not 15": "32 + {0}",
        r"not 32,? (\d+)": "{0} + 15",
        r"(?:sorry|no|oops),? (\d+)": BARE,
        r"i meant (\d+)": BARE,
        r"(?:the )?first (?:number|one) (?:is|should be|was) (\d+)": "{0} + 15",
        r"i meant (?:a )?minus|minus,? not plus": "32 - 15",
        r"(?:thanks, )?and (\d+) more": "47 + {0}",
        r"(?:now |and |then )?double (?:that|it)": "47 × 2",
        r"how (?:much|many) (?:is|are) left (?:if|after) (?:i take )?(\d+) (?:away|are gone)": "47 - {0}",
        r"(?:and |now )?times (\d)": "47 × {0}",
        r"(?:and |now )?(\d+) minus that": "{0} - 47",
        r"(?:and |now |next |ok |)(\d+ ?- ?\d+)": "{0}",
        r"(?:and |now |next |ok |)(\d+ ?\+ ?\d+)": "{0}",
    },
    "zh": {
        r"(你)?确定吗|再算一遍|等于多少来着": "32 + 15",
        r"(?:不对，)?(?:是|应该是)(\d+)，?不是15": "32 + {0}",
        r"(?:不对，)?不是32，?(?:是|而是)(\d+)": "{0} + 15",
        r"(?:不对|打错了|抱歉)，(?:是|应该是)?(\d+)": BARE,
        r"(?:把|将)?15(?:改成|换成)(\d+)": "32 + {0}",
        r"第一个(?:数|数字)?(?:是|应该是|改成)(\d+)": "{0} + 15",
        r"(?:不对，)?(?:是|应该是)减|(?:是|)减，?不是加": "32 - 15",
        r"(?:再|然后再|那再)加(\d+)": "47 + {0}",
        r"(?:再|那)?翻倍": "47 × 2",
        r"(?:拿走|去掉|减掉|用掉)(\d+)(?:个)?还剩多少": "47 - {0}",
        r"(?:再|那)?乘以?(\d)": "47 × {0}",
        r"(?:那|)(\d+ ?- ?\d+)(?:呢)?": "{0}",
        r"(?:那|)(\d+ ?\+ ?\d+)(?:呢)?": "{0}",
    },
}


@cache
def talks(language: Language, count: int = 6_000) -> tuple[tuple[Message, ...], ...]:
    rng = Random(f"talks {language}")
    return tuple(sums_on.sample(rng, language, "train").messages for _ in range(count))


def worked(numbers: tuple[int, ...], sign: str) -> int:
    if sign == "×":
        return numbers[0] * numbers[1]
    return numbers[0] - numbers[1] if sign == "-" else sum(numbers)


def like(new: str, old: str) -> bool:
    """Whether ``new`` shares a digit's place with ``old``, or is it backwards."""
    return len(new) == len(old) and (new == old[::-1] or any(map(str.__eq__, new, old)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_calculation_of_a_talk_is_right_and_none_is_held_out(language: Language) -> None:
    for messages in talks(language):
        for message in messages:
            if message["role"] != "assistant" or message["content"][:1] == "{":  # no order read before
                continue
            for line in message["content"].split("\n"):
                if found := SUM.fullmatch(line):
                    a, sign, b, third, result = found.groups()
                    numbers = tuple(int(n) for n in (a, b, third) if n)
                    assert result is None or int(result) == worked(numbers, sign), line
                    assert not arithmetic.is_held_out(int(a), sign, int(b)), line
                elif relation := RELATION.fullmatch(line):
                    _, left, sign, right = relation.groups()
                    assert sign == (">" if int(left) > int(right) else "=" if left == right else "<"), line


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_the_last_answer_is_reasoned_and_learned(language: Language) -> None:
    for messages in talks(language):
        *before, last = messages
        thought, answer = last["content"].removeprefix("<think>\n").split("\n</think>\n\n")
        assert thought.split("\n")[-1] == answer
        assert "weight" not in last
        assert [m["role"] for m in messages] == ["user", "assistant"] * (len(messages) // 2)
        for message in before:
            assert "<think>" not in message["content"]
            assert message["role"] == "user" or message["weight"] == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_of_a_calculation_were_said_before(language: Language) -> None:
    for messages in talks(language):
        said = " ".join(str(message["content"]) for message in messages[:-1]).casefold()
        last = messages[-1]["content"].split("\n")[-1]
        given = last.split(" = ")[0] if SUM.fullmatch(last) else RELATION.fullmatch(last).group(1)  # type: ignore[union-attr]
        for number in map(int, re.findall(r"\d+", given)):
            words = {columns.chinese(number)} if language == "zh" and number < 1000 else set()
            if language == "en" and number < 1000:
                words = {columns.english(number, hyphen) for hyphen in (True, False)}
            if number in (2, 3):  # double, triple, 两倍
                continue
            assert re.search(rf"(?<!\d){number}(?!\d)", said) or any(word in said for word in words), messages


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_turn_after_a_sum_means_what_it_says(language: Language) -> None:
    rng, seen = Random(f"meant {language}"), Counter[str]()
    for _ in range(40_000):
        question, calculation = next_turn(rng, language, LAST)
        for form, meant in MEANT[language].items():
            if found := re.fullmatch(rf"{form}[.?!？。！]*", question.casefold()):
                seen[form] += 1
                if meant == BARE:
                    assert not (like(found[1], "32") and like(found[1], "15")), question
                    wanted = f"{found[1]} + 15" if like(found[1], "32") else f"32 + {found[1]}"
                else:
                    wanted = re.sub(r" ?([+-]) ?", r" \1 ", meant.format(*found.groups()))
                assert calculation.lines(language)[0] == wanted, question
    assert set(seen) == set(MEANT[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sign_tells_the_next_one(language: Language) -> None:
    """What follows 32 + 15 in signs is a difference as often as a sum."""
    rng, signs = Random(f"signs {language}"), Counter[str]()
    for _ in range(20_000):
        question, _ = next_turn(rng, language, LAST)
        if found := re.search(r"\d+ ?([+-]) ?\d+", question):
            signs[found.group(1)] += 1
    assert signs["-"] > signs["+"] > 100


def test_held_out_asks_single_sums_as_before() -> None:
    for language in LANGUAGES:
        alone = [arithmetic.sample(rng, language, "held_out") for rng in map(Random, range(50))]
        assert alone == [sums_on.sample(rng, language, "held_out") for rng in map(Random, range(50))]


def test_a_fifth_of_the_rows_are_talks_of_up_to_five_turns() -> None:
    rows = list(islice(corpus.adapter_rows("math", 6_000, 4), 6_000))
    turns = Counter(sum(message["role"] == "user" for message in row["messages"]) for row in rows)
    assert set(turns) == {1, 2, 3, 4, 5}
    assert 1 - turns[1] / len(rows) == pytest.approx(0.2, abs=0.025)


@pytest.mark.parametrize(
    ("question", "numbers", "said"),
    [
        ("50-8", (50, 8), (0, 1)),
        ("subtract 8 from 50", (50, 8), (1, 0)),
        ("twenty-two more than 7", (7, 22), (1, 0)),
        ("180 and 18", (18, 180), (1, 0)),
        ("12, 38 and five", (12, 38, 5), (0, 1, 2)),
        ("22加到五十三上面", (53, 22), (1, 0)),
        ("四十二减二", (42, 2), (0, 1)),
    ],
)
def test_numbers_are_known_in_the_order_they_were_named(
    question: str, numbers: tuple[int, ...], said: tuple[int, ...]
) -> None:
    asked = Calculation.asked(question, "subtract", numbers)
    assert asked.said == said
    assert asked.in_order == (said == tuple(range(len(numbers))))
