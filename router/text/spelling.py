"""A mistyped word → the word of the examples that was meant, before a text is encoded.

A word of ``LEAST`` letters or more, a to z, that neither the examples nor the encoder's vocabulary have
becomes the examples' word that is one edit away: a letter more, less or another, or two neighbours swapped;
of several the most frequent. A known word with an ending is no unknown one ("steakhouses", "cant"). A word
with capitals may be a name or an id and is left as it is, but for one capital where a sentence begins.

An encoder that does not know a language knows few words of it, and many of those are a letter apart. So
nothing is corrected towards examples of which it knows fewer than ``ENOUGH``, nor in a text of which most
words are unknown.

Words and what they become without one letter are looked up in the examples' (symmetric deletion, Garbe 2012),
so that an unknown word takes microseconds.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property

LEAST = 4  # letters
LONGEST = 30  # letters
ENOUGH = 0.5  # of the examples' words; a vocabulary of English knows 0.75 to 1 of English, 0.1 of German
FEW = 2  # words that may be unknown in any text, however short

ENDINGS = ("s", "t")  # of a known word; the second as in "cant"

_WORD = re.compile(rf"(?<!\w)[A-Za-z]{{{LEAST},{LONGEST}}}(?!\w)")
_SMALL = re.compile(rf"(?<!\w)[a-z]{{{LEAST},{LONGEST}}}(?!\w)")
_LOOKS_BACK = 8  # characters
_OPENS = " \"'([*-“‘"  # what may stand between the end of a sentence and the next


class Corrector:
    """Corrects towards the words of ``texts``; ``vocabulary`` are words, in small letters, that are right."""

    def __init__(self, texts: Iterable[str], vocabulary: frozenset[str]) -> None:
        self.counts = Counter(_SMALL.findall("\n".join(texts).lower()))
        self.known = vocabulary.union(self.counts)
        shared = len(vocabulary) + len(self.counts) - len(self.known)
        self.works = shared >= ENOUGH * max(1, len(self.counts))

    def correct(self, text: str) -> tuple[str, dict[str, str]]:
        """``text``, and each word in it that was read as another, with that one."""
        if not self.works:
            return text, {}
        words = set(_SMALL.findall(text.lower()))
        unknown = {word for word in words.difference(self.known) if not self._inflected(word)}
        if not unknown or (len(unknown) > FEW and 2 * len(unknown) > len(text.split())):
            return text, {}
        meant = {word: right for word in unknown if (right := self._meant(word))}
        changes: dict[str, str] = {}

        def read(match: re.Match[str]) -> str:
            word = match.group()
            right = meant.get(word.lower())
            if right is None or not (word.islower() or _begins(match)):
                return word
            changes[word] = right if word.islower() else right.capitalize()
            return changes[word]

        return (_WORD.sub(read, text) if meant else text), changes

    def _inflected(self, word: str) -> bool:
        stems = (word.removesuffix(ending) for ending in ENDINGS if word.endswith(ending))
        return any(stem in self.known for stem in stems)

    def _meant(self, word: str) -> str | None:
        near = {found for key in _shorter(word) for found in self._by_deletion.get(key, ())}
        found = [each for each in near if _one_edit(word, each)]
        return min(found, key=lambda each: (-self.counts[each], each)) if found else None

    @cached_property
    def _by_deletion(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for word in self.counts:
            for key in _shorter(word):
                found[key].append(word)
        return dict(found)


def _begins(match: re.Match[str]) -> bool:
    """Whether a word has one capital, since a sentence begins with it."""
    word, start = match.group(), match.start()
    before = match.string[max(0, start - _LOOKS_BACK) : start].rstrip(_OPENS)
    return word.istitle() and (start <= _LOOKS_BACK if not before else before[-1] in ".!?:\n")


def _shorter(word: str) -> set[str]:
    """``word``, and what it is without one letter."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def _one_edit(word: str, other: str) -> bool:
    """Whether a letter more, less or another, or two neighbours swapped, make ``word`` the ``other`` one."""
    same = next(
        (n for n, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other))
    )
    a, b = word[same:], other[same:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[1:2] + a[:1] + a[2:] == b and len(a) > 1)
