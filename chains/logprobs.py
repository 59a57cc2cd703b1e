"""The log-probabilities of the tokens that make the content, out of those of all tokens.

The tags are looked for in the tokens' bytes, whatever tokens they are cut into. A token that is partly a tag
belongs to the tag. White space next to a tag goes, as it does in the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.splitter import TAGS, Kind, may_begin
from chains.stop import overlap

Entry = Mapping[str, Any]  # one of OpenAI's logprobs.content


class ContentTokens:
    """The tokens of one choice, in pieces as they come; ``kinds`` is what leaves the content.

    ``guided``: only a tag at the very beginning is one, as in :class:`chains.splitter.Splitter`.
    """

    def __init__(self, *kinds: Kind, guided: bool = False) -> None:
        self._guided = guided
        self._opens = True  # a tag may still open
        self._opening = {TAGS[kind][0].encode(): TAGS[kind][1].encode() for kind in kinds}
        self._closing: bytes | None = None  # the tag that ends what we are in; None: the content
        self._held: list[tuple[Entry, bytes]] = []  # may hold the beginning of a tag
        self._blank: list[Entry] = []  # white space that may turn out to stand before a tag
        self._after_tag = False

    def feed(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries that are now known to be of the content."""
        self._held += [(entry, bytes_of(entry)) for entry in entries]
        given: list[Entry] = []
        while True:
            text = b"".join(data for _, data in self._held)
            if self._guided and self._opens and self._closing is None:
                self._opens = may_begin(text, self._opening)
            awaited = [self._closing] if self._closing is not None else list(self._opening) * self._opens
            found = min(((at, tag) for tag in awaited if (at := text.find(tag)) >= 0), default=None)
            if found is None:
                whole = len(text) - max((overlap(text, tag) for tag in awaited), default=0)
                given += self._leave(self._take(whole, whole))
                return given
            at, tag = found
            given += self._leave(self._take(at, at + len(tag)))
            self._blank, self._after_tag = [], True
            self._closing = self._opening.get(tag)
            self._opens = not self._guided

    def end(self) -> list[Entry]:
        """What was held back, when no more tokens come."""
        rest = self._leave([entry for entry, _ in self._held]) + self._blank
        self._held, self._blank = [], []
        return rest if self._closing is None else []

    def _take(self, keep: int, drop: int) -> list[Entry]:
        """Take the tokens that end by byte ``keep``; of the others those that begin before ``drop`` go."""
        taken: list[Entry] = []
        rest: list[tuple[Entry, bytes]] = []
        begin = 0
        for entry, data in self._held:
            end = begin + len(data)
            if end <= keep:
                taken.append(entry)
            elif begin >= drop or keep == drop:
                rest.append((entry, data))
            begin = end
        self._held = rest
        return taken

    def _leave(self, entries: list[Entry]) -> list[Entry]:
        """What of ``entries`` can be given out."""
        if self._closing is not None:
            return []
        given: list[Entry] = []
        for entry in entries:
            if not bytes_of(entry).strip():
                if not self._after_tag:
                    self._blank.append(entry)
                continue
            given += [*self._blank, entry]
            self._blank, self._after_tag = [], False
        return given


def bytes_of(entry: Entry) -> bytes:
    """The text of a token, as bytes: it may be a part of a character."""
    data = entry.get("bytes")
    return bytes(data) if data else str(entry.get("token", "")).encode()
