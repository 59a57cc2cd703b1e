"""Tokens of a text and back, as vLLM counts them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Running
from tests.service.refused import check_error

BASE = "pointsman-demo"
USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize("model", [None, "auto", BASE, "support", "support@000000000000"])
async def test_every_name_has_the_bases_tokens(running: Running, model: str | None) -> None:
    named = {} if model is None else {"model": model}
    there = await running.http.post(
        "/tokenize", json={**named, "prompt": "parcel", "add_special_tokens": False}
    )
    assert there.json()["count"] == 6
    assert running.vllm.tokens[-1] == {"model": BASE, "prompt": "parcel", "add_special_tokens": False}
    back = await running.http.post("/detokenize", json={**named, "tokens": there.json()["tokens"]})
    assert back.json() == {"prompt": "parcel"}
    assert running.desk.held == 0


async def test_messages_of_a_named_model(running: Running) -> None:
    body = {"model": "support", "messages": [USER], "add_generation_prompt": False}
    assert (await running.http.post("/tokenize", json=body)).json()["tokens"] == [104, 105]
    assert running.vllm.tokens[-1] == {**body, "model": BASE}


_NO_TOKENS: list[object] = [10**12, 2**70, -1, 1.5, True, "x", None, []]
REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("/tokenize", {"model": BASE}, 400, "prompt"),
    ("/tokenize", {"model": BASE, "prompt": "x", "messages": [USER]}, 400, "prompt"),
    ("/tokenize", {"model": BASE, "prompt": ["x"]}, 400, "prompt"),
    ("/tokenize", {"model": "auto", "messages": [USER]}, 400, "model"),
    ("/tokenize", {"model": BASE, "messages": [5]}, 400, "messages[0]"),
    (
        "/tokenize",
        {"model": BASE, "messages": [USER], "chat_template_kwargs": {"messages": 1}},
        400,
        "chat_template_kwargs.messages",
    ),
    (
        "/tokenize",
        {
            "model": BASE,
            "messages": [
                USER,
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]},
            ],
        },
        400,
        "messages[1].content[0]",
    ),
    ("/tokenize", {"model": BASE, "messages": [USER], "tools": [{}]}, 400, "tools[0].function"),
    ("/tokenize", {"model": BASE, "messages": [USER], "chat_template": "x"}, 400, "chat_template"),
    ("/tokenize", {"model": BASE, "prompt": "x", "media_io_kwargs": {}}, 400, "media_io_kwargs"),
    ("/tokenize", {"model": "nothing", "prompt": "x"}, 404, "model"),
    ("/detokenize", {"model": BASE}, 400, "tokens"),
    ("/detokenize", {"model": BASE, "tokens": "x"}, 400, "tokens"),
    *(("/detokenize", {"model": BASE, "tokens": [1, wrong]}, 400, "tokens[1]") for wrong in _NO_TOKENS),
    ("/detokenize", {"model": "nothing", "tokens": [1]}, 404, "model"),
    ("/detokenize", {"model": 5, "tokens": [1]}, 400, "model"),
]


async def test_json_has_one_kind_of_number(running: Running) -> None:
    answered = await running.http.post("/detokenize", json={"model": BASE, "tokens": [104.0, 105]})
    assert answered.json() == {"prompt": "hi"}
    error = check_error(
        await running.http.post("/tokenize", json={"prompt": "x", "return_token_strs": "yes"}), 400
    )
    assert error["param"] == "return_token_strs"


async def test_a_token_beyond_the_vocabulary_is_named(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"model": "auto", "tokens": [104, 105, 3072]}
    assert (await running.http.post("/detokenize", json=body)).status_code == 200  # nobody knows the base's
    monkeypatch.setattr(running.gateway, "last_token", 3071)
    error = check_error(await running.http.post("/detokenize", json=body), 400)
    assert error["param"] == "tokens[2]"
    assert error["message"] == "tokens[2] must be a token id, a whole number from 0 to 3071, found 3072"
    body["tokens"] = [104, 3071]
    assert (await running.http.post("/detokenize", json=body)).status_code == 200
    document = (await running.http.get("/openapi.json")).json()
    content = document["paths"]["/detokenize"]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"]["properties"]["tokens"]["items"]["maximum"] == 3071


async def test_what_has_no_tokens_is_refused_by_name(running: Running) -> None:
    for path, body, status, parameter in REFUSED:
        error = check_error(await running.http.post(path, json=body), status)
        assert error["param"] == parameter, body
    assert running.vllm.tokens == []


async def test_the_engines_refusal_is_told(running: Running) -> None:
    running.vllm.refuse = (400, "tokens must be whole numbers (parameter=tokens)")
    error = check_error(await running.http.post("/detokenize", json={"tokens": [5]}), 400)
    assert (error["message"], error["param"]) == ("tokens must be whole numbers", "tokens")
