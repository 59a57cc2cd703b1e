"""Servers that others run: watched, shared out, and missed when they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest

from service.admission import Admission
from service.engine import EngineClient, EnginePool, watch
from service.engine.wire import Unreachable
from service.errors import EngineUnavailable
from service.gateway import Gateway
from service.sections import EngineSettings
from tests.service.conftest import until
from tests.service.fake_vllm import BASE, FakeVLLM
from tests.service.loopback import serving
from tests.service.parts import Desk, write_settings

BODY = {"messages": [{"role": "user", "content": "hello"}]}


async def test_a_conversation_stays_and_what_is_too_much_for_its_server_goes_to_the_other() -> None:
    one, other = FakeVLLM(), FakeVLLM()
    async with pool_of(one, other) as pool:
        one.gate = other.gate = asyncio.Event()
        engine = pool.bind(BASE)
        streams = []
        for _ in range(7):
            streams.append(engine.stream(BODY))
            await anext(aiter(streams[-1]))
        assert sorted((len(one.requests), len(other.requests))) == [
            2,
            5,
        ]  # nobody has over 1.25 times half of 7, rounded up
        one.gate.set()
        for stream in streams:
            assert (b"".join([chunk async for chunk in stream])).endswith(b"data: [DONE]\n\n")
        for _ in range(4):
            await engine.complete(BODY)
        assert 2 in (len(one.requests), len(other.requests))


async def test_what_could_not_be_sent_goes_to_another_server() -> None:
    """A server that is gone is noticed a second later; who asks until then is answered by the other."""
    one, other = FakeVLLM(), FakeVLLM()
    async with serving(one.app) as url:
        async with serving(other.app) as gone:
            pool = EnginePool(outside=[EngineClient(url), EngineClient(gone)])
            await pool.start()
            await until(lambda: len(pool.clients()) == 2)
        engine = pool.bind(BASE)
        bodies = [{"messages": [{"role": "user", "content": f"hello {index}"}]} for index in range(8)]
        answers = await asyncio.gather(*(engine.complete(body) for body in bodies))
        assert len(answers) == len(one.requests) == 8
        assert b"".join([piece async for piece in engine.stream(BODY)]).endswith(b"data: [DONE]\n\n")
        await pool.stop()


async def test_what_could_not_be_sent_goes_to_another_server_though_its_own_is_counted_out_by_then() -> None:
    one, other = FakeVLLM(), FakeVLLM()
    async with pool_of(one, other) as pool:
        asked: list[EngineClient] = []

        async def counted_out(client: EngineClient, *_: object) -> bytes:
            asked.append(client)
            if len(asked) > 1:
                return b"answered"
            pool.down(client, "it does not answer")
            raise EngineUnavailable("the engine can't be reached") from Unreachable("no connection")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EngineClient, "complete", counted_out)
            assert await pool.bind(BASE).complete(BODY) == b"answered"
        assert asked[1] is not asked[0]


async def test_what_was_sent_is_not_sent_again() -> None:
    one, other = FakeVLLM(break_after=1), FakeVLLM(break_after=1)
    async with pool_of(one, other) as pool:
        with pytest.raises(EngineUnavailable):
            _ = [piece async for piece in pool.bind(BASE).stream(BODY)]
        assert len(one.requests) + len(other.requests) == 1


async def test_requests_of_one_template_go_where_it_is_cached() -> None:
    """16 templates, each asked for by ten conversations in turn: none is read by both servers."""
    one, other = FakeVLLM(), FakeVLLM()
    async with pool_of(one, other) as pool:
        for talk in range(10):
            for template in range(16):
                system = {"role": "system", "content": f"template {template}"}
                said = {"role": "user", "content": f"talk {talk}"}
                body = {"messages": [system, said], "user": f"user {talk}"}
                await pool.bind(BASE).complete(body)
        read = [{request["messages"][0]["content"] for request in server.requests} for server in (one, other)]
        assert len(read[0] | read[1]) == 16
        assert not read[0] & read[1]


async def test_slots_and_places_are_those_of_the_servers_that_are_up(tmp_path: Path) -> None:
    one, other = FakeVLLM(), FakeVLLM()
    async with serving(one.app) as one_url, serving(other.app) as other_url:
        extra = "admission: {max_concurrent: 5}\n"
        written = write_settings(tmp_path, one_url, extra)
        engine = written.engine.model_copy(update={"urls": (one_url, other_url), "max_loras": 2})
        settings = written.model_copy(update={"engine": engine})
        pool = EnginePool(outside=[EngineClient(url) for url in engine.urls])
        admission = Gateway(settings, pool, Desk()).admission
        await pool.start()
        await until(lambda: len(pool.clients()) == 2)
        async with AsyncExitStack() as held:
            for index in range(4):
                await held.enter_async_context(admission.slot(f"a{index}"))
            await held.enter_async_context(admission.slot("a0"))
            assert (admission.running, admission.adapters) == (5, 4)
            other.healthy = False
            await until(lambda: len(pool.clients()) == 1)
            assert admission.running == 5  # who has a slot keeps it
        leave = asyncio.Event()
        tasks = [asyncio.create_task(hold(admission, f"a{index % 3}", leave)) for index in range(6)]
        await asyncio.sleep(0)
        assert (admission.running, admission.adapters, admission.waiting) == (3, 2, 3)
        other.healthy = True
        await until(lambda: len(pool.clients()) == 2)
        assert (admission.running, admission.adapters, admission.waiting) == (5, 3, 1)
        leave.set()
        await asyncio.gather(*tasks)
        await pool.stop()


@pytest.mark.parametrize("cut", [False, True])
async def test_what_a_lost_server_still_holds_takes_nothing_from_the_others(
    tmp_path: Path, cut: bool
) -> None:
    """Of four slots two are stuck on a server that is gone: the other works on at its two, no more."""
    servers = FakeVLLM(gate=asyncio.Event()), FakeVLLM(gate=asyncio.Event())
    async with serving(servers[0].app) as one_url, serving(servers[1].app) as other_url:
        written = write_settings(tmp_path, one_url, "admission: {max_concurrent: 4}\n")
        engine = written.engine.model_copy(update={"urls": (one_url, other_url), "max_loras": 1})
        pool = EnginePool(outside=[EngineClient(url) for url in engine.urls])
        admission = Gateway(written.model_copy(update={"engine": engine}), pool, Desk()).admission
        await pool.start()
        await until(lambda: len(pool.clients()) == 2)
        for server in servers:
            server.models |= {"a", "b"}

        async def ask(adapter: str | None, say: str) -> None:
            async with admission.slot(adapter):
                body = {"messages": [{"role": "user", "content": say}]}
                await pool.bind(adapter or BASE).complete(body)

        at = {"a": servers[0], "b": servers[1]}
        pool.placed(lambda model: {pool._outside[servers.index(at[model])]} if model in at else None)
        first = [asyncio.create_task(ask(adapter, "now")) for adapter in ("a", "a", "b", "b")]
        await until(lambda: [server.active for server in servers] == [2, 2])
        later = [asyncio.create_task(ask(adapter, "later")) for adapter in (None, None, None, None)]
        await until(lambda: admission.waiting == 4)
        servers[0].healthy = False
        await until(lambda: len(pool.clients()) == 1)
        assert (admission.running, admission.waiting) == (4, 4)

        working, servers[1].gate = servers[1].gate, asyncio.Event()
        assert working is not None
        working.set()
        await asyncio.gather(*first[2:])
        await until(lambda: servers[1].active == 2)
        assert (admission.running, admission.waiting) == (4, 2)  # its two, and two that are stuck
        fresh = asyncio.create_task(ask("b", "a place beside the one that is held"))
        await until(lambda: admission.waiting == 3)
        working, servers[1].gate = servers[1].gate, None
        assert working is not None
        working.set()
        await asyncio.gather(*later, fresh)
        assert (admission.running, admission.adapters) == (2, 1)

        assert servers[0].gate is not None
        (pool._outside[0].cut if cut else servers[0].gate.set)()
        answers = await asyncio.gather(*first[:2], return_exceptions=True)
        assert [isinstance(answer, EngineUnavailable) for answer in answers] == [cut, cut]
        servers[1].gate = asyncio.Event()
        again = [asyncio.create_task(ask(None, "again")) for _ in range(3)]
        await until(lambda: servers[1].active == 2)
        assert (admission.running, admission.waiting) == (2, 1)
        servers[1].gate.set()
        await asyncio.gather(*again)
        await pool.stop()


async def hold(admission: Admission, adapter: str, leave: asyncio.Event) -> None:
    async with admission.slot(adapter):
        await leave.wait()


@pytest.mark.parametrize("odd", [b"<html>Bad gateway</html>", b'{"error": "starting"}'])
async def test_a_server_that_answers_nonsense_once_is_prepared_again(
    odd: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = FakeVLLM(), FakeVLLM(odd=odd)
    async with serving(one.app) as one_url, serving(other.app) as other_url:
        pool = EnginePool(outside=[EngineClient(one_url), EngineClient(other_url)])
        pool.on_up(ask_models)
        await pool.start()
        await until(lambda: "could not be prepared" in caplog.text)
        assert f"{other_url} answered GET /v1/models with no" in caplog.text
        other.odd = None
        await until(lambda: len(pool.clients()) == 2)
        await pool.stop()


async def ask_models(client: EngineClient) -> None:
    await client.models()


async def test_a_watch_that_breaks_is_not_the_end_of_the_other_servers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, other = FakeVLLM(), FakeVLLM()
    async with serving(one.app) as one_url, serving(other.app) as other_url:
        pool = EnginePool(outside=[EngineClient(one_url), EngineClient(other_url)])

        async def prepare(client: EngineClient) -> None:
            if client.url == other_url:
                await until(lambda: len(pool.clients()) == 1)
                raise RuntimeError("a bug")

        pool.on_up(prepare)
        await pool.start()
        await until(lambda: "the watch over the engine broke" in caplog.text)
        assert pool.state == "ready"
        await pool.stop()


async def test_a_model_is_asked_for_where_it_is() -> None:
    one, other = (FakeVLLM(models={BASE, "a", "b"}) for _ in range(2))
    async with pool_of(one, other) as pool:
        first, second = pool.clients()
        having = {"a": {first}, "b": {second}, "gone": set[EngineClient]()}
        pool.placed(having.get)
        for index in range(4):
            body = {"messages": [{"role": "user", "content": f"hello {index}"}]}
            await pool.bind("a").complete(body)
            await pool.bind("b").complete(body)
        asked = [{request["model"] for request in server.requests} for server in (one, other)]
        assert sorted(map(sorted, asked)) == [["a"], ["b"]]
        with pytest.raises(EngineUnavailable, match="no server of the engine has gone"):
            await pool.bind("gone").complete(BODY)


@asynccontextmanager
async def pool_of(one: FakeVLLM, other: FakeVLLM) -> AsyncGenerator[EnginePool, None]:
    """A pool of two servers that are up."""
    async with serving(one.app) as one_url, serving(other.app) as other_url:
        pool = EnginePool(outside=[EngineClient(one_url), EngineClient(other_url)])
        await pool.start()
        await until(lambda: len(pool.clients()) == 2)
        yield pool
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


async def test_a_watch_that_is_stopped_as_it_counts_a_server_out_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ending, ended = asyncio.Event(), asyncio.Event()

    async def silent(*_: object) -> str:
        try:
            return await asyncio.Future[str]()
        finally:
            ending.set()
            await ended.wait()

    monkeypatch.setattr(watch, "_ASK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "silent", silent)
    vllm = FakeVLLM()
    async with serving(vllm.app) as url:
        pool = EnginePool(outside=[EngineClient(url)])
        await pool.start()
        await until(lambda: pool.state == "ready")
        vllm.healthy = False
        await ending.wait()
        stopping = asyncio.create_task(pool.stop())
        await asyncio.sleep(0)
        ended.set()
        await until(stopping.done)
        assert not pool.clients()


async def test_one_look_in_vain_ends_nothing_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_ASK_SECONDS", 0.05)
    gate = asyncio.Event()
    vllm, working, vain = FakeVLLM(gate=gate), EngineClient.healthy, [False]

    async def healthy(client: EngineClient) -> bool:
        return vain.pop() if vain else await working(client)

    async with serving(vllm.app) as url:
        pool = EnginePool(outside=[EngineClient(url)])
        await pool.start()
        await until(lambda: pool.state == "ready")
        stream = pool.bind(BASE).stream(BODY)
        pieces = [await anext(stream)]
        vllm.gate = None  # others get their token
        monkeypatch.setattr(EngineClient, "healthy", healthy)
        await until(lambda: pool.state == "restarting")
        await until(lambda: pool.state == "ready")
        assert pool.restarts == 1
        gate.set()
        pieces += [piece async for piece in stream]
        await pool.stop()
    assert b"".join(pieces).endswith(b"data: [DONE]\n\n")


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
