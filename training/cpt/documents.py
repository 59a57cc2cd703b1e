"""The documents of a source, as tokens or as texts; long texts in parts.

A text is cut where lines or words end, before it is tokenised, so that its parts are the same whatever the
tokenizer is. Only the last part is closed by the end of text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.formats import learned
from training.data.formats.conversations import Row
from training.data.preparing import encoding
from training.data.preparing.collection import Encoded
from training.data.preparing.encoding import Tokens
from training.data.reading import sources, workers
from training.data.rendering import render
from training.data.tokens.token_rows import TokenRows

CHARACTERS = 4  # of a text that is cut, for each token of a block: a block's worth in most languages
_ENDS = ("\n\n", "\n", " ")  # where a text is cut, the best first


def cut(text: str, limit: int) -> Iterator[str]:
    """``text`` in parts of at most ``limit`` characters, cut behind paragraphs, lines or words."""
    start = 0
    while len(text) - start > limit:
        half = start + limit // 2  # no part is shorter, so that a text has few
        end = start + limit
        for sign in _ENDS:
            found = text.rfind(sign, half, end)
            if found >= 0:
                # A word takes the space before it, as most tokenizers would have it.
                end = found if sign == " " else found + len(sign)
                break
        yield text[start:end]
        start = end
    yield text[start:]


def encoded(part: sources.Part, folder: str, limit: int) -> Encoded[TokenRows]:
    """The documents of ``part`` as tokens, long texts in parts; all of them are learned.

    Raises:
        BadRows: all rows that don't fit their format, or can't be rendered.
    """
    tokenizer = workers.tokenizer(folder)
    rows = learned.read(part, "cpt")
    render.refuse_ignored_weights(tokenizer, rows)

    def sequences(row: Row) -> Iterator[Tokens]:
        for text, last in _parts(row, limit):
            ids, mask = render.tokens(tokenizer, text, "cpt")
            end = None if last else -1
            yield ids[:end], mask[:end]

    return encoding.encoded(rows, sequences)


def _parts(row: Row, limit: int) -> Iterator[tuple[Row, bool]]:
    """The row's parts, and which of them is the last."""
    if row.text is None:
        yield row, True
        return
    texts = list(cut(row.text, limit))
    for number, text in enumerate(texts, 1):
        yield Row(text=text, where=row.where), number == len(texts)


@dataclass(frozen=True, slots=True)
class Texts:
    """The rows of :func:`encoded` before they are tokens; a conversation is an empty text."""

    texts: list[str]

    @property
    def tokens(self) -> int:
        return sum(len(text) for text in self.texts)

    @property
    def trained(self) -> int:
        return self.tokens

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: NDArray[np.int64]) -> Texts:
        return Texts([self.texts[row] for row in rows])


def texts(part: sources.Part, limit: int) -> Encoded[Texts]:
    """The same documents, in the same parts, as texts; raises BadRows as :func:`encoded`."""
    rows = learned.read(part, "cpt")
    kept = [row for row in rows if not encoding.is_empty(row)]
    found = Texts([text.text or "" for row in kept for text, _ in _parts(row, limit)])
    dropped = {encoding.EMPTY: len(rows) - len(kept)} if len(kept) < len(rows) else {}
    return Encoded(found, sources.digest(rows), dropped, 0)
