"""Streams that break, clients that leave, queues that fill: nothing is held and nobody is left waiting."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from openai import APIError, AsyncOpenAI, BadRequestError, InternalServerError, NotFoundError, OpenAI

from service.engine import client, watch
from tests.service.conftest import Running, Start, until

TRACK = "where is my parcel"
USER = {"role": "user", "content": TRACK}


def free(running: Running) -> bool:
    """Nothing is held for anybody."""
    gateway = running.gateway
    return running.desk.held == 0 and gateway.admission.running == 0 and running.vllm.active == 0


@pytest.mark.parametrize("model", ["auto", "support", "pointsman-demo"])
async def test_a_client_that_leaves_a_stream_frees_everything(running: Running, model: str) -> None:
    running.vllm.gate = asyncio.Event()  # never set: the engine goes on for ever
    body = {"model": model, "messages": [USER], "stream": True}
    async with running.http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200
        await anext(response.aiter_raw())
        assert running.vllm.active == 1
    await until(lambda: free(running))
    assert running.vllm.aborted == 1


@pytest.mark.parametrize("text", [TRACK, "what is 12 plus 30"])
async def test_a_client_that_leaves_an_unstreamed_request_frees_everything(
    running: Running, text: str
) -> None:
    running.vllm.gate = asyncio.Event()
    asking = asyncio.create_task(running.ask(text))
    await until(lambda: running.vllm.active == 1)
    asking.cancel()
    await until(lambda: free(running))
    assert running.vllm.aborted == 1


async def test_a_client_that_leaves_the_queue_is_forgotten(start: Start) -> None:
    async with start("admission: {max_concurrent: 1, max_queue: 1}\n") as running:
        running.vllm.gate = asyncio.Event()
        first = asyncio.create_task(running.ask(TRACK))
        await until(lambda: running.vllm.active == 1)
        second = asyncio.create_task(running.ask(TRACK))
        await until(lambda: running.gateway.admission.waiting == 1)
        refused = await running.ask(TRACK)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        metrics = (await running.http.get("/metrics")).text
        assert "pointsman_queue_waiting 1.0" in metrics
        second.cancel()
        await until(lambda: running.gateway.admission.waiting == 0)
        running.vllm.gate.set()
        assert (await first).status_code == 200
        assert len(running.vllm.requests) == 1
        assert (await running.ask(TRACK)).status_code == 200


@pytest.mark.parametrize("cut", [0, 17])
@pytest.mark.parametrize("text", [TRACK, "what is 12 plus 30"])
async def test_an_engine_that_dies_in_a_stream_ends_it_with_an_error_event(
    running: Running, text: str, cut: int
) -> None:
    running.vllm.answer = lambda _: "<think> a </think> one two three"
    running.vllm.break_after, running.vllm.cut = 6, cut
    response = await running.ask(text, stream=True)
    assert response.status_code == 200
    *chunks, last = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert all("choices" in json.loads(chunk) for chunk in chunks)  # no half event got through
    error = json.loads(last)["error"]
    assert error["code"] == "engine_unavailable"
    await until(lambda: free(running))


async def test_an_engine_that_is_gone_is_a_503_with_retry_after(running: Running) -> None:
    (client,) = running.pool.clients()
    running.pool.down(client, "killed")
    for stream in (False, True):
        response = await running.ask(TRACK, stream=stream)
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) > 0
        assert response.json()["error"]["code"] == "engine_unavailable"
    ready = await running.http.get("/ready")
    assert ready.status_code == 503
    assert "engine" in ready.json()["reasons"][0]
    assert (await running.http.get("/health")).status_code == 200
    assert "pointsman_engine_restarts_total 1.0" in (await running.http.get("/metrics")).text
    running.pool.up(client)
    assert (await running.ask(TRACK)).status_code == 200


@pytest.mark.parametrize("workers", [0, 1])
async def test_what_is_under_way_on_a_server_that_does_not_answer_ends_soon(
    start: Start, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(watch, "_ASK_SECONDS", 0.02)
    monkeypatch.setattr(client, "_PROBE_SECONDS", 0.2)
    async with start(f"gateway: {{stream_workers: {workers}}}\n") as running:
        await until(lambda: running.gateway.workers.alive == workers)
        running.vllm.gate = asyncio.Event()  # never set
        whole = asyncio.create_task(running.ask(TRACK))
        streamed = {"model": "support", "messages": [USER], "stream": True}
        async with running.http.stream("POST", "/v1/chat/completions", json=streamed) as response:
            pieces = response.aiter_raw()
            await anext(pieces)
            await until(lambda: running.vllm.active == 2)
            running.vllm.healthy = None
            async with asyncio.timeout(10):
                rest = b"".join([piece async for piece in pieces])
                refused = await whole
        assert b'"code":"engine_unavailable"' in rest
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "engine_unavailable")
        assert "retry-after" in refused.headers
        await until(lambda: free(running))


async def test_a_request_that_takes_too_long_ends(start: Start) -> None:
    async with start("gateway: {request_timeout_seconds: 0.3}\n") as running:
        running.vllm.gate = asyncio.Event()
        response = await running.ask(TRACK)
        assert response.status_code == 504
        streamed = await running.ask(TRACK, stream=True)
        assert json.loads(streamed.text.split("data: ")[-1])["error"]["code"] == "timeout"
        await until(lambda: free(running))


async def test_openai_client_async(running: Running) -> None:
    running.vllm.answer = lambda _: "<think>\n40 + 2\n</think>\n\n42 它是"
    async with AsyncOpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client:
        models = [model.id async for model in client.models.list()]
        assert models == ["auto", "pointsman-demo", "chat", "math", "support", "all-MiniLM-L6-v2"]
        whole = await client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "what is 12 plus 30"}]
        )
        assert whole.choices[0].message.content == "42 它是"
        assert whole.usage is not None
        stream = await client.chat.completions.create(
            model="auto",
            messages=[{"role": "user", "content": "what is 12 plus 30"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "42 它是"
        assert chunks[-1].usage == whole.usage
        with pytest.raises(NotFoundError, match="does not exist"):
            await client.chat.completions.create(model="none", messages=[{"role": "user", "content": "x"}])
        running.vllm.break_after = 2
        with pytest.raises(APIError, match="engine"):
            async for _ in await client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": TRACK}], stream=True
            ):
                pass


async def test_openai_client_sync(running: Running) -> None:
    def use() -> None:
        with OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client:
            completion = client.completions.create(model="support", prompt="once upon")
            assert completion.choices[0].text.endswith("heard once upon")
            stream = client.chat.completions.create(
                model="support", messages=[{"role": "user", "content": "hi there"}], stream=True
            )
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
            assert text == "support@000000000000 heard hi there"
            with pytest.raises(BadRequestError):
                client.chat.completions.create(model="auto", messages=[])
            raw = client.chat.completions.with_raw_response.create(
                model="auto", messages=[{"role": "user", "content": TRACK}]
            )
            assert raw.headers["x-pointsman-intent"] == "track_parcel"

    await asyncio.to_thread(use)


async def test_openai_client_sees_an_unready_engine(running: Running) -> None:
    (engine,) = running.pool.clients()
    running.pool.down(engine, "killed")
    async with AsyncOpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client:
        with pytest.raises(InternalServerError) as caught:
            await client.chat.completions.create(model="auto", messages=[{"role": "user", "content": TRACK}])
    assert caught.value.status_code == 503


async def test_many_streams_at_once_do_not_mix(running: Running) -> None:
    async def one(index: int) -> None:
        response = await running.ask(f"{TRACK} number{index}", stream=True, model="chat")
        assert f"number{index}" in response.text

    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(base_url=running.url, timeout=30, limits=limits) as http:
        running.http, kept = http, running.http
        await asyncio.gather(*(one(index) for index in range(100)))
        running.http = kept
    assert free(running)
