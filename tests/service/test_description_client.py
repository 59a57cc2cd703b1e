"""What the OpenAPI document says of a client's requests: what they may hold is as it is taken."""

from __future__ import annotations

from typing import Any

from service.api.description import described
from service.sections import GatewaySettings
from tests.service.body.test_served import FINE
from tests.service.conftest import Running
from tests.service.described import USER, document, schema_of
from tests.service.refused import CALL, check_error


def test_what_must_stand_together_is_described() -> None:
    schema = schema_of(described(GatewaySettings()), "/v1/chat/completions", "post", None)
    refused: list[dict[str, Any]] = [
        {"messages": [{"role": "tool"}]},
        {"messages": [USER, {"role": "function", "name": "f", "content": "x"}]},
        {"messages": [{"role": "user", "content": " "}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}, {"role": "assistant"}]},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "user", "content": [{"type": "poem", "text": "x"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 5}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}]},
        {"messages": [{**USER, "name": []}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
        {"stream_options": {}},
        {"stream_options": {"include_usage": True}, "stream": False},
    ]
    for more in refused:
        assert not schema.is_valid({"model": "support", "messages": [USER], **more}), more
    schema.validate({"model": "auto", "messages": [{"role": "assistant"}, USER], "stream_options": None})
    schema.validate({"model": "auto", "messages": [USER], "stream_options": {}, "stream": True})
    schema.validate({"model": "auto", "messages": [CALL]})
    texts = schema_of(described(GatewaySettings()), "/v1/completions", "post", None)
    asked: list[tuple[dict[str, Any], bool]] = [
        ({"logprob_token_ids": [1], "logprobs": 0}, True),
        ({"logprob_token_ids": [], "prompt_logprobs": 0, "stream": True}, True),
        ({"prompt_logprobs": 1, "stream": None}, True),
        ({"logprob_token_ids": [1]}, False),
        ({"prompt_logprobs": 1, "stream": True}, False),
    ]
    for more, fits in asked:
        assert texts.is_valid({"model": "support", "prompt": "a", **more}) == fits, more
    tokens = schema_of(described(GatewaySettings()), "/tokenize", "post", None)
    for adds in (True, False):
        continued = {"continue_final_message": True, "add_generation_prompt": adds}
        assert tokens.is_valid({"messages": [USER], **continued}) != adds
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    schema.validate({"model": "auto", "messages": [{"role": "user", "content": [image]}]})


def test_prompts_and_inputs_are_described_as_they_are_taken() -> None:
    found = described(GatewaySettings())
    prompts = schema_of(found, "/v1/completions", "post", None)
    for prompt in ("a", ["a", ""], [1, 2], [[1], [2]]):
        prompts.validate({"model": "support", "prompt": prompt})
    refused: list[object] = ["", [], [[]], [None], [True], [{}], ["a", 1]]
    for wrong in refused:
        assert not prompts.is_valid({"model": "support", "prompt": wrong}), wrong
    beyond = schema_of(described(GatewaySettings(), last_token=2), "/v1/completions", "post", None)
    for tokens, fits in (([2], True), ([3], False), ([[2], [3]], False)):
        assert beyond.is_valid({"model": "support", "prompt": tokens}) == fits
    inputs = schema_of(found, "/v1/responses", "post", None)
    assert not inputs.is_valid({"model": "auto", "input": " "})
    inputs.validate({"model": "auto", "input": "", "instructions": "Say hello."})


async def test_what_auto_does_not_take_is_described(running: Running) -> None:
    found = await document(running)
    chat, text = {"messages": [USER]}, {"prompt": "what is 12 plus 30"}
    refused: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", {**chat, "prompt_logprobs": 0}),
        ("/v1/chat/completions", {**chat, "truncation_side": "left"}),
        ("/v1/completions", {**text, "logprobs": 1}),
        ("/v1/completions", {**text, "truncate_prompt_tokens": 5}),
        ("/v1/completions", {"prompt": [1, 2]}),
        ("/v1/completions", {"prompt": ["a", " "]}),
        ("/tokenize", chat),
    ]
    for path, body in refused:
        schema = schema_of(found, path, "post", None)
        schema.validate({"model": "support", **body})
        assert not schema.is_valid({"model": "auto", **body}), body
        check_error(await running.http.post(path, json={"model": "auto", **body}), 400)
    for path, body in (
        ("/v1/chat/completions", {**chat, "echo": False, "prompt_logprobs": None}),
        ("/v1/completions", {"prompt": ["what is 12 plus 30"] * 2, "echo": False}),
        ("/tokenize", text),
    ):
        schema_of(found, path, "post", None).validate({"model": "auto", **body})
        assert (await running.http.post(path, json={"model": "auto", **body})).status_code == 200


def test_forms_and_guides_are_described_as_they_are_taken() -> None:
    chats = schema_of(described(GatewaySettings()), "/v1/chat/completions", "post", None)
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
    guides: list[dict[str, Any] | None] = [{"json": {}}, {"json": "{}"}, {"regex": ""}, None]
    no_guides: list[dict[str, Any]] = [
        *({"json": False}, {"json": []}, {"json": "x"}, {"regex": 5}, {"choice": []}, {"grammar": ""}),
        *({"json_object": False}, {"json": {}, "whitespace_pattern": {}}),
    ]
    fine: list[dict[str, Any]] = [
        *({"response_format": shape} for shape in (form, {"type": "text"}, {"type": "json_object"}, None)),
        {"response_format": {"type": "text", "json_schema": None}},
        *({"structured_outputs": guide} for guide in guides),
        {"structured_outputs": {"choice": ["a"], "json": None, "disable_any_whitespace": None}},
        {"tool_choice": "auto"},
        {"tool_choice": "required", "tools": [{"function": {"name": "f"}}]},
        {"allowed_token_ids": [1]},
        {"metadata": {"a": "b", "c": None}},
    ]
    for body in fine:
        chats.validate({"model": "support", "messages": [USER], **body})
    wrong: list[dict[str, Any]] = [
        *({"response_format": shape} for shape in ({}, {"type": None}, {"type": "json_schema"})),
        {"response_format": {**form, "json_schema": {"name": "a"}}},
        {"response_format": {**form, "json_schema": {"name": "a", "schema": False}}},
        *({"structured_outputs": guide} for guide in no_guides),
        *({"tool_choice": choice} for choice in ("required", {"function": {"name": "f"}})),
        {"tool_choice": "required", "tools": []},
        {"tools": [{"function": {"name": "f", "description": {}}}]},
        {"tools": [{"defer_loading": 1, "function": {"name": "f"}}]},
        {"allowed_token_ids": []},
        {"metadata": {"a": 5}},
        {"messages": [{**USER, "tool_call_id": 5}]},
    ]
    for body in wrong:
        assert not chats.is_valid({"model": "support", "messages": [USER], **body}), body
    responses = schema_of(described(GatewaySettings()), "/v1/responses", "post", None)
    tool = {"type": "function", "name": "f"}
    asked = {"model": "auto", "input": "hi", "tool_choice": "required"}
    assert not responses.is_valid(asked)
    assert not responses.is_valid({**asked, "tools": [{**tool, "description": []}]})
    responses.validate({**asked, "tools": [{**tool, "description": None}]})


def test_only_the_effort_that_is_taken_is_described() -> None:
    for reads in (True, False):
        found = described(GatewaySettings(), reads_effort=reads)
        schema = schema_of(found, "/v1/chat/completions", "post", None)
        for effort, fits in (("max", reads), ("none", reads), ("medium", True), (None, True)):
            body = {"model": "auto", "messages": [USER], "reasoning_effort": effort}
            assert schema.is_valid(body) == fits
            response = {"model": "auto", "input": "hi", "reasoning": {"effort": effort}}
            assert schema_of(found, "/v1/responses", "post", None).is_valid(response) == fits


def test_names_and_arguments_are_described_as_they_are_taken() -> None:
    found = described(GatewaySettings())
    chats = schema_of(found, "/v1/chat/completions", "post", None)
    for name, fits in (("a_b-1", True), ("a b", False), ("x" * 65, False)):
        shape: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": name, "schema": {}}}
        body = {"model": "auto", "messages": [USER], "response_format": shape}
        assert chats.is_valid(body) == fits
    routes = schema_of(found, "/v1/route", "post", None)
    for arguments, fits in (("{}", True), ("", True), (' {"a": 1}\n', True), ("x", False), (" ", False)):
        function = {"name": "f", "arguments": arguments}
        call = {"id": "a", "type": "function", "function": function}
        assert routes.is_valid({"messages": [{"role": "assistant", "tool_calls": [call]}]}) == fits
    texts = schema_of(found, "/tokenize", "post", None)
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    for part, fits in (({"type": "text", "text": "a"}, True), (image, False)):
        assert texts.is_valid({"messages": [{"role": "user", "content": [part]}]}) == fits
    responses = schema_of(found, "/v1/responses", "post", None)
    for strict, fits in ((True, True), (None, True), ({}, False)):
        form: dict[str, Any] = {"type": "json_schema", "name": "a", "schema": {}, "strict": strict}
        assert responses.is_valid({"model": "auto", "input": "hi", "text": {"format": form}}) == fits


async def test_what_an_encoder_can_give_is_described(running: Running) -> None:
    schema = schema_of(await document(running), "/v1/embeddings", "post", None)
    for dimensions, fits in ((26, True), (27, False), (699246418855196098560, False), (None, True)):
        body = {"model": "auto", "input": "hi", "dimensions": dimensions}
        answer = await running.http.post("/v1/embeddings", json=body)
        assert (answer.status_code == 200) == schema.is_valid(body) == fits, dimensions


async def test_the_type_of_a_tools_arguments_is_described_as_it_is_taken(running: Running) -> None:
    found = await document(running)
    named: list[tuple[dict[str, Any], bool]] = [
        ({"type": None}, False),
        ({"type": None, "properties": {}}, False),
        ({"type": None, "anyOf": [{"type": "object"}]}, False),
        ({"anyOf": [{"type": "object"}]}, True),
        ({"type": "object"}, True),
        ({"type": ["object", "null"]}, True),
        ({"type": "string"}, False),
        ({}, True),
    ]
    for parameters, fits in named:
        function = {"name": "f", "parameters": parameters}
        for path, asked in (
            (
                "/v1/chat/completions",
                {"messages": [USER], "tools": [{"type": "function", "function": function}]},
            ),
            ("/v1/responses", {"input": "hi", "tools": [{"type": "function", **function}]}),
        ):
            body = {"model": "support", **asked}
            answer = await running.http.post(path, json=body)
            valid = schema_of(found, path, "post", None).is_valid(body)
            assert (answer.status_code == 200) == valid == fits, (path, parameters)


async def test_what_is_only_explained_has_kinds_and_no_bounds(running: Running) -> None:
    """No engine is asked there, which alone holds to the bounds."""
    schema = schema_of(await document(running), "/v1/route", "post", None)
    for body, fits in (({"temperature": 9, "truncation_side": "up"}, True), ({"temperature": "9"}, False)):
        answer = await running.http.post("/v1/route", json={"text": "hi", **body})
        assert (answer.status_code == 200) == schema.is_valid({"text": "hi", **body}) == fits


def test_odd_conversations_are_allowed() -> None:
    schema = schema_of(described(GatewaySettings()), "/v1/chat/completions", "post", None)
    for messages in FINE:
        schema.validate({"model": "auto", "messages": messages})
