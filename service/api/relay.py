"""The bytes of a streamed answer between the engine's connection and the client's.

They pass through as they came, less the empty fields that are vLLM's own, and are only cut between
server-sent events, so that an error can still be told where the engine breaks in the middle of one. Where a
chain passes bytes on as they are, its engine gets :meth:`Relay.take`, and from the answer's second piece on
they are written where they are read: the way through chain and response is a dozen coroutines, which for an
answer of many small pieces was half of the gateway's work.
"""

from __future__ import annotations

from service.api.extras import openai_form
from service.kept.feedback import Heard
from service.protocol import Pieces

DONE = b"data: [DONE]\n\n"
_END = b"\n\n"  # of a server-sent event


class Relay:
    """One answer; ``heard`` listens to it."""

    def __init__(self, heard: Heard | None = None) -> None:
        self.heard = heard
        self.counted = b""  # the last piece with a usage
        self._straight: Pieces | None = None
        self._rest = b""  # of an event that has not come whole

    def open(self, straight: Pieces | None) -> None:
        """The answer has begun: what follows may take the straight way, if there is one."""
        self._straight = straight

    def take(self, data: bytes) -> bool:
        """Send ``data`` of the engine on at once; False: it is left to the long way.

        That has the first piece and the last, which are counted on it, and all that meets a client who does
        not keep up.
        """
        straight = self._straight
        if straight is None or not straight.can or (self._rest + data).endswith(DONE):
            return False
        if piece := self.whole(data):
            if self.heard is not None:
                self.heard.add(piece)
            straight.write(piece)
        return True

    def wrote(self, piece: bytes) -> bool:
        """Whether ``piece`` of a chain took the straight way."""
        straight = self._straight
        if straight is None or not straight.can or piece.endswith(DONE):
            return False
        straight.write(piece)
        return True

    def whole(self, data: bytes) -> bytes:
        """The events that ``data`` of the engine makes whole, in OpenAI's form."""
        data = self._rest + data if self._rest else data
        cut = data.rfind(_END) + len(_END)
        if cut < len(_END):
            self._rest = data
            return b""
        piece, self._rest = (data, b"") if cut == len(data) else (data[:cut], data[cut:])
        if b'"usage":' in piece:
            self.counted = piece
        return openai_form(piece)

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return openai_form(self._rest)
