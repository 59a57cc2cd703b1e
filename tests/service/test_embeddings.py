"""Embeddings over HTTP: OpenAI's client, both forms, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncGenerator
from typing import Any, Literal

import numpy as np
import pytest
from openai import AsyncOpenAI

from service import embeddings
from service.embeddings import encoder_name
from tests.service.conftest import Running, Start, until
from tests.service.parts import SpellingEmbedder
from tests.service.refused import check_error

NAME = "all-MiniLM-L6-v2"
TEXTS = ["three words here", "one", "two words", *(f"text {n}" for n in range(30))]


@pytest.fixture
async def client(running: Running) -> AsyncGenerator[AsyncOpenAI, None]:
    async with AsyncOpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as found:
        yield found


def embedder_of(running: Running) -> SpellingEmbedder:
    found = running.gateway.routes.embedder
    assert isinstance(found, SpellingEmbedder)
    return found


@pytest.mark.parametrize("model", [NAME, "auto"])
async def test_vectors_come_in_the_order_of_the_texts(client: AsyncOpenAI, model: str) -> None:
    expected = SpellingEmbedder().embed(TEXTS)
    forms: tuple[Literal["float", "base64"], ...] = ("float", "base64")
    for form in forms:  # the client reads base64 itself where no form is asked for
        answer = await client.embeddings.create(model=model, input=TEXTS, encoding_format=form)
        assert [one.index for one in answer.data] == list(range(len(TEXTS)))
        given: list[Any] = [one.embedding for one in answer.data]
        found = given if form == "float" else [np.frombuffer(base64.b64decode(one), "<f4") for one in given]
        np.testing.assert_array_equal(np.array(found, dtype=np.float32), expected)
    assert (answer.model, answer.object) == (NAME, "list")
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 3 + 1 + 2 + 30 * 2
    default = await client.embeddings.create(model=model, input=TEXTS[0])
    np.testing.assert_array_equal(np.array(default.data[0].embedding, dtype=np.float32), expected[0])


async def test_fewer_dimensions_are_the_first_ones_at_length_one(client: AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model=NAME, input="aabc z", dimensions=3)
    np.testing.assert_allclose(answer.data[0].embedding, np.array([2, 1, 1]) / 6**0.5, atol=1e-6)
    nothing = await client.embeddings.create(model=NAME, input="zzz", dimensions=3)
    assert nothing.data[0].embedding == [0, 0, 0]


async def test_a_text_over_the_encoders_length_is_cut_only_if_asked(running: Running) -> None:
    body: dict[str, Any] = {"model": NAME, "input": ["short", "a b c d e f g h i j"]}
    error = check_error(await running.http.post("/v1/embeddings", json=body), 400)
    assert "input[1] has 10 tokens" in error["message"]
    assert "truncate_prompt_tokens: -1" in error["message"]
    cut = await running.http.post("/v1/embeddings", json={**body, "truncate_prompt_tokens": -1})
    assert cut.json()["usage"]["prompt_tokens"] == 1 + 8


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"input": "x"}, 400, "model"),
    ({"model": 5, "input": "x"}, 400, "model"),
    ({"model": "support", "input": "x"}, 404, "model"),
    ({"model": NAME}, 400, "input"),
    ({"model": NAME, "input": None}, 400, "input"),
    ({"model": NAME, "input": []}, 400, "input"),
    ({"model": NAME, "input": ""}, 400, "input"),
    ({"model": NAME, "input": ["x", ""]}, 400, "input[1]"),
    ({"model": NAME, "input": {"text": "x"}}, 400, "input"),
    ({"model": NAME, "input": [5, 7]}, 400, "input[0]"),
    ({"model": NAME, "input": [[5, 7]]}, 400, "input[0]"),
    ({"model": NAME, "input": [True]}, 400, "input[0]"),
    ({"model": NAME, "input": ["x"] * 2_049}, 400, "input"),
    ({"model": NAME, "input": "x", "encoding_format": "int8"}, 400, "encoding_format"),
    ({"model": NAME, "input": "x", "encoding_format": ["float"]}, 400, "encoding_format"),
    ({"model": NAME, "input": "x", "dimensions": 27}, 400, "dimensions"),
    ({"model": NAME, "input": "x", "dimensions": 0}, 400, "dimensions"),
    ({"model": NAME, "input": "x", "dimensions": True}, 400, "dimensions"),
    ({"model": NAME, "input": "x", "truncate_prompt_tokens": 4}, 400, "truncate_prompt_tokens"),
    ({"model": NAME, "input": "x", "input_type": "query"}, 400, "input_type"),
]


async def test_what_cannot_be_embedded_is_refused_by_name(running: Running) -> None:
    for body, status, parameter in REFUSED:
        error = check_error(await running.http.post("/v1/embeddings", json=body), status)
        assert error["param"] == parameter, body


async def test_the_encoder_is_listed_and_generates_nothing(running: Running, client: AsyncOpenAI) -> None:
    listed = {model.id: model async for model in client.models.list()}
    assert listed[NAME].model_dump()["task"] == "embedding"
    assert (await client.models.retrieve(NAME)).id == NAME
    error = check_error(await running.ask("where is my parcel", model=NAME), 404)
    assert "/v1/embeddings" in error["message"]


async def test_others_are_served_while_vectors_are_made(running: Running) -> None:
    embedder_of(running).gate = gate = threading.Event()
    body = {"model": NAME, "input": TEXTS}
    asking = asyncio.create_task(running.http.post("/v1/embeddings", json=body))
    try:
        assert (await running.ask("where is my parcel")).status_code == 200
        assert not asking.done()
    finally:
        gate.set()
    assert (await asking).status_code == 200


async def test_too_many_are_told_to_wait(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_MOST", 1)
    embedder_of(running).gate = gate = threading.Event()
    body = {"model": NAME, "input": "x"}
    asking = asyncio.create_task(running.http.post("/v1/embeddings", json=body))
    try:
        await until(lambda: running.gateway.embeddings.held == 1)
        refused = await running.http.post("/v1/embeddings", json=body)
        check_error(refused, 429)
        assert int(refused.headers["retry-after"]) > 0
    finally:
        gate.set()
    assert (await asking).status_code == 200
    assert running.gateway.embeddings.held == 0


async def test_a_request_that_takes_too_long_ends(start: Start) -> None:
    async with start("gateway: {request_timeout_seconds: 0.3}\n") as running:
        embedder_of(running).gate = gate = threading.Event()
        try:
            check_error(await running.http.post("/v1/embeddings", json={"model": NAME, "input": "x"}), 504)
        finally:
            gate.set()
        assert running.gateway.embeddings.held == 0


@pytest.mark.parametrize(
    ("setting", "name"),
    [("carried", NAME), ("/models/my-encoder", "my-encoder"), ("intfloat/e5-small", "intfloat/e5-small")],
)
def test_the_encoders_name(setting: str, name: str) -> None:
    assert encoder_name(setting) == name
