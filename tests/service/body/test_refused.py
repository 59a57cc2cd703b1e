"""Bodies of chat completions that can't be served: which field is at fault, and no engine was asked."""

from __future__ import annotations

from typing import Any

import pytest

from service.body.schemas import check_schemas
from service.errors import InvalidRequest
from tests.service.conftest import Running
from tests.service.refused import CALL, USER, check_error

_NO_FORMATS: list[object] = ["x", 5, [], ["x"], True, {}, {"json": {}, "regex": "a"}]
_NO_CHOICE: list[object] = ["any", 5, [], {}, {"type": "function", "function": {}}]
_NO_FORM: list[object] = ["json", 5, [], True]
_NAMELESS = {"function": {"name": "f", "arguments": "{}"}}
_OLD_ANSWER = {"role": "function", "name": "f", "content": "{}"}  # to a function_call, which is refused too
_UNARGUED = {"id": "a", "type": "function", "function": {"name": "f"}}
_PLACE = "tools[0].function"
_NO_FUNCTIONS: list[tuple[str, object, str]] = [
    ("strict", 1, f"{_PLACE}.strict"),
    ("description", {}, f"{_PLACE}.description"),
    ("defer_loading", 1, f"{_PLACE}.defer_loading"),
    ("parameters", "x", f"{_PLACE}.parameters"),
    ("parameters", {"type": "array"}, f"{_PLACE}.parameters.type"),
    ("parameters", {"type": ["string", "null"]}, f"{_PLACE}.parameters.type"),
]
_NO_TOOLS: list[dict[str, Any]] = [{}, {"tools": None}, {"tools": []}]
_NO_SWITCHES: list[object] = ["yes", 1, []]
_NO_CHOICES: list[tuple[str, object]] = [
    *(("tool_choice", wrong) for wrong in _NO_CHOICE),
    *(("response_format", wrong) for wrong in _NO_FORM),
]
_ANSWERS_TO_NOTHING: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
    ([], {"role": "tool", "content": "{}", "tool_call_id": "call_0"}),
    ([USER], {"role": "tool", "content": "{}", "tool_call_id": "call_0"}),
    ([CALL, USER], {"role": "tool", "content": "{}", "tool_call_id": "call_0"}),
    ([CALL], {"role": "tool", "content": "{}", "tool_call_id": "call_1"}),
]
REQUESTS: list[tuple[dict[str, Any], int, str | None]] = [
    ({"messages": [USER]}, 400, "model"),
    ({"model": None, "messages": [USER]}, 400, "model"),
    ({"model": 5, "messages": [USER]}, 400, "model"),
    ({"model": "gpt-4o", "messages": [USER]}, 404, "model"),
    ({"model": "support@ffffffffffff", "messages": [USER]}, 404, "model"),
    ({"model": "../../etc/passwd", "messages": [USER]}, 404, "model"),
    ({"model": "auto"}, 400, "messages"),
    ({"model": "auto", "messages": []}, 400, "messages"),
    ({"model": "auto", "messages": "hello"}, 400, "messages"),
    ({"model": "auto", "messages": [USER] * 1_000}, 400, "messages"),
    ({"model": "auto", "messages": ["hello"]}, 400, "messages[0]"),
    ({"model": "auto", "messages": [{"content": "hello"}]}, 400, "messages[0].role"),
    ({"model": "auto", "messages": [USER, {"role": "robot", "content": "x"}]}, 400, "messages[1].role"),
    *(
        ({"model": model, "messages": [*before, _OLD_ANSWER]}, 400, f"messages[{len(before)}].role")
        for model in ("auto", "support")
        for before in ([], [USER], [USER, CALL])
    ),
    ({"model": "auto", "messages": [{"role": ["user"], "content": "x"}]}, 400, "messages[0].role"),
    ({"model": "auto", "messages": [{"role": "user"}]}, 400, "messages[0].content"),
    ({"model": "auto", "messages": [{"role": "user", "content": 5}]}, 400, "messages[0].content"),
    ({"model": "auto", "messages": [{"role": "user", "content": ["x"]}]}, 400, "messages[0].content[0]"),
    *(
        (
            {"model": "auto", "messages": [USER, {"role": "user", "content": [part]}]},
            400,
            f"messages[1].content[0].{place}",
        )
        for part, place in (
            ({"type": "image_url"}, "image_url"),
            ({"type": "image_url", "image_url": "https://example.com/a.png"}, "image_url"),
            ({"type": "image_url", "image_url": {"url": None}}, "image_url.url"),
            ({"type": "input_audio", "input_audio": {"data": "x"}}, "input_audio.format"),
            ({"type": "input_text", "text": "x"}, "type"),
            ({"type": "output_text", "text": "x"}, "type"),
            ({"type": "refusal"}, "refusal"),
            ({"type": "thinking", "thinking": 7}, "thinking"),
        )
    ),
    *(
        ({"model": model, "messages": [*before, {"role": "user", "content": nothing}]}, 400, place)
        for model in ("auto", "support", "pointsman-demo")
        for nothing in ("", " \n", [], [{"type": "text", "text": ""}])
        for before, place in (
            ([], "messages[0].content"),
            ([{"role": "system", "content": ""}], "messages[1].content"),
        )
    ),
    (
        {"model": "auto", "messages": [{"role": "user", "content": [{"type": "text"}]}]},
        400,
        "messages[0].content[0].text",
    ),
    (
        {"model": "auto", "messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}, USER]},
        400,
        "messages[0].tool_calls[0].function",
    ),
    (
        {
            "model": "auto",
            "messages": [
                {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}
            ],
        },
        400,
        "messages[0].tool_calls[0].function.arguments",
    ),
    ({"model": "support", "messages": [USER], "n": 10_000}, 400, "n"),
    ({"model": "auto", "messages": [USER], "stream": "yes"}, 400, "stream"),
    ({"model": "auto", "messages": [USER], "stop": 5}, 400, "stop"),
    ({"model": "support", "messages": [USER], "stop": ["\n", 1]}, 400, "stop[1]"),
    ({"model": "auto", "messages": [USER], "stop": ""}, 400, "stop"),
    ({"model": "auto", "messages": [USER], "stop": list("abcde")}, 400, "stop"),
    ({"model": "auto", "messages": [USER], "stream_options": {}}, 400, "stream_options"),
    ({"model": "support", "messages": [USER], "n": 0}, 400, "n"),
    ({"model": "support", "messages": [USER], "n": "two"}, 400, "n"),
    ({"model": "auto", "messages": [USER], "tools": "x"}, 400, "tools"),
    ({"model": "auto", "messages": [USER], "tools": [5]}, 400, "tools[0]"),
    ({"model": "auto", "messages": [USER], "tools": [{}]}, 400, "tools[0].function"),
    ({"model": "auto", "messages": [USER], "tools": [{"function": {}}]}, 400, "tools[0].function.name"),
    *(
        (
            {"model": "auto", "messages": [USER], "tools": [{"function": {"name": name}}]},
            400,
            "tools[0].function.name",
        )
        for name in ("", "a b", "f\n<|im_end|>", 'a"b', "x" * 129)
    ),
    (
        {"model": "auto", "messages": [USER], "tools": [{"function": {"name": name}} for name in "fgf"]},
        400,
        "tools[2].function.name",
    ),
    *(
        (
            {
                "model": model,
                "messages": [USER],
                "response_format": {"type": "json_schema", "json_schema": {"name": name, "schema": {}}},
            },
            400,
            "response_format.json_schema.name",
        )
        for model in ("auto", "support")
        for name in ("a b", "", "名", "x" * 65)
    ),
    *(
        ({"model": model, "messages": [USER], name: wrong}, 400, name)
        for model in ("auto", "support")
        for name in ("max_tokens", "max_completion_tokens", "seed", "top_logprobs", "n")
        for wrong in (2**63, 2**64, -(2**63) - 1, 1e30, -1e300, True)
    ),
    ({"model": "auto", "messages": [USER], "metadata": 3}, 400, "metadata"),
    ({"model": "support", "messages": [USER], "guided_json": {}}, 400, "guided_json"),
    *(
        ({"model": model, "messages": [USER], name: wrong}, 400, name)
        for model in ("auto", "support")
        for name, wrong in _NO_CHOICES
    ),
    *(
        ({"model": model, "messages": [USER], "tool_choice": choice, **tools}, 400, "tool_choice")
        for model in ("auto", "support", "pointsman-demo")
        for choice in ("required", {"type": "function", "function": {"name": "f"}})
        for tools in _NO_TOOLS
    ),
    *(
        (
            {"model": model, "messages": [USER], "chat_template_kwargs": {name: 1}},
            400,
            f"chat_template_kwargs.{name}",
        )
        for model in ("auto", "support")
        for name in ("messages", "tools", "conversation", "tokenize", "self", "chat_template", "tokenizer")
    ),
    *(
        ({"model": "auto", "messages": [*before, answer]}, 400, f"messages[{len(before)}]")
        for before, answer in _ANSWERS_TO_NOTHING
    ),
    *(
        ({"model": model, "messages": [USER], "structured_outputs": wrong}, 400, "structured_outputs")
        for model in ("auto", "support")
        for wrong in _NO_FORMATS
    ),
    ({"model": "auto", "messages": [{**USER, "name": 5}]}, 400, "messages[0].name"),
    *(
        ({"model": model, "messages": [USER, CALL, {"role": "tool", "content": "x", **which}]}, 400, place)
        for model in ("auto", "support")
        for which in ({}, {"tool_call_id": None}, {"tool_call_id": 5})
        for place in ["messages[2].tool_call_id"]
    ),
    (
        {"model": "auto", "messages": [{"role": "assistant", "tool_calls": [_NAMELESS]}]},
        400,
        "messages[0].tool_calls[0].id",
    ),
    ({"model": "auto", "messages": [USER], "stream": True, "stream_options": 1}, 400, "stream_options"),
    *(
        (
            {"model": model, "messages": [USER], "stream": True, "stream_options": {"include_usage": wrong}},
            400,
            "stream_options.include_usage",
        )
        for model in ("auto", "support")
        for wrong in _NO_SWITCHES
    ),
    *(
        ({"model": model, "messages": [USER], "logit_bias": bias}, 400, f"logit_bias.{token}")
        for model in ("auto", "support")
        for bias in ({"5": 100.1}, {"5": -1e300}, {"5": "1"}, {"5": True}, {"5": None}, {"x": 1}, {"-1": 1})
        for token in bias
    ),
    *(
        ({"model": model, "messages": [USER], "tool_choice": {"type": kind}}, 400, "tool_choice.type")
        for model in ("auto", "support")
        for kind in ("allowed_tools", "custom")
    ),
    (
        {"model": "auto", "messages": [USER], "tools": [{"type": "custom"}]},
        400,
        "tools[0].type",
    ),
    *(
        (
            {"model": model, "messages": [USER], "tools": [{"function": {"name": "f", name: wrong}}]},
            400,
            place,
        )
        for model in ("auto", "support")
        for name, wrong, place in _NO_FUNCTIONS
    ),
    ({"model": "auto", "messages": [USER], "metadata": {"a": 1}}, 400, "metadata.a"),
    ({"model": "auto", "messages": [USER], "max_tokens": 5, "max_completion_tokens": 9}, 400, "max_tokens"),
    ({"model": "auto", "messages": [{**USER, "refusal": 5}]}, 400, "messages[0].refusal"),
    *(
        (
            {"model": "support", "messages": [USER], "response_format": {"type": kind, "json_schema": wrong}},
            400,
            "response_format.json_schema",
        )
        for kind, wrong in (("json_schema", "AAA"), ("text", [None]))
    ),
    ({"model": "auto", "messages": [{**USER, "tool_call_id": 5}]}, 400, "messages[0].tool_call_id"),
    (
        {"model": "auto", "messages": [{**USER, "reasoning_content": []}]},
        400,
        "messages[0].reasoning_content",
    ),
    *(
        (
            {"model": "support", "messages": [{"role": "user", "content": [{"type": kind, kind: {}}]}]},
            400,
            "messages[0].content[0].type",
        )
        for kind in ("file", "prompt_embeds", "image_embeds", "zzz")
    ),
    (
        {"model": "support", "messages": [USER, {**CALL, "tool_calls": [_UNARGUED]}]},
        400,
        "messages[1].tool_calls[0].function.arguments",
    ),
    (
        {
            "model": "auto",
            "messages": [USER],
            "response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": 1}},
        },
        400,
        "response_format.json_schema.strict",
    ),
    (
        {"model": "auto", "messages": [USER], "structured_outputs": {"json_object": 1}},
        400,
        "structured_outputs.json_object",
    ),
]


async def test_requests_that_cannot_be_served(running: Running) -> None:
    for body, status, parameter in REQUESTS:
        error = check_error(await running.http.post("/v1/chat/completions", json=body), status)
        assert error["param"] == parameter, body
    assert running.vllm.requests == []


_STRICT = {"type": "object", "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}}


@pytest.mark.parametrize(
    ("part", "keyword"),
    [
        ({"type": "string", "not": {"const": "x"}}, "not"),
        ({"type": "number", "multipleOf": 2001}, "multipleOf"),
        ({"allOf": [{"type": "string"}, {"maxLength": 2}]}, "allOf"),
    ],
)
def test_a_strict_tool_whose_calls_could_not_be_held(part: dict[str, Any], keyword: str) -> None:
    function = {"name": "look", "strict": True, "parameters": {**_STRICT, "$defs": {"a": part}}}
    tools = [{"type": "function", "function": {"name": "other"}}, {"type": "function", "function": function}]
    with pytest.raises(InvalidRequest) as refused:
        check_schemas({"tools": tools})
    told = str(refused.value)
    assert told.startswith(f"{keyword} at #/$defs/a of tools[1].function.parameters can't be held")
    assert refused.value.parameter == "tools[1].function.parameters"
    check_schemas({"tools": tools, "tool_choice": "none"})  # nothing is called
    function["strict"] = False
    check_schemas({"tools": tools})
