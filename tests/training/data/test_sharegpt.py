"""ShareGPT's turns, as LLaMA-Factory's files have them, are conversations with their calls."""

from __future__ import annotations

import json

import pytest

from tests.training.rows import TOOL
from training.data.formats import conversations
from training.data.row.fields import FieldError

CALL = {"name": "track", "arguments": '{"id": "PX1"}'}
CALLED = {"name": "track", "arguments": {"id": "PX1"}}


def test_sharegpt_is_a_conversation_with_its_calls() -> None:
    row = conversations.sharegpt(
        {
            "conversations": [
                {"from": "human", "value": "Where?"},
                {"from": "function_call", "value": '{"name": "track", "arguments": {"id": "PX1"}}'},
                {"from": "observation", "value": "Brno"},
                {"from": "gpt", "value": "In Brno."},
            ],
            "system": "Help.",
            "tools": json.dumps([TOOL["function"]]),
        }
    )
    assert [message["role"] for message in row.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert row.messages[2]["tool_calls"][0]["function"] == {"name": "track", "arguments": {"id": "PX1"}}
    assert row.tools == (TOOL,)  # as serving has it: the template must render what it will


def test_sharegpt_may_speak_as_openai_does() -> None:
    """As LLaMA-Factory's files with ``role_tag: role`` and ``content_tag: content``."""
    turns = [{"role": "user", "content": "red?"}, {"role": "assistant", "content": "blue"}]
    assert conversations.sharegpt({"conversations": turns}) == conversations.messages({"messages": turns})
    with pytest.raises(FieldError) as caught:
        conversations.sharegpt({"conversations": [{"role": "bot", "content": "x"}]})
    assert caught.value.field == "conversations.0.role"


@pytest.mark.parametrize(
    ("field", "turn"),
    [
        ("conversations.0.from", {"from": "bot", "value": "x"}),
        ("conversations.0.from", "x"),
        ("conversations.0.value", {"from": "gpt", "value": 7}),
        ("conversations.0.value", {"from": "function_call", "value": "track"}),
    ],
)
def test_the_field_of_a_bad_sharegpt_row_is_named(field: str, turn: object) -> None:
    with pytest.raises(FieldError) as caught:
        conversations.sharegpt({"conversations": [turn]})
    assert caught.value.field == field


@pytest.mark.parametrize("speaker", ["assistant", "gpt"])
def test_sharegpts_turns_in_openais_form_keep_their_calls(speaker: str) -> None:
    call = {"type": "function", "function": CALL}
    turns = [{"role": "user", "content": "a"}, {"role": speaker, "content": None, "tool_calls": [call]}]
    turn = conversations.sharegpt({"conversations": turns}).messages[1]
    assert turn == {"role": "assistant", "content": None, "tool_calls": [call | {"function": CALLED}]}


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_call_holds_no_number_that_json_has_not(number: str) -> None:
    value = f'{{"name": "track", "arguments": {{"id": {number}}}}}'
    with pytest.raises(FieldError, match="holds NaN or Infinity") as caught:
        conversations.sharegpt({"conversations": [{"from": "function_call", "value": value}]})
    assert caught.value.field == "conversations.0.value.function.arguments"


def test_a_speaker_that_nobody_knows_is_told_with_what_to_call_him() -> None:
    with pytest.raises(FieldError) as caught:
        conversations.sharegpt({"conversations": [{"from": "bing", "value": "red"}]})
    assert caught.value.field == "conversations.0.from"
    assert "found 'bing'; rename it in the file, or give the source `columns: {assistant_tag: bing}`" in (
        caught.value.problem
    )
    with pytest.raises(FieldError) as caught:
        conversations.sharegpt({"conversations": [{"speaker": "human", "text": "red"}]})
    assert caught.value.field == "conversations.0.from"
    told = "the turn has speaker, text; where its keys are called otherwise, give the source `columns: {role_"
    assert told in caught.value.problem
