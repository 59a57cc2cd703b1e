"""Fields that would be ignored, or that no client may set: refused by name, and no engine was asked."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Collection
from typing import Any, get_type_hints

import pytest
from openai.types import completion_create_params as of_text
from openai.types import embedding_create_params as of_vectors
from openai.types.chat import completion_create_params as of_chats
from openai.types.responses import response_create_params as of_responses

from service.body import known
from service.body.known import Fields
from tests.service.conftest import Running
from tests.service.refused import CALL, USER, check_error

TOOL = {"type": "function", "function": {"name": "f"}}
SCHEMA = {"name": "s", "schema": {"type": "object"}}
ENDPOINTS: dict[str, tuple[Fields, dict[str, Any]]] = {
    "/v1/chat/completions": (known.CHAT, {"messages": [USER]}),
    "/v1/completions": (known.COMPLETION, {"prompt": "x"}),
    "/v1/responses": (known.RESPONSE, {"input": "x"}),
    "/v1/embeddings": (known.EMBEDDING, {"input": "x"}),
    "/tokenize": (known.TOKENIZED_TEXT, {"prompt": "x"}),
    "/detokenize": (known.DETOKENIZED, {"tokens": [1]}),
    "/v1/route": (known.ROUTED, {"text": "x"}),
    "/v1/load_lora_adapter": (known.LOADED, {"lora_name": "policy", "lora_path": "x"}),
    "/v1/unload_lora_adapter": (known.UNLOADED, {"lora_name": "policy"}),
}


async def refused(running: Running, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return check_error(await running.http.post(path, json=body, headers=running.admin), 400)


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_field_that_nobody_knows_is_named(running: Running, path: str) -> None:
    fields, asked = ENDPOINTS[path]
    named = {"model": "auto"} if "model" in fields.taken else {}
    for name, shown in (("foo", "foo"), ("x" * 10_000, "x" * 80), ("", "''")):
        for value in (1, None):
            response = await running.http.post(
                path, json={**named, **asked, name: value}, headers=running.admin
            )
            error = response.json()["error"]
            assert (response.status_code, error["param"]) == (400, shown)
            assert error["message"] == f"Unrecognized request argument supplied: {shown}"
    assert running.vllm.requests == []


async def test_the_field_that_was_meant_is_told(running: Running) -> None:
    for name, meant in (
        ("temprature", "temperature"),
        ("max_token", "max_tokens"),
        ("topp", "top_p"),
        ("guided_json", "structured_outputs"),
        ("max_new_tokens", "max_tokens"),
        ("num_beams", "use_beam_search"),
        ("enable_thinking", "chat_template_kwargs"),
    ):
        for model in ("auto", "support", "pointsman-demo"):
            body = {"model": model, "messages": [USER], name: 0.2}
            error = await refused(running, "/v1/chat/completions", body)
            assert (error["param"], error["code"]) == (name, "unknown_parameter")
            assert error["message"].endswith(f"{name}; did you mean {meant}?")
    assert running.vllm.requests == []


INSIDE: list[tuple[dict[str, Any], str]] = [
    ({"stream": True, "stream_options": {"include_usag": True}}, "stream_options.include_usag"),
    ({"tools": [TOOL, {**TOOL, "strict": True}]}, "tools[1].strict"),
    ({"tools": [{"function": {"name": "f", "paramters": {}}}]}, "tools[0].function.paramters"),
    ({"tools": [TOOL], "tool_choice": {**TOOL, "mode": "auto"}}, "tool_choice.mode"),
    (
        {"tools": [TOOL], "tool_choice": {"function": {"name": "f", "strict": True}}},
        "tool_choice.function.strict",
    ),
    ({"response_format": {"type": "json_object", "schema": {}}}, "response_format.schema"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {**SCHEMA, "strct": True}}},
        "response_format.json_schema.strct",
    ),
    ({"structured_outputs": {"json": {}, "_backend": "outlines"}}, "structured_outputs._backend"),
    ({"messages": [{**USER, "prefix": True}]}, "messages[0].prefix"),
    ({"messages": [USER, {"role": "assistant", "audio": {"id": "x"}}, USER]}, "messages[1].audio"),
    ({"messages": [{"role": "assistant", "function_call": {}}, USER]}, "messages[0].function_call"),
    ({"best_of": 1}, "best_of"),
]


async def test_fields_inside_of_fields_are_named_with_their_place(running: Running) -> None:
    for model in ("auto", "support"):
        for wrong, place in INSIDE:
            body = {"model": model, "messages": [USER], **wrong}
            assert (await refused(running, "/v1/chat/completions", body))["param"] == place
    assert running.vllm.requests == []


async def test_what_clients_send_back_is_taken(running: Running) -> None:
    running.vllm.answer = lambda _: "fine"
    brought: dict[str, Any] = {
        **{"refusal": None, "annotations": [], "audio": None, "function_call": None, "images": []},
        **{"reasoning_content": "so", "reasoning": "so", "provider_specific_fields": None, "parsed": None},
        **{"thinking_blocks": None, "reasoning_items": None, "id": "msg_1"},
    }
    calls: Any = CALL["tool_calls"]
    call = {**calls[0], "index": 0}
    talk: list[dict[str, Any]] = [
        {**USER, "cache_control": {"type": "ephemeral"}},
        {**CALL, **brought, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "{}", "name": "f"},
        {"role": "assistant", "content": "It is here.", **brought, "tool_calls": None},
        USER,
    ]
    for model in ("auto", "support", "pointsman-demo"):
        answer = await running.http.post(
            "/v1/chat/completions",
            json={
                **{"model": model, "messages": talk, "stream": True, "user": "u", "metadata": {"a": "b"}},
                **{"stream_options": {"include_usage": True, "include_obfuscation": False}, "store": False},
                **{"service_tier": "auto", "safety_identifier": "u", "prompt_cache_key": "k"},
                **{"prompt_cache_retention": "24h", "verbosity": "medium", "modalities": ["text"]},
                **{"parallel_tool_calls": True, "tool_choice": "auto", "priority": None},
                **{"functions": None, "function_call": None},
            },
        )
        assert answer.status_code == 200, answer.text


WRONG: dict[str, object] = {  # of every field that is known and refused, a value that asks for something
    **{"mm_payload": "all", "routed_experts_prompt_start": 3, "prompt_embeds": "AAAA", "priority": -100},
    **{"modalities": ["text", "audio"], "service_tier": "flex", "verbosity": "low", "top_logprobs": 2},
    **{"watermarking": False, "truncation": "auto", "include": ["x"], "context_management": [{}]},
}


@pytest.mark.parametrize("path", [path for path, (fields, _) in ENDPOINTS.items() if fields.refused])
async def test_what_is_known_and_refused_is_told_with_the_reason(running: Running, path: str) -> None:
    fields, asked = ENDPOINTS[path]
    models = [{}] if "lora" in path else [{"model": model} for model in ("auto", "support", "pointsman-demo")]
    for name, refusal in fields.refused.items():
        for model in models:
            body = {**model, **asked, name: WRONG.get(name, True)}
            response = await running.http.post(path, json=body, headers=running.admin)
            assert response.status_code == 400, name
            error = response.json()["error"]
            assert error["param"] == name
            assert error["message"] == f"{name} {refusal.why}"
    assert running.vllm.requests == []


async def test_a_chat_that_is_only_explained_may_hold_all_fields_of_a_chat(running: Running) -> None:
    body = {"model": "auto", "messages": [USER], "temperature": 0.2, "stream": True, "store": True}
    assert (await running.http.post("/v1/route", json=body)).status_code == 200


async def test_the_deprecated_form_of_tools_is_refused_whatever_it_holds(running: Running) -> None:
    """OpenAI reads it, so an empty list or "auto" that is passed over would be another answer in silence."""
    for name, value in (("functions", []), ("function_call", "auto"), ("function_call", "none")):
        for model in ("auto", "support"):
            body = {"model": model, "messages": [USER], name: value}
            error = await refused(running, "/v1/chat/completions", body)
            assert error["param"] == name
            assert "it is deprecated, use tool" in error["message"]


async def test_best_of_is_taken_where_it_asks_for_nothing(running: Running) -> None:
    for body, status in (({"best_of": 1}, 200), ({"best_of": 2, "n": 2}, 200), ({"best_of": 3, "n": 2}, 400)):
        for model in ("auto", "support"):
            answer = await running.http.post(
                "/v1/completions", json={"model": model, "prompt": "one two", **body}
            )
            assert answer.status_code == status, (body, answer.text)


def test_values_that_ask_for_nothing_are_told_apart_by_their_type() -> None:
    store = known.CHAT.refused["store"]
    assert store.allows(False)
    assert store.allows(None)
    assert not store.allows(0)


def test_all_of_openais_fields_are_known() -> None:
    for fields, kind in (
        (known.CHAT, of_chats.CompletionCreateParamsStreaming),
        (known.COMPLETION, of_text.CompletionCreateParamsStreaming),
        (known.EMBEDDING, of_vectors.EmbeddingCreateParams),
        (known.RESPONSE, of_responses.ResponseCreateParamsStreaming),
    ):
        check_known(fields, get_type_hints(kind))


PROTOCOL = "vllm.entrypoints"


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
@pytest.mark.parametrize(
    ("module", "kind", "fields"),
    [
        ("openai.chat_completion", "ChatCompletionRequest", known.CHAT),
        ("openai.chat_completion", "ChatCompletionToolsParam", known.TOOL),
        ("openai.chat_completion", "ChatCompletionNamedToolChoiceParam", known.CHOICE),
        ("openai.completion", "CompletionRequest", known.COMPLETION),
        ("serve.tokenize", "TokenizeCompletionRequest", known.TOKENIZED_TEXT),
        ("serve.tokenize", "TokenizeChatRequest", known.TOKENIZED_CHAT),
        ("serve.tokenize", "DetokenizeRequest", known.DETOKENIZED),
        ("serve.lora", "LoadLoRAAdapterRequest", known.LOADED),
        ("serve.lora", "UnloadLoRAAdapterRequest", known.UNLOADED),
        ("generate.base", "StreamOptions", known.STREAM_OPTIONS),
        ("generate.base", "FunctionDefinition", known.FUNCTION),
        ("generate.base", "ResponseFormat", known.FORM),
        ("generate.base", "StructuralTagResponseFormat", known.FORM),
        ("generate.base", "LegacyStructuralTagResponseFormat", known.FORM),
        ("generate.base", "JsonSchemaResponseFormat", known.JSON_SCHEMA),
    ],
)
def test_all_of_vllms_fields_are_known(module: str, kind: str, fields: Fields) -> None:
    model = getattr(importlib.import_module(f"{PROTOCOL}.{module}.protocol"), kind)
    check_known(fields, {field.alias or name for name, field in model.model_fields.items()})


def check_known(fields: Fields, names: Collection[str]) -> None:
    """An upgrade that brings a field shows here: take it, or refuse it with a reason."""
    assert set(names) - fields.taken - fields.refused.keys() == set()
