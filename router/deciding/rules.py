"""Rules that decide before the model: keywords or a regular expression, and the intent that they mean.

A rule looks at the whole of one turn of the user, every character in its plain form, white space as single
spaces, case ignored. Where several match, the first in the file decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from router.text.conversation import WHOLE, cut
from router.text.pattern import CHARACTERS, reach

# Scripts that put no space between words, or endings right behind them: a keyword in them may stand anywhere.
_JOINED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_SEPARATE = re.compile(rf"[^\W{_JOINED}]")


@dataclass(frozen=True)
class Rule:
    """What matches ``expression`` has the ``intent``; None is no intent at all, so that it abstains."""

    name: str
    intent: str | None
    expression: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Fired:
    """The rule that decided, and what it found."""

    name: str
    intent: str | None
    matched: str


def first(rules: Iterable[Rule], text: str) -> Fired | None:
    """The first of ``rules`` that matches ``text``."""
    text = plain(text)
    for rule in rules:
        found = search(rule.expression, text)
        if found is not None:
            return Fired(rule.name, rule.intent, found[0])
    return None


def plain(text: str) -> str:
    """``text`` as patterns see it, at most ``WHOLE`` characters long."""
    return " ".join(unicodedata.normalize("NFKC", text).split())[: WHOLE + 1]


def search(expression: re.Pattern[str], text: str) -> re.Match[str] | None:
    """What ``expression`` finds in a plain ``text``; of one that takes it too long in its two ends."""
    if len(text) > CHARACTERS:
        most = reach(expression.pattern)
        text = cut(text, most // 2, most // 2)
    return expression.search(text)


def keywords(words: Sequence[str]) -> re.Pattern[str]:
    """An expression that finds any of ``words``, in scripts that part words by spaces only whole ones."""
    found = sorted({plain(word) for word in words}, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(_whole, found)), re.IGNORECASE)


def _whole(word: str) -> str:
    before = rf"(?<![^\W{_JOINED}])" if _SEPARATE.match(word[0]) else ""
    after = rf"(?![^\W{_JOINED}])" if _SEPARATE.match(word[-1]) else ""
    return f"{before}{re.escape(word)}{after}"
