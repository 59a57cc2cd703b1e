"""Preferences in every form become pairs, and the field of a bad one is named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.preferences import ASKED, BAD, GOOD
from tests.training.rows import TOOL
from training.data.formats import preferences
from training.data.formats.pair import Pair
from training.data.row.fields import FieldError


def parted(message: dict[str, Any]) -> dict[str, Any]:
    """As LLaMA-Factory writes a message from version 1 on."""
    return message | {"content": [{"type": "text", "value": message["content"]}]}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "red?", "chosen": "blue 7", "rejected": "green"},
        {"prompt": [ASKED], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": ASKED, "chosen": GOOD, "rejected": "green"},
        {"messages": [ASKED], "chosen": GOOD, "rejected": BAD},
        {"prompt": "red?", "messages": [ASKED], "chosen": "blue 7", "rejected": "green"},
        {"prompt": "red?", "messages": [ASKED, GOOD], "chosen": [GOOD], "rejected": BAD},
        {"prompt": [ASKED], "messages": None, "chosen": "blue 7", "rejected": "green"},
        {"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"prompt": "red?", "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"messages": [ASKED], "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"messages": [ASKED, GOOD], "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]},
        {"chosen_messages": [ASKED, GOOD], "rejected_messages": [ASKED, BAD]},
        {"chosen_messages": [parted(ASKED), GOOD], "rejected_messages": [ASKED, parted(BAD)]},
    ],
)
def test_every_form_of_a_pair_is_the_same_pair(row: dict[str, Any]) -> None:
    assert preferences.pairs(row) == Pair((ASKED,), GOOD, BAD)


@pytest.mark.parametrize("key", ["prompt", "messages"])
def test_turns_that_are_not_those_before_the_answers_are_told(key: str) -> None:
    other = {"role": "user", "content": "green?"}
    with pytest.raises(FieldError, match="remove it, or make it the turns before") as caught:
        preferences.pairs({key: [other], "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]})
    assert caught.value.field == key


def test_messages_that_are_another_prompt_than_the_one_that_is_read_are_told() -> None:
    more = [{"role": "system", "content": "Say a colour."}, ASKED]
    with pytest.raises(FieldError, match="is not what stands in prompt, which is read; remove it") as caught:
        preferences.pairs({"prompt": "red?", "messages": more, "chosen": "blue 7", "rejected": "green"})
    assert caught.value.field == "messages"


def test_rows_of_one_answer_are_told_that_there_must_be_two() -> None:
    with pytest.raises(FieldError, match=r"two answers: .*the better first; the row has instruction, output"):
        preferences.alpaca({"instruction": "red?", "output": "blue"})
    with pytest.raises(FieldError, match=r"two answers: chosen and rejected; the row has conversations"):
        preferences.sharegpt({"conversations": [ASKED, GOOD]})


def test_llama_factorys_ranking_rows_are_pairs() -> None:
    assert preferences.sharegpt(
        {
            "conversations": [{"from": "human", "value": "red?"}],
            "chosen": {"from": "gpt", "value": "blue 7"},
            "rejected": {"from": "gpt", "value": "green"},
        }
    ) == Pair((ASKED,), GOOD, BAD)
    assert preferences.sharegpt({"conversations": [ASKED], "chosen": GOOD, "rejected": BAD}) == Pair(
        (ASKED,), GOOD, BAD
    )
    row = {"instruction": "red?", "input": "", "chosen": "blue 7", "rejected": "green"}
    assert preferences.alpaca(row) == Pair((ASKED,), GOOD, BAD)
    assert preferences.alpaca(row | {"tools": [TOOL]}) == Pair((ASKED,), GOOD, BAD, (TOOL,))
    assert preferences.alpaca({"instruction": "red?", "output": ["blue 7", "green"]}) == Pair(
        (ASKED,), GOOD, BAD
    )


@pytest.mark.parametrize(
    ("reader", "field", "row"),
    [
        ("pairs", "chosen", {"prompt": "a", "rejected": "b"}),
        ("pairs", "rejected", {"prompt": "a", "chosen": "b", "rejected": 7}),
        ("pairs", "prompt", {"chosen": "a", "rejected": "b"}),
        ("pairs", "prompt", {"prompt": [ASKED, GOOD], "chosen": "a", "rejected": "b"}),
        ("pairs", "prompt", {"prompt": "late?", "chosen": [ASKED, GOOD], "rejected": [ASKED, BAD]}),
        ("pairs", "chosen", {"prompt": "a", "chosen": [ASKED], "rejected": [BAD]}),
        ("pairs", "chosen", {"prompt": "a", "chosen": [GOOD, ASKED, GOOD], "rejected": [BAD]}),
        ("pairs", "rejected", {"chosen": [ASKED, GOOD], "rejected": [{**ASKED, "content": "b"}, BAD]}),
        ("pairs", "margin", {"prompt": "a", "chosen": "b", "rejected": "c", "margin": "1"}),
        ("pairs", "chosen.0.role", {"prompt": "a", "chosen": [{"role": "bot"}], "rejected": "c"}),
        ("alpaca", "output", {"instruction": "a", "output": ["b", "c", "d"]}),
        ("alpaca", "rejected", {"instruction": "a", "chosen": "b"}),
        ("sharegpt", "chosen", {"conversations": [{"from": "human", "value": "a"}]}),
        ("labels", "label", {"prompt": "a", "completion": "b", "label": "yes"}),
        ("labels", "completion", {"prompt": "a", "label": True}),
    ],
)
def test_the_field_of_a_bad_preference_is_named(reader: str, field: str, row: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        preferences.FORMS[reader](row)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("reader", "field", "row"),
    [
        (preferences.pairs, "rejected", {"prompt": "a", "chosen": "b", "rejected": " "}),
        (preferences.pairs, "chosen", {"prompt": "a", "chosen": "", "rejected": "b"}),
        (preferences.alpaca, "rejected", {"instruction": "a", "output": ["b", ""]}),
        (preferences.labels, "completion", {"prompt": "a", "completion": "", "label": True}),
    ],
)
def test_an_answer_that_says_nothing_is_told(reader: Any, field: str, row: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match="says nothing") as caught:
        reader(row)
    assert caught.value.field == field
