"""A thought beside an answer is learned as the base's template renders thoughts, or in the answer's text."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.training.rows import said
from training.data.formats import conversations
from training.data.formats.pair import Pair
from training.data.formats.preferences import pairs
from training.data.rendering import render, turns
from training.data.row.fields import FieldError

KEYS = ("reasoning_content", "reasoning", "thinking")


def learned(tokenizer: Any, row: conversations.Row) -> str:
    ids, mask = render.tokens(tokenizer, row, "sft")
    return str(tokenizer.decode([token for token, taken in zip(ids, mask, strict=True) if taken]))


@pytest.mark.parametrize("key", KEYS)
def test_a_thought_stands_before_the_answer_where_the_template_knows_none(tokenizer: Any, key: str) -> None:
    turn = {"from": "gpt", "value": "blue", key: "red or blue?\n"}
    for row in (
        conversations.messages(said("red?", "blue", **{key: "red or blue?\n"})),
        conversations.sharegpt({"conversations": [{"from": "human", "value": "red?"}, turn]}),
    ):
        assert learned(tokenizer, row) == "<think>\nred or blue?\n</think>\n\nblue<|im_end|>"


@pytest.mark.parametrize("key", KEYS)
def test_a_thought_beside_an_alpaca_answer_is_its(tokenizer: Any, key: str) -> None:
    assert key in conversations.FORMS["alpaca"].fields
    row = conversations.alpaca({"instruction": "red?", "output": "blue", key: "late"})
    assert learned(tokenizer, row) == "<think>\nlate\n</think>\n\nblue<|im_end|>"


@pytest.mark.parametrize("key", KEYS)
def test_a_template_that_knows_thoughts_renders_them(tokenizer: Any, key: str) -> None:
    """Whichever of the keys it reads, and whichever the file has."""
    knows = copy.deepcopy(tokenizer)
    knows.chat_template = tokenizer.chat_template.replace(
        "{%- set content = text(message.content) -%}",
        f'{{%- set content = "[" ~ message.{key} ~ "] " ~ text(message.content) -%}}',
    )
    for given in KEYS:
        row = conversations.messages(said("red?", "blue", **{given: "late"}))
        assert learned(knows, row) == "[late] blue<|im_end|>"


def test_a_template_that_only_names_thoughts_does_not_lose_them(tokenizer: Any) -> None:
    """As where a part of the content has the type ``thinking``, or thoughts are shown beside calls alone."""
    names = copy.deepcopy(tokenizer)
    names.chat_template = tokenizer.chat_template.replace(
        "{%- set content = text(message.content) -%}",
        "{%- set content = (message.reasoning_content if message.tool_calls else '') ~ text(message.content)"
        " -%}{%- for block in message.content if block is mapping and block['type'] == 'thinking' -%}"
        "{%- endfor -%}",
    )
    row = conversations.messages(said("red?", "blue", thinking="late"))
    assert learned(names, row) == "<think>\nlate\n</think>\n\nblue<|im_end|>"
    call = {"type": "function", "function": {"name": "f", "arguments": {}}}
    row = conversations.messages(said("red?", "", thinking="late", tool_calls=[call]))
    assert learned(names, row).startswith("late\n<tool_call>")


def test_a_thought_of_a_preference_is_learned(tokenizer: Any) -> None:
    asked, answer = said("red?", "blue", reasoning_content="late")["messages"]
    row = pairs({"prompt": [asked], "chosen": [answer], "rejected": "green"})
    assert isinstance(row, Pair)
    ids, start = turns.answered(
        tokenizer, row.prompt, row.chosen, (), end=turns.end_of_turn(tokenizer), where=""
    )
    assert tokenizer.decode(ids[start:]) == "<think>\nlate\n</think>\n\nblue<|im_end|>"


def test_a_thought_of_another_speaker_or_none_is_no_thought() -> None:
    """As in sets whose columns are there for every message."""
    asked, answer = said("red?", "blue", thinking=None)["messages"]
    row = conversations.messages({"messages": [asked | {"thinking": None}, answer]})
    assert row == conversations.messages(said("red?", "blue"))


def test_a_thought_is_a_text_and_given_once() -> None:
    for answer, thought in (("blue", ["late"]), ("<think>late</think>blue", "late")):
        with pytest.raises(FieldError) as caught:
            conversations.messages(said("red?", answer, reasoning_content=thought))
        assert caught.value.field == "messages.1.reasoning_content"
    conversations.messages(said("red?", "blue", reasoning="late", thinking="late"))
    with pytest.raises(FieldError, match=r"is another thought than reasoning, .*; leave one out") as caught:
        conversations.messages(said("red?", "blue", reasoning="late", thinking="early"))
    assert caught.value.field == "messages.1.thinking"
