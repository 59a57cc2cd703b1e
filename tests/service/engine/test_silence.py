"""An engine that hangs behind an API server which says that it is well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from service.engine import EngineClient, EnginePool, silence
from service.engine.process import EngineProcess
from service.engine.silence import silent
from service.errors import EngineUnavailable
from service.sections import EngineSettings
from tests.service.conftest import until
from tests.service.engine.test_supervision import processes, words
from tests.service.loopback import serving

SECONDS = 0.2  # as good as 120 where a look is every hundredth of a second
BODY = {"model": "base", "messages": [{"role": "user", "content": "hello"}]}


@dataclass
class Stub:
    """Accepts everything, and answers what the test lets it."""

    works: asyncio.Event = field(default_factory=asyncio.Event)  # generations wait for it
    gives_a_token: bool = False  # to who asks for one, whatever the others wait for
    steps: bool = False  # its numbers grow
    probes: int = 0
    looks: int = 0

    @property
    def app(self) -> Starlette:
        """The server."""
        return Starlette(
            routes=[
                Route("/health", lambda _: Response()),
                Route("/metrics", self._metrics),
                Route("/v1/models", lambda _: JSONResponse({"data": [{"id": "base"}]})),
                Route("/v1/completions", self._generate, methods=["POST"]),
                Route("/v1/chat/completions", self._generate, methods=["POST"]),
                Route("/tokenize", lambda _: JSONResponse({"tokens": []}), methods=["POST"]),
            ]
        )

    def _metrics(self, _: Request) -> Response:
        self.looks += 1
        count = self.looks if self.steps else 0
        return PlainTextResponse(
            f"http_requests_total {self.looks}\nvllm:generation_tokens_total{{}} {count}\n"
        )

    async def _generate(self, request: Request) -> Response:
        is_probe = (await request.json()).get("max_tokens") == 1
        self.probes += is_probe
        if not (is_probe and self.gives_a_token):
            await self.works.wait()
        return JSONResponse({"choices": []})


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "_LOOK_SECONDS", 0.01)


@asynccontextmanager
async def asked(stub: Stub) -> AsyncGenerator[EngineClient, None]:
    """A client that waits for an answer."""
    async with serving(stub.app) as url:
        client = EngineClient(url)
        asking = asyncio.create_task(client.complete("/v1/chat/completions", BODY))
        await until(lambda: client.calls == 1)
        yield client
        stub.works.set()
        await client.aclose()
        with suppress(EngineUnavailable, asyncio.CancelledError):
            await asking


async def test_who_answers_nobody_is_silent_and_was_asked_for_one_token() -> None:
    stub = Stub()
    async with asked(stub) as client:
        assert "gave nothing" in await silent(client, SECONDS)
    assert stub.probes == 1


@pytest.mark.parametrize("sign", ["token", "step"])
async def test_a_slow_answer_is_no_silence_where_the_engine_works(sign: str) -> None:
    stub = Stub(gives_a_token=sign == "token", steps=sign == "step")
    async with asked(stub) as client:
        waiting = asyncio.create_task(silent(client, SECONDS))
        await until(lambda: stub.looks >= 10 * SECONDS / silence._LOOK_SECONDS)
        assert not waiting.done()
        waiting.cancel()


async def test_who_is_asked_nothing_is_not_silent_and_is_left_alone() -> None:
    stub = Stub()
    async with serving(stub.app) as url:
        client = EngineClient(url)
        waiting = asyncio.create_task(silent(client, SECONDS))
        for _ in range(50):  # of the tokenizer's requests the API server alone knows
            await client.complete("/tokenize", {"prompt": "x"})
            await asyncio.sleep(silence._LOOK_SECONDS)
        assert not waiting.done()
        assert (stub.probes, client.heard) == (0, 0)
        waiting.cancel()
        await client.aclose()


async def test_who_has_hung_up_was_not_answered_either() -> None:
    async with serving((stub := Stub()).app) as url:
        client = EngineClient(url)
        waiting = asyncio.create_task(silent(client, SECONDS))
        hung_up = 0
        while not waiting.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(client.complete("/v1/chat/completions", BODY), 0.05)
            hung_up += 1
        assert hung_up > 1
        stub.works.set()
        await client.aclose()


async def test_an_outside_server_that_hangs_is_out_until_it_gives_a_token() -> None:
    stub = Stub()
    async with serving(stub.app) as url:
        pool = EnginePool(outside=[EngineClient(url)], silence=SECONDS)
        await pool.start()
        await until(lambda: pool.state == "ready")
        with pytest.raises(EngineUnavailable):  # what is under way is cut
            await pool.bind("base").complete(BODY)
        await until(lambda: pool.state == "restarting")
        assert f"{url}: it says that it is well, and gave nothing" in pool.detail
        probes = stub.probes
        await until(lambda: stub.probes > probes)
        assert pool.clients() == ()
        stub.works.set()
        await until(lambda: pool.state == "ready")
        assert pool.restarts == 1
        await pool.stop()


async def test_an_engine_of_ours_that_hangs_is_replaced(tmp_path: Path) -> None:
    settings = EngineSettings(
        model="/models/base",
        model_name="demo",
        environment={"TEST_STATE": str(tmp_path)},
        silence_timeout_seconds=SECONDS,
    )
    pool = EnginePool(process=EngineProcess(settings, tmp_path, words))
    await pool.start()
    try:
        await until(lambda: pool.state == "ready")
        before = {process.pid for process in processes(tmp_path)}
        stream = pool.bind("demo").stream({"messages": []})
        assert b"choices" in await anext(aiter(stream))  # and nothing more comes
        with pytest.raises(EngineUnavailable):
            await anext(aiter(stream))
        await until(lambda: pool.restarts == 1 and pool.state == "ready")
        assert not before & {process.pid for process in processes(tmp_path)}
    finally:
        await pool.stop()
    assert processes(tmp_path) == []
