"""The middle of a stream, from the engine's connection to the client's."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from service.api.relay import Relay
from service.engine.events import DONE
from tests.service.conftest import Running, until
from tests.service.test_pieces import made

USER = {"role": "user", "content": "where is my parcel"}


def opened(**changed: Any) -> tuple[Relay, list[bytes]]:
    """A relay whose answer has begun, and what its client gets."""
    sent: list[bytes] = []
    transport = SimpleNamespace(write=lambda chunk: sent.append(chunk.split(b"\r\n", 1)[1][:-2]))
    relay = Relay()
    relay.open(made(**{"transport": transport, **changed})[0])
    return relay, sent


def test_nothing_is_taken_before_the_answer_has_begun() -> None:
    assert not Relay().take(b"data: 1\n\n")


def test_whole_events_are_sent_in_openais_form_and_the_rest_with_what_ends_it() -> None:
    relay, sent = opened()
    assert relay.take(b'data: {"a":1,"token_ids":null}\n\ndata: {"b"')
    assert relay.take(b":2")
    assert sent == [b'data: {"a":1}\n\n']
    assert relay.take(b"}\n\n")
    assert sent[1:] == [b'data: {"b":2}\n\n']
    assert relay.rest() == b""


def test_a_usage_is_seen_on_both_ways() -> None:
    relay, _ = opened()
    usage = b'data: {"usage":{"completion_tokens":3}}\n\n'
    assert relay.take(usage)
    assert relay.counted == usage
    assert Relay().whole(usage) == usage


@pytest.mark.parametrize("cut", range(1, len(DONE)))
def test_the_end_goes_the_long_way_wherever_it_is_cut(cut: int) -> None:
    relay, sent = opened()
    assert relay.take(DONE[:cut])
    assert not relay.take(DONE[cut:])
    assert relay.whole(DONE[cut:]) == DONE
    assert sent == []


def test_what_a_slow_client_can_not_take_is_left() -> None:
    flow = SimpleNamespace(write_paused=True)
    relay, sent = opened(flow=flow)
    assert not relay.take(b"data: 1\n\n")
    flow.write_paused = False
    assert relay.take(b"data: 2\n\n")
    assert sent == [b"data: 2\n\n"]


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("auto", "/v1/chat/completions"),
        ("support", "/v1/chat/completions"),
        ("pointsman-demo", "/v1/chat/completions"),
        ("support", "/v1/completions"),
    ],
)
async def test_the_bytes_of_a_stream_are_the_engines(
    running: Running, monkeypatch: pytest.MonkeyPatch, model: str, path: str
) -> None:
    """All of them, in order, though its middle takes the straight way wherever it may."""
    taken: list[bytes] = []
    take = Relay.take

    def noted(self: Relay, data: bytes) -> bool:
        if taking := take(self, data):
            taken.append(data)
        return taking

    monkeypatch.setattr(Relay, "take", noted)
    running.vllm.answer = lambda _: " ".join(map(str, range(3_000)))  # more than one read of a socket
    running.vllm.gate = asyncio.Event()
    asked = {"messages": [USER]} if "chat" in path else {"prompt": USER["content"]}
    body = {"model": model, **asked, "stream": True, "stream_options": {"include_usage": True}}
    async with running.http.stream("POST", path, json=body) as response:
        pieces = response.aiter_raw()
        got = await anext(pieces)
        running.vllm.gate.set()
        async for piece in pieces:
            got += piece
    await until(lambda: running.gateway.admission.running == 0 and running.desk.held == 0)
    assert got == running.vllm.sent[-1]
    assert taken
    assert b"".join(taken) in got
    metrics = (await running.http.get("/metrics")).text
    (counted,) = (
        line for line in metrics.splitlines() if "pointsman_tokens_total{" in line and "completion" in line
    )
    assert counted.endswith(" 3000.0")


async def test_a_client_that_does_not_read_holds_the_engine_up_and_gets_all(running: Running) -> None:
    running.vllm.answer = lambda _: " ".join(["x" * 200_000] * 200)
    body = {"model": "support", "messages": [USER], "stream": True}
    async with running.http.stream("POST", "/v1/chat/completions", json=body) as response:
        pieces = response.aiter_raw()
        got = [await anext(pieces)]
        await asyncio.sleep(0.5)
        assert not running.vllm.sent  # 40 MB are more than all buffers on the way
        got += [piece async for piece in pieces]
    assert b"".join(got) == running.vllm.sent[-1]
