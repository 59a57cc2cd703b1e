"""Servers that others run: watched, shared out, and missed when they are gone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from service.engine import EngineClient, EnginePool
from service.errors import EngineUnavailable
from service.sections import EngineSettings
from tests.service.conftest import until
from tests.service.fake_vllm import BASE, FakeVLLM
from tests.service.loopback import serving

BODY = {"messages": [{"role": "user", "content": "hello"}]}


async def test_a_request_goes_to_the_server_with_fewer() -> None:
    one, other = FakeVLLM(), FakeVLLM()
    async with serving(one.app) as one_url, serving(other.app) as other_url:
        pool = EnginePool(outside=[EngineClient(one_url), EngineClient(other_url)])
        await pool.start()
        await until(lambda: len(pool.clients()) == 2)
        one.gate = other.gate = asyncio.Event()
        engine = pool.bind(BASE)
        streams = []
        for _ in range(4):
            streams.append(engine.stream(BODY))
            await anext(aiter(streams[-1]))
        assert len(one.requests) == len(other.requests) == 2
        one.gate.set()
        for stream in streams:
            assert (b"".join([chunk async for chunk in stream])).endswith(b"data: [DONE]\n\n")
        await pool.stop()


async def test_a_server_that_comes_back_is_prepared_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vllm, prepared, gone = FakeVLLM(), 0, 0

    async def prepare(_: EngineClient) -> None:
        nonlocal prepared
        prepared += 1

    def left(_: EngineClient) -> None:
        nonlocal gone
        gone += 1

    async with serving(vllm.app) as url:
        pool = EnginePool.from_settings(
            EngineSettings(model="/models/base", model_name=BASE, urls=(url,)),
            state=tmp_path,
        )
        pool.on_up(prepare)
        pool.on_down(left)
        with pytest.raises(EngineUnavailable):
            pool.client()
        await pool.start()
        await until(lambda: pool.state == "ready")
        with monkeypatch.context() as patch:
            patch.setattr(EngineClient, "healthy", _never)
            await until(lambda: pool.state == "restarting")
            with pytest.raises(EngineUnavailable):
                pool.client()
        await until(lambda: pool.state == "ready")
        assert (prepared, gone, pool.restarts) == (2, 1, 1)
        async with aclosing(pool.client().stream("/v1/completions", {"model": BASE, "prompt": "x"})):
            pass
        await pool.stop()
        assert pool.state == "stopped"


async def _never(_: EngineClient) -> bool:
    return False


async def test_bound_requests_name_the_model_and_ask_for_a_stream() -> None:
    vllm = FakeVLLM()
    async with serving(vllm.app) as url:
        pool = EnginePool(outside=[EngineClient(url)])
        await pool.start()
        await until(lambda: pool.state == "ready")
        engine = pool.bind(BASE)
        await engine.complete(BODY)
        _ = [chunk async for chunk in engine.stream(BODY)]
        await pool.stop()
    assert [request["model"] for request in vllm.requests] == [BASE, BASE]
    assert [request.get("stream", False) for request in vllm.requests] == [False, True]
