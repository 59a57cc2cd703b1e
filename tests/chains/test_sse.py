from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import EngineAnswerError
from chains.sse import EventReader, json_object

STREAM = (
    'data: {"a": "包裹"}\n\n: a comment\r\ndata: {"b": "😀"}\r\n\r\n'
    'event: message\rdata:{"c":\rdata: 3}\r\rid: 7\n\ndata: [DONE]\n\n'
).encode()
OBJECTS = [{"a": "包裹"}, {"b": "😀"}, {"c": 3}]


def read(pieces: list[bytes]) -> list[object]:
    reader = EventReader()
    found: list[object] = []
    for piece in pieces:
        found += reader.feed(piece)
    reader.end()
    return found


def test_any_one_cut_and_single_bytes_give_the_same_objects() -> None:
    for at in range(len(STREAM) + 1):
        assert read([STREAM[:at], STREAM[at:]]) == OBJECTS
    assert read([bytes([byte]) for byte in STREAM]) == OBJECTS


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_cutting_gives_the_same_objects(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[a:b] for a, b in pairwise(edges)]) == OBJECTS


def test_a_stream_that_breaks_off_is_an_error() -> None:
    reader = EventReader()
    assert reader.feed(b'data: {"a": 1}\n\ndata: {"b"') == [{"a": 1}]
    with pytest.raises(EngineAnswerError, match="ended before"):
        reader.end()


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"error": {"message": "out of memory", "code": 500}}\n\n',
        b'data: {"object": "error", "message": "out of memory"}\n\n',
        b'event: error\ndata: {"message": "out of memory"}\n\n',
        b'data: {"error": "out of memory"}\n\n',
    ],
)
def test_an_error_event_is_raised_with_its_message(event: bytes) -> None:
    with pytest.raises(EngineAnswerError, match="out of memory"):
        EventReader().feed(event)


@pytest.mark.parametrize("data", [b"", b"no", b"[1]", b"\xff", b'"x"'])
def test_what_is_no_object_is_an_error(data: bytes) -> None:
    with pytest.raises(EngineAnswerError, match=r"not (a )?JSON"):
        json_object(data)


def test_nothing_counts_after_done() -> None:
    assert EventReader().feed(b'data: [DONE]\n\ndata: {"late": 1}\n\n') == []
