"""A text → its sentences; of a long one those by which it is decided as well.

A request amid ten other sentences is drowned by them: a vector of the whole is the mean of all. So a long
text is decided by the surest of the whole and of its sentences that look most like an example
(:meth:`router.model.fitted.FittedModel.likeliest`), whose odds all of them share
(:func:`router.model.fitted.among`). A short text is only ever read as a whole.
"""

from __future__ import annotations

import re

LONG = 40  # words, two Chinese characters for one, from which a text is read by its sentences as well
SEARCHED = 40  # sentences at most, half of them the last ones
FEWEST = 3  # words or Chinese characters of a sentence that may decide
LONGEST = 200  # characters of a sentence that is read as one

_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_WORDS = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3400-\u9fff\uf900-\ufaff]+")
_PIECES = re.compile(r"\S.{0,79}(?=\s|$)|\S{1,80}")  # of a longer one: as dictated, several without an end
_CHINESE_PIECES = re.compile(r"\S.{0,99}(?=[\s，、；,;]|$)|\S{1,100}")


def split(text: str) -> list[str]:
    """The sentences and lines of ``text``, all of it."""
    return _END.split(text)


def to_search(text: str) -> tuple[str, ...]:
    """At most ``SEARCHED`` sentences of a long ``text``, longer ones in pieces; none if there is but one."""
    pieces, longest = (_CHINESE_PIECES, 0) if _CJK.search(text) else (_PIECES, LONGEST)
    each = (
        pieces.findall(sentence) if len(sentence) > longest else [sentence.strip()]
        for sentence in split(text)
    )
    found = [piece for sentence in each for piece in sentence]
    found = [piece for piece in dict.fromkeys(found) if len(_WORDS.findall(piece)) >= FEWEST]
    if len(found) > SEARCHED:
        found = found[: SEARCHED // 2] + found[-SEARCHED // 2 :]
    return tuple(found) if len(found) > 1 else ()
