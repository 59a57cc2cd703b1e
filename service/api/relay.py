"""The bytes of a streamed answer between the engine's connection and the client's.

They pass through as they came, less the empty fields that are vLLM's own, and are only cut between
server-sent events, so that an error can still be told where the engine breaks in the middle of one. Where a
chain passes bytes on as they are, its engine gets :meth:`Relay.take`, and from the answer's second piece on
they are written where they are read: the way through chain and response is a dozen coroutines, which for an
answer of many small pieces was half of the gateway's work.
"""

from __future__ import annotations

from service.engine.events import DONE, Events
from service.engine.extras import openai_form
from service.engine.wire import Lent
from service.kept.feedback import Heard
from service.protocol import Pieces


class Relay:
    """One answer; ``heard`` listens to it."""

    def __init__(self, heard: Heard | None = None) -> None:
        self.heard = heard
        self._events = Events()
        self._straight: Pieces | None = None

    @property
    def counted(self) -> bytes:
        """The last piece with a usage."""
        return self._events.counted

    @property
    def lends(self) -> bool:
        """Whether another process may write the answer's middle: what is kept passes here."""
        return self.heard is None or not self.heard.keeps

    def open(self, straight: Pieces | None) -> None:
        """The answer has begun: what follows may take the straight way, if there is one."""
        self._straight = straight

    def take(self, data: bytes) -> bool:
        """Send ``data`` of the engine on at once; False: it is left to the long way.

        That has the first piece and the last, which are counted on it, and all that meets a client who does
        not keep up.
        """
        straight = self._straight
        if straight is None or not straight.can or self._events.end_with(data):
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
        return self._events.whole(data)

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return openai_form(self._events.rest)

    def lend(self) -> Lent | None:
        """The client's connection, and what came after the last whole event; None: not at this moment."""
        file = None if self._straight is None or not self.lends else self._straight.file
        if file is None:
            return None
        rest, self._events.rest = self._events.rest, b""
        return Lent(file, rest)

    def back(self, counted: bytes) -> None:
        """Have it again; ``counted`` is the last piece with a usage that was written on it, if any was."""
        self._events.counted = counted or self._events.counted

    def abort(self) -> None:
        """Close the client's connection at once: what stands on it can't be ended."""
        if self._straight is not None:
            self._straight.abort()
