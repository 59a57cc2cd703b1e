"""OpenAI's messages, and what public files write among them: calls, weights, typed parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.rows import TOOL, read, said, write_rows
from training.data.formats import conversations
from training.data.formats.conversations import Row
from training.data.formats.message import MARKS
from training.data.row.fields import FieldError
from training.errors import BadRows

CALL = {"name": "track", "arguments": '{"id": "PX1"}'}
CALLED = {"name": "track", "arguments": {"id": "PX1"}}


@pytest.mark.parametrize(
    ("field", "row"),
    [
        ("messages.0", {"messages": ["red"]}),
        ("messages.0.content", {"messages": [{"role": "assistant", "content": None}]}),
        ("messages.0.content.1", {"messages": [{"role": "user", "content": ["a", {"type": "image_url"}]}]}),
        ("messages.0.tool_calls", {"messages": [{"role": "assistant", "tool_calls": {"name": "x"}}]}),
        ("messages.0.tool_calls.0.function.name", {"messages": [{"role": "assistant", "tool_calls": [{}]}]}),
        (
            "messages.0.tool_calls.0.function.arguments",
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"function": {"name": "x", "arguments": "{"}}]}
                ]
            },
        ),
        ("messages.0.weight", {"messages": [{"role": "assistant", "content": "x", "weight": "0"}]}),
        ("messages.0.weight", {"messages": [{"role": "assistant", "content": "x", "weight": 0.5}]}),
        ("tools", {"messages": [{"role": "user", "content": "x"}], "tools": "track"}),
        ("tools.0", {"messages": [{"role": "user", "content": "x"}], "tools": ["track"]}),
        ("tools.1", {"messages": [{"role": "user", "content": "x"}], "tools": [TOOL, {"type": "function"}]}),
        (
            "tools.0.parameters",
            {
                "messages": [{"role": "user", "content": "x"}],
                "tools": [{"name": "track", "parameters": []}],
            },
        ),
    ],
)
def test_the_field_of_a_bad_conversation_is_named(field: str, row: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        conversations.messages(row)
    assert caught.value.field == field


def test_arguments_given_as_openais_text_are_the_same_row() -> None:
    def row(arguments: object) -> Row:
        call = {"type": "function", "function": {"name": "track", "arguments": arguments}}
        return conversations.messages(
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]}
        )

    assert row('{"id": "PX1"}') == row({"id": "PX1"})


def test_openais_old_function_call_is_a_call() -> None:
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None, "function_call": CALL},
        {"role": "function", "name": "track", "content": "Brno"},
    ]
    _, turn, result = conversations.messages({"messages": turns}).messages
    assert turn == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"type": "function", "function": CALLED}],
    }
    assert result["role"] == "tool"
    changes: list[tuple[dict[str, Any], str]] = [
        ({"function_call": {"name": "track", "arguments": "{"}}, "messages.0.function_call.arguments"),
        ({"function_call": "track"}, "messages.0.function_call.name"),
        ({"tool_calls": [{"function": CALL}]}, "messages.0.function_call"),
    ]
    for change, field in changes:
        with pytest.raises(FieldError) as caught:
            conversations.messages({"messages": [turns[1] | change]})
        assert caught.value.field == field


def test_calls_may_stand_behind_a_thought_and_under_openais_roles() -> None:
    """LLaMA-Factory's turns of function_call, in sharegpt's form and among OpenAI's messages."""
    call = '{"name": "track", "arguments": {"id": "PX1"}}'
    value = f"<think>\nWhich one? {{}}\n</think>\n\n[{call}, {call}]"
    turns = [{"from": "human", "value": "a"}, {"from": "function_call", "value": value}]
    messages = [
        {"role": "user", "content": "a"},
        {"role": "function_call", "content": value, "weight": 0},
        {"role": "observation", "content": "Brno"},
    ]
    by_sharegpt = conversations.sharegpt({"conversations": turns}).messages[1]
    _, by_openai, observed = conversations.messages({"messages": messages}).messages
    assert by_openai == by_sharegpt | {"weight": 0}
    assert by_sharegpt["content"] == "<think>\nWhich one? {}\n</think>\n\n"
    functions = [one["function"] for one in by_sharegpt["tool_calls"]]
    assert functions == [{"name": "track", "arguments": {"id": "PX1"}}] * 2
    assert (observed["role"], observed["content"]) == ("tool", "Brno")
    with pytest.raises(FieldError, match="is not JSON") as caught:
        conversations.messages({"messages": [{"role": "function_call", "content": "<think>a</think> track"}]})
    assert caught.value.field == "messages.0.content"


def test_typed_parts_are_thoughts_words_and_calls() -> None:
    """As LLaMA-Factory writes messages from version 1 on; a loss_weight of 0 is what is not learned."""
    call = {"type": "tool_call", "value": '{"name": "track", "arguments": {"id": "PX1"}}'}
    turns = [
        {"role": "user", "content": [{"type": "text", "value": "Where?"}], "loss_weight": 0.0},
        {"role": "assistant", "content": [{"type": "reasoning", "value": "PX1"}, call], "loss_weight": 0.0},
        {"role": "tool", "content": [{"type": "text", "value": "Brno"}]},
        {"role": "assistant", "content": [{"type": "text", "value": "In Brno."}], "loss_weight": 1.0},
    ]
    asked, called, found, answer = conversations.messages({"messages": turns}).messages
    assert (asked["content"], "weight" in asked) == ("Where?", False)
    assert (called["content"], called["weight"]) == ("<think>\nPX1\n</think>\n\n", 0)
    assert called["tool_calls"][0]["function"] == {"name": "track", "arguments": {"id": "PX1"}}
    assert (found["content"], answer["content"], answer["weight"]) == ("Brno", "In Brno.", 1)
    call["value"] = "track"
    with pytest.raises(FieldError) as caught:
        conversations.messages({"messages": turns})
    assert caught.value.field == "messages.1.tool_calls.0.function.name"


@pytest.mark.parametrize("key", MARKS)
def test_a_weight_is_honoured_whatever_the_form(key: str) -> None:
    unlearned: dict[str, Any] = {key: 0}
    by_openai = conversations.messages(said("a", "b", **unlearned)).messages[1]
    turns = [{"from": "human", "value": "a", key: 0}, {"from": "gpt", "value": "b", key: 0}]
    asked, by_sharegpt = conversations.sharegpt({"conversations": turns}).messages
    assert asked == {"role": "user", "content": "a"}
    assert by_openai == by_sharegpt == {"role": "assistant", "content": "b", "weight": 0}
    with pytest.raises(FieldError, match=r"must be 0 \(not learned\) or 1") as caught:
        conversations.sharegpt({"conversations": [turns[1] | {key: 0.5}]})
    assert caught.value.field == f"conversations.0.{key}"


@pytest.mark.parametrize(
    ("form", "field", "row"),
    [
        ("messages", "messages.1", said("a", " \n")),
        ("messages", "messages.1", said("a", "") | {"conversations": None}),
        ("messages", "messages.1", said("a", "<think>\n\n</think>\n\n")),
        ("messages", "messages.1", said("a", "", tool_calls=[])),
        ("messages", "messages.1", {"system": "x", **said("a", "")}),
        (
            "prompt_completion",
            "completion.0",
            {"system": "x", "prompt": "a", "completion": said("b", "")["messages"][1:]},
        ),
        (
            "sharegpt",
            "conversations.1",
            {"system": "x", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": ""}]},
        ),
        ("sharegpt", "conversations.0.value", {"conversations": [{"from": "function_call", "value": "[]"}]}),
        ("alpaca", "output", {"instruction": "a", "output": ""}),
        ("alpaca", "answer", {"question": "a", "answer": " "}),
        ("alpaca", "history", {"history": [["a", ""]], "instruction": "b", "output": "c"}),
    ],
)
def test_an_answer_that_says_nothing_is_told(
    tmp_path: Path, form: str, field: str, row: dict[str, Any]
) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [row])
    with pytest.raises(
        BadRows, match=r"rows\.jsonl:1: .*(says nothing|no calls).* leave the row out"
    ) as caught:
        read(path, form)
    assert caught.value.rows[0].field == field


def test_what_says_nothing_may_stand_where_it_is_not_learned(tmp_path: Path) -> None:
    rows = [said("a", "", weight=0), said("a", "<think>\nb\n</think>\n\n")]
    assert len(read(write_rows(tmp_path / "rows.jsonl", rows), "messages")) == 2
