"""The short way of a streamed answer's middle to its connection."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.protocol import Pieces


def made(**changed: Any) -> tuple[Pieces, list[bytes]]:
    """The way of an answer that has begun, and what its client gets."""
    sent: list[bytes] = []
    state = {
        "response_started": True,
        "chunked_encoding": True,
        "disconnected": False,
        "flow": SimpleNamespace(write_paused=False),
        "transport": SimpleNamespace(write=sent.append),
    }
    return Pieces(cast(RequestResponseCycle, SimpleNamespace(**(state | changed)))), sent


def test_a_piece_is_a_chunk_of_http() -> None:
    pieces, sent = made()
    assert pieces.can
    pieces.write(b"data: 0123456789\n\n")
    assert sent == [b"12\r\ndata: 0123456789\n\n\r\n"]


def test_nothing_is_sent_to_who_has_left() -> None:
    pieces, sent = made(disconnected=True)
    pieces.write(b"data: 1\n\n")
    assert sent == []


@pytest.mark.parametrize(
    "changed",
    [
        {"response_started": False},
        {"chunked_encoding": False},
        {"chunked_encoding": None},
        {"flow": SimpleNamespace(write_paused=True)},
    ],
)
def test_the_way_is_closed_before_the_head_without_chunks_and_to_a_slow_client(
    changed: dict[str, Any],
) -> None:
    assert not made(**changed)[0].can
