"""The wire against servers that do as the test says, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import pytest

from service.engine import http_wire
from service.engine.http_wire import HttpWire
from service.engine.wire import Broken, Unreachable
from tests.service.conftest import until
from tests.service.engine.outlets import Own

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def server(talk: Talk) -> AsyncGenerator[str, None]:
    """Runs ``talk`` on each connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as running:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}"


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def whole(wire: HttpWire, path: str = "/", body: bytes | None = None) -> bytes:
    found = b""
    async with wire.ask("GET" if body is None else "POST", path, body) as reply:
        assert reply.status == 200
        while piece := await reply.next():
            found += piece
    return found


async def test_a_request_says_what_it_carries_and_connections_are_kept() -> None:
    heads: list[list[bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append([])
        while True:
            heads[-1].append(await head(reader))
            if b"content-length: 5" in heads[-1][-1]:
                assert await reader.readexactly(5) == b"hello"
            writer.write(OK)

    async with server(talk) as url:
        wire = HttpWire(f"{url}/under", "secret")
        assert await whole(wire, "/a") == b"ok"
        assert await whole(wire, "/b", b"hello") == b"ok"
        wire.close()
    assert len(heads) == 1
    first, second = heads[0]
    assert first.startswith(b"GET /under/a HTTP/1.1\r\n")
    assert b"\r\nauthorization: Bearer secret\r\n" in first
    assert b"content-length" not in first
    assert b"content-type: application/json" in second


async def test_pieces_come_as_they_arrive() -> None:
    go = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(CHUNKED + b"3\r\none\r\n")
        await go.wait()
        writer.write(b"3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")
        await head(reader)

    async with server(talk) as url:
        wire = HttpWire(url)
        async with wire.ask("GET", "/", None) as reply:
            assert await reply.next() == b"one"
            go.set()
            rest = b""
            while piece := await reply.next():
                rest += piece
        wire.close()
    assert rest == b"twothree"


async def test_what_is_poured_comes_as_it_is_read_and_what_is_refused_is_there_to_read() -> None:
    go, seen = asyncio.Event(), list[bytes]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(CHUNKED + b"3\r\none\r\n")
        await go.wait()
        writer.write(b"3\r\ntwo\r\n5\r\nthree\r\n")
        await until(lambda: bool(seen))
        writer.write(b"4\r\nfour\r\n")
        await head(reader)

    def outlet(data: bytes) -> bool:
        seen.append(data)
        return data != b"four"

    async with server(talk) as url:
        wire = HttpWire(url)
        async with wire.ask("GET", "/", None) as reply:
            assert await reply.next() == b"one"
            asyncio.get_running_loop().call_soon(go.set)
            await reply.pour(Own(outlet))
            assert seen == [b"twothree", b"four"]  # what is there together goes together
            assert await reply.next() == b"four"
        wire.close()


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"3\r\ntwo\r\n0\r\n\r\n", b"", b"no chunk"])
async def test_pouring_ends_with_the_answer_whose_end_is_there_to_read(end: bytes) -> None:
    go = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(CHUNKED + b"3\r\none\r\n")
        await go.wait()
        writer.write(end)

    async with server(talk) as url:
        wire = HttpWire(url)
        async with wire.ask("GET", "/", None) as reply:
            assert await reply.next() == b"one"
            asyncio.get_running_loop().call_soon(go.set)
            rest = list[bytes]()

            def outlet(data: bytes) -> bool:
                rest.append(data)
                return True

            await reply.pour(Own(outlet))
            if end.endswith(b"0\r\n\r\n"):
                while piece := await reply.next():
                    rest.append(piece)
                assert b"".join(rest) == end[3:6] * (len(end) > 5)
            else:
                with pytest.raises(Broken):
                    await reply.next()
        wire.close()


async def test_leaving_an_answer_early_hangs_up() -> None:
    gone = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(CHUNKED + b"3\r\none\r\n")
        with suppress(ConnectionError):
            await reader.read()
        gone.set()

    async with server(talk) as url:
        async with HttpWire(url).ask("GET", "/", None) as reply:
            await reply.next()
        await gone.wait()


async def test_a_reader_that_is_slow_holds_the_server_up_and_loses_nothing() -> None:
    sent, full = 32 << 20, b"x" * (1 << 16)
    written = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % sent)
        while written < sent:
            writer.write(full)
            written += len(full)
            await writer.drain()
        await head(reader)

    async with server(talk) as url:
        wire = HttpWire(url)
        async with wire.ask("GET", "/", None) as reply:
            first = await reply.next()
            for _ in range(1000):
                await asyncio.sleep(0)
            assert written < sent
            got = len(first)
            while piece := await reply.next():
                got += len(piece)
        wire.close()
    assert got == sent


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9\r\n", OK[:-1], CHUNKED + b"3\r\non", CHUNKED + b"zz\r\n"]
)
async def test_an_answer_that_is_not_whole_is_broken(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer)

    async with server(talk) as url:
        with pytest.raises(Broken):
            await whole(HttpWire(url))


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    async with server(talk) as url:
        assert await whole(HttpWire(url)) == b"all of it"


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await head(reader)
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))

    async with server(talk) as url:
        wire = HttpWire(url)
        assert [await whole(wire) for _ in range(3)] == [b"ok"] * 3
    assert connections == 3


async def test_what_is_kept_too_long_is_let_go_whichever_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as were needed at once, then a look each second, which takes the freshest."""
    opened = ended = 0
    now, gate = 0.0, asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened, ended
        opened += 1
        try:
            while True:
                await head(reader)
                await gate.wait()
                writer.write(OK)
        finally:
            ended += 1

    monkeypatch.setattr(http_wire, "time", SimpleNamespace(monotonic=lambda: now))
    async with server(talk) as url:
        wire = HttpWire(url)
        crowd = [asyncio.create_task(whole(wire)) for _ in range(5)]
        await until(lambda: opened == 5)
        gate.set()
        await asyncio.gather(*crowd)
        for _ in range(4):
            now += 1
            assert await whole(wire) == b"ok"
        await until(lambda: ended == 4)
        assert opened == 5
        wire.close()


async def test_nobody_there() -> None:
    with pytest.raises(Unreachable):
        await whole(HttpWire("http://127.0.0.1:9"))
