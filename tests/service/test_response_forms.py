"""A response and the chat that it is made of: each in the other's form."""

from __future__ import annotations

from typing import Any

from service.responses.answer import ResponseAnswer
from service.responses.request import chat_of

TRACK = "where is my parcel"
THOUGHT = "<think>\n12 + 30 = 42\n</think>\n\nThe answer is 42."
SAMPLING = {"temperature": 1.0, "top_p": 1.0}
TOOL = {"type": "function", "name": "track", "parameters": {"type": "object"}, "strict": True}


def chunks(*deltas: dict[str, Any], reason: str) -> list[dict[str, Any]]:
    return [
        *({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
        {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 6}},
    ]


def test_tokens_of_reasoning_that_nobody_counted_are_left_out() -> None:
    """OpenAI always has the field; 0 where there is no reasoning is no guess."""
    for delta, details, told in (
        ({"reasoning_content": "hm"}, {}, {}),
        ({"reasoning_content": "hm"}, {"reasoning_tokens": 5}, {"reasoning_tokens": 5}),
        ({"content": "hi"}, {}, {"reasoning_tokens": 0}),
        ({"content": "hi"}, {"reasoning_tokens": 5}, {"reasoning_tokens": 5}),  # it was not shown
    ):
        answer = ResponseAnswer({}, SAMPLING)
        for chunk in chunks(delta, reason="stop"):
            if "usage" in chunk:
                chunk["usage"]["completion_tokens_details"] = details or None
            list(answer.take(chunk))
        list(answer.end())
        assert answer.last["usage"]["output_tokens_details"] == told


def test_calls_are_items_of_their_own() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "id": f"call_{index}", "function": function}]}

    answer = ResponseAnswer({"tools": [TOOL]}, {**SAMPLING, "temperature": 0.5})
    pieces = [call(0, name="track", arguments='{"id":'), call(0, arguments='"A"}'), call(1, name="track")]
    events = list(answer.begin())
    for chunk in chunks({"content": "One moment."}, *pieces, reason="tool_calls"):
        events += answer.take(chunk)
    events += answer.end()
    message, first, second = answer.last["output"]
    assert message["content"][0]["text"] == "One moment."
    assert (first["call_id"], first["arguments"], first["status"]) == ("call_0", '{"id":"A"}', "completed")
    assert (second["call_id"], second["name"], second["arguments"]) == ("call_1", "track", "")
    deltas = [event["delta"] for event in events if event["type"].endswith("arguments.delta")]
    assert "".join(deltas) == '{"id":"A"}'
    added = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    assert [item.get("arguments") for item in added] == [None, "", ""]
    assert (answer.last["usage"]["total_tokens"], answer.last["temperature"]) == (10, 0.5)


def test_an_answer_that_was_cut_is_incomplete() -> None:
    answer = ResponseAnswer({}, SAMPLING)
    for chunk in chunks({"content": "One"}, reason="length"):
        list(answer.take(chunk))
    *_, last = answer.end()
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["output"][0]["status"] == "incomplete"


def test_one_that_was_cut_while_it_was_reasoned_has_no_message() -> None:
    answer = ResponseAnswer({}, SAMPLING)
    for chunk in chunks({"reasoning_content": "Well"}, reason="length"):
        list(answer.take(chunk))
    list(answer.end())
    assert [item["type"] for item in answer.last["output"]] == ["reasoning"]


def test_an_answer_without_words_is_an_empty_message() -> None:
    answer = ResponseAnswer({}, SAMPLING)
    list(answer.end())
    assert [item["content"][0]["text"] for item in answer.last["output"]] == [""]


def test_a_conversation_with_calls_as_a_chat() -> None:
    chat = chat_of(
        {
            "model": "auto",
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": TRACK}]},
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "One moment.", "annotations": []}],
                },
                *(
                    {"type": "function_call", "call_id": f"c{n}", "name": "track", "arguments": "{}"}
                    for n in (0, 1)
                ),
                {"type": "function_call_output", "call_id": "c0", "output": "in Lyon"},
                {
                    "type": "function_call_output",
                    "call_id": "c1",
                    "output": [{"type": "input_text", "text": "lost"}],
                },
            ],
            "tools": [TOOL],
            "tool_choice": {"type": "function", "name": "track"},
            "text": {"format": {"type": "json_object"}},
            "reasoning": {"effort": "low"},
            "stream": True,
            "metadata": {"a": "b"},
            "store": False,
        }
    )

    def text(words: str) -> list[dict[str, str]]:
        return [{"type": "text", "text": words}]

    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": "track", "arguments": "{}"}} for n in (0, 1)
    ]
    function = {name: TOOL[name] for name in ("name", "parameters", "strict")}
    assert chat == {
        "model": "auto",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": text(TRACK)},
            {"role": "assistant", "content": text("One moment."), "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c0", "content": "in Lyon"},
            {"role": "tool", "tool_call_id": "c1", "content": text("lost")},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "track"}},
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
    }
