"""How the load generator reads what servers answer."""

from __future__ import annotations

import pytest

from deploy.bench.serving.load import Run
from deploy.bench.serving.report import Summary
from deploy.bench.serving.result import Result, result_of
from deploy.bench.serving.tables import messages, rows
from deploy.bench.serving.traffic import Ask
from deploy.bench.serving.wire import Answer


def test_a_stream_without_text_or_without_its_end_is_an_error() -> None:
    ask = Ask("a", True, b"")

    def error(body: bytes) -> str | None:
        return result_of(ask, Answer(200, bytearray(body), [(1.0, len(body))]), 0.0, 1.0).error

    assert error(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n') == "the stream broke off"
    assert error(b'data: {"error":{"code":500}}\n\ndata: [DONE]\n\n') == "an error in the stream"
    assert (
        error(b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\ndata: [DONE]\n\n') == "an empty answer"
    )
    said = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
    assert error(said + b"data: [DONE]\n\n") is None
    failed = said + b'data: {"error":{"code":500}}\n\ndata: [DONE]\n\n'
    assert error(failed) == "an error in the stream"  # behind tokens too
    quoted = b'data: {"choices":[{"delta":{"content":"{\\"error\\": 1}"}}],"error":null}\n\n'
    assert error(quoted + b"data: [DONE]\n\n") is None


def streamed(body: bytes) -> Result:
    """What becomes of a stream that comes in one piece."""
    return result_of(Ask("a", True, b""), Answer(200, bytearray(body), [(1.0, len(body))]), 0.0, 1.0)


@pytest.mark.parametrize("begin", [b"data:", b"data: "])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_a_stream_is_read_however_its_lines_are_written(begin: bytes, end: bytes) -> None:
    text = b'{"choices":[{"delta":{"content":"data: {}"}}]}'
    usage = b'{"choices":[],"usage":{"completion_tokens":7},"said":"data: {}"}'
    events = [b": a comment" + end, *(begin + event + end for event in (text, text, usage, b"[DONE]"))]
    found = streamed(b"".join(events))
    assert (found.error, found.tokens, found.counted) == (None, 7, True)
    failed = begin + b'{"error":{"message":"out of\\nmemory"}}' + end
    found = streamed(begin + text + end + failed)
    assert (found.error, found.message) == ("an error in the stream", "out of memory")


def test_without_usage_pieces_with_text_are_counted_and_the_table_says_so() -> None:
    text = b'data:{"choices":[{"delta":{"content":"x"}}]}\n\n'
    last = b'data:{"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    pieces = streamed(text * 3 + last + b"data:[DONE]\n\n")
    assert (pieces.error, pieces.tokens, pieces.counted) == (None, 3, False)
    whole = result_of(Ask("a", False, b""), Answer(200, bytearray(b'{"choices":[{}]}')), 0.0, 1.0)
    assert (whole.error, whole.tokens, whole.counted) == (None, 0, False)
    counted = Result("a", 0.1, tokens=9)
    summary = Summary.of("one", [Run(2.0, (pieces, pieces, whole, counted), 0.0)])
    assert (summary.by_pieces, summary.uncounted) == (2, 1)
    assert ["tokens/s", "8 (no usage: 2 by pieces, 1 as 0)"] in rows([summary])
    said = Summary.of("one", [Run(1.0, (counted,), 0.0)])
    assert ["tokens/s", "9"] in rows([said])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error":{"message":"no stream_options","code":400}}', "no stream_options"),
        (b'{"error":"full"}', "full"),
        (b'{"object":"error","message":"no such model"}', "no such model"),
        (b'{"detail":[{"loc":["body","top_k"]}]}', '[{"loc":["body","top_k"]}]'),
        (b"<h1>Bad\n\x1b[31m  Gateway</h1>", "<h1>Bad [31m Gateway</h1>"),
        (b"x" * 1000, "x" * 300 + "…"),
        (b"", ""),
    ],
)
def test_what_a_server_says_to_an_error_is_kept_in_a_line(body: bytes, said: str) -> None:
    found = result_of(Ask("a", True, b""), Answer(400, bytearray(body)), 0.0, 1.0)
    assert (found.error, found.message) == ("HTTP 400", said)
    again = Result("a", 0.1, error="HTTP 400", message="another")
    summary = Summary.of("one", [Run(1.0, (found, again), 0.0)])
    assert messages([summary]) == [f"HTTP 400 of one: {said or 'another'}"]


def test_an_answer_that_is_no_stream_is_said_to_be_none() -> None:
    found = streamed(b'{"choices":[]}')
    assert (found.error, found.message) == ("no stream", '{"choices":[]}')
