"""Values of another kind than their field's: refused, where vLLM would read them as something else."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from service.body.kinds import KINDS
from service.body.known import CHAT, COMPLETION, TOKENIZED_TEXT
from tests.service.conftest import Running
from tests.service.refused import USER, check_error

VALUES: list[object] = [True, 1, 0.5, "0.5", "text", [], {}]


async def test_a_value_of_another_kind_is_refused(running: Running) -> None:
    wrong: list[tuple[str, object]] = [
        ("temperature", "0.5"),
        ("temperature", True),
        ("top_k", 0.5),
        ("top_k", "5"),
        ("min_tokens", [3]),
        ("ignore_eos", 1),
        ("ignore_eos", "yes"),
        ("logit_bias", []),
        ("stop_token_ids", 5),
        ("user", 5),
        ("safety_identifier", [1]),
        ("prompt_cache_key", 5),
        ("metadata", "x"),
    ]
    for name, value in wrong:
        for model in ("auto", "support"):
            body = {"model": model, "messages": [USER], name: value}
            error = check_error(await running.http.post("/v1/chat/completions", json=body), 400)
            assert (error["param"], error["message"]) == (
                name,
                f"{name} must be {KINDS[name].words}, found "
                + {str: "text", bool: "a boolean", list: "a list"}.get(type(value), "a number"),
            )
    assert running.vllm.requests == []


async def test_it_holds_on_every_path(running: Running) -> None:
    for path, body in (
        ("/v1/completions", {"model": "support", "prompt": "x", "echo": 1}),
        ("/v1/responses", {"model": "auto", "input": "x", "metadata": []}),
        ("/v1/embeddings", {"model": "auto", "input": "x", "user": 5}),
        ("/v1/route", {"text": "x", "temperature": "0.5"}),
        ("/v1/route", {"text": "x", "n": "1"}),
        ("/v1/route", {"text": "x", "n": False}),
        ("/tokenize", {"prompt": "x", "add_special_tokens": "yes"}),
    ):
        error = check_error(await running.http.post(path, json=body), 400)
        assert error["param"] == list(body)[-1]


async def test_null_is_as_if_it_were_not_there(running: Running) -> None:
    """vLLM has something against the null of ``echo``, say, which OpenAI takes."""
    for path, fields, asked in (
        ("/v1/chat/completions", CHAT, {"model": "auto", "messages": [USER]}),
        ("/v1/chat/completions", CHAT, {"model": "support", "messages": [USER]}),
        ("/v1/completions", COMPLETION, {"model": "support", "prompt": "x"}),
        ("/tokenize", TOKENIZED_TEXT, {"model": "support", "prompt": "x"}),
    ):
        body = {**dict.fromkeys(KINDS.keys() & fields.taken), **asked}
        assert (await running.http.post(path, json=body)).status_code == 200
        sent = running.vllm.tokens if path == "/tokenize" else running.vllm.requests
        assert None not in sent[-1].values()


@pytest.mark.parametrize("model", ["auto", "support"])
async def test_null_inside_a_message_or_a_guide_is_too(running: Running, model: str) -> None:
    """vLLM refuses the null of a message's ``name`` and of a guide's switches."""
    nothing = dict.fromkeys(("name", "tool_call_id", "refusal", "reasoning_content", "tool_calls"))
    messages = [{**USER, **nothing}, {"role": "assistant", "content": None, **nothing}, USER]
    guide: dict[str, Any] = {"json": {}, "regex": None, "disable_any_whitespace": None}
    body = {"model": model, "messages": messages, "structured_outputs": guide}
    assert (await running.http.post("/v1/chat/completions", json=body)).status_code == 200
    sent = running.vllm.requests[-1]
    assert sent["messages"][-3:] == [USER, {"role": "assistant", "content": None}, USER]
    assert sent["structured_outputs"] == {"json": {}}


def test_whole_numbers_may_be_written_with_a_point() -> None:
    assert KINDS["top_k"].holds(5.0)
    assert not KINDS["top_k"].holds(5.5)


@pytest.mark.parametrize("name", KINDS)
def test_the_check_is_what_the_document_says(name: str) -> None:
    kind = KINDS[name]
    only_kinds = Draft202012Validator({"type": kind.schema["type"]})
    for value in VALUES:
        assert kind.holds(value) == only_kinds.is_valid(value), value
    Draft202012Validator.check_schema(kind.described)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
def test_the_kinds_are_vllms() -> None:
    found: dict[str, Any] = {}
    for name, kind in (("completion", "CompletionRequest"), ("chat_completion", "ChatCompletionRequest")):
        module = importlib.import_module(f"vllm.entrypoints.openai.{name}.protocol")
        found |= getattr(module, kind).model_json_schema()["properties"]
    for name in KINDS.keys() & found.keys():
        forms = found[name].get("anyOf", [found[name]])
        types = {form.get("type", "object") for form in forms}
        assert {form["type"] for form in KINDS[name].described["anyOf"]} == types | {"null"}, name
