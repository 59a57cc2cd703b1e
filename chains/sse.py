"""Reads the engine's server-sent events from bytes that may be cut anywhere.

Follows the event stream format of the HTML standard (section 9.2.6) as far as the engine uses it: ``data``
and ``event`` fields, comments, all three line ends. Events are decoded only when they are whole, so a cut
inside a character does no harm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from chains.errors import EngineAnswerError

DONE = b"data: [DONE]\n\n"

_DONE = b"[DONE]"
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventReader:
    """Feed it bytes, take the JSON objects; call ``end`` when there are no more bytes."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._seen = 0  # of _rest, known to hold no line end
        self._data: list[bytes] = []
        self._kind = b""
        self._done = False

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The objects that ``data`` completes.

        Raises:
            EngineAnswerError: an error event, or data that is no JSON object.
        """
        self._rest += data
        found: list[dict[str, Any]] = []
        while (line := self._line()) is not None:
            if line:
                self._field(line)
            elif (chunk := self._dispatch()) is not None:
                found.append(chunk)
        return found

    def end(self) -> None:
        """Raises EngineAnswerError if the stream stopped before its ``[DONE]``."""
        if not self._done:
            raise EngineAnswerError("the engine's stream ended before it was done")

    def _line(self) -> bytes | None:
        match = _LINE_END.search(self._rest, self._seen)
        if match is None:
            self._seen = len(self._rest)
            return None
        if match.group() == b"\r" and match.end() == len(self._rest):
            self._seen = match.start()  # a \n may still come
            return None
        line = bytes(self._rest[: match.start()])
        end = match.end()
        del match  # it keeps the bytearray from shrinking
        del self._rest[:end]
        self._seen = 0
        return line

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._kind = value.removeprefix(b" ")

    def _dispatch(self) -> dict[str, Any] | None:
        data, kind = b"\n".join(self._data), self._kind
        self._data, self._kind = [], b""
        if not data or self._done:
            return None
        if data == _DONE:
            self._done = True
            return None
        return json_object(data, error=kind == b"error")


def sent(chunk: Mapping[str, Any]) -> bytes:
    """``chunk`` as a server-sent event."""
    return b"data: " + dumped(chunk) + b"\n\n"


def dumped(value: Mapping[str, Any]) -> bytes:
    """``value`` as JSON, which may hold numbers of any size."""
    return _ENCODER.encode(value).encode()


def json_object(data: bytes, error: bool = False) -> dict[str, Any]:
    """``data`` as a JSON object.

    Raises:
        EngineAnswerError: it is none, or it is the engine's error (always, where ``error`` is set).
    """
    try:
        value = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as exc:
        raise EngineAnswerError("the engine's answer is not JSON") from exc
    if not isinstance(value, dict):
        raise EngineAnswerError("the engine's answer is not a JSON object")
    if error or "error" in value or value.get("object") == "error":
        inner = value.get("error")
        message = inner.get("message") if isinstance(inner, dict) else inner or value.get("message")
        raise EngineAnswerError(f"the engine reported an error: {message or 'without a message'}")
    return value
