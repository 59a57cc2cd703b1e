"""The server-sent events of an answer, made whole: the engine's bytes are cut anywhere, the client's not."""

from __future__ import annotations

from service.engine.extras import openai_form

DONE = b"data: [DONE]\n\n"
_END = b"\n\n"  # of an event
_ERROR = b'data: {"error":'
_OPENS = b'"delta":{"role":"assistant","content":""'


class Events:
    """The events of one answer, in OpenAI's form."""

    def __init__(self, rest: bytes = b"") -> None:
        self.rest = rest  # of an event that has not come whole
        self.counted = b""  # the last piece with a usage

    def end_with(self, data: bytes) -> bool:
        """Whether the answer's last event is whole with ``data``."""
        return (self.rest + data).endswith(DONE)

    def whole(self, data: bytes) -> bytes:
        """The events that ``data`` makes whole."""
        data = self.rest + data if self.rest else data
        cut = data.rfind(_END) + len(_END)
        if cut < len(_END):
            self.rest = data
            return b""
        piece, self.rest = (data, b"") if cut == len(data) else (data[:cut], data[cut:])
        if b'"usage":' in piece:
            self.counted = piece
        return openai_form(piece)


def error_in(seen: bytes) -> int | None:
    """Where in a stream an error event begins; None without one."""
    at = seen.find(_ERROR)
    return at if at == 0 or (at > 0 and seen[at - 1 : at] == b"\n") else None


def says_nothing(seen: bytes) -> bool:
    """Whether a stream's first bytes are no more than the chunks by which its choices begin."""
    *events, rest = seen.split(_END)
    return all(_OPENS in event for event in events) and b"[DONE]" not in rest and b"\r" not in rest
