"""Regular expressions from a configuration, refused where some text could make them slow.

Python's engine backtracks: it may try every way in which the parts of an expression share a text, and
nothing stops it. So an expression is taken only if a bound on its steps, over every text of ``CHARACTERS``,
is at most ``STEPS``. The bound follows from its parse tree. A part costs its own steps and hands on to what
follows it in so many ways. A repeat hands on once if what it repeats and what follows it begin with different
characters, else once for each count; ways multiply along a sequence and grow as powers inside a repeat. Sets
of characters are over-estimated, so the bound errs towards refusing.

``re._parser`` is private to the standard library and is what ``re.compile`` itself uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from router.errors import PatternError
from router.text.characters import ANYTHING, NOTHING, Characters, between, of_kind, one
from router.text.conversation import HEAD, TAIL, WHOLE

CHARACTERS = HEAD + TAIL + 1  # of a text that any pattern sees as a whole
STEPS = 50_000_000  # of one pattern on one text: a tenth of a second, more for odd ones (docs/log.md)
LONG_STEPS = STEPS // 5  # of one pattern on a longer text, of which it sees as much as that allows
LENGTH = 1_000  # characters of a pattern

_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_STARTS = (op.AT_BEGINNING, op.AT_BEGINNING_STRING)
_ENDS = (op.AT_END, op.AT_END_STRING)
_LOOKS = (op.ASSERT, op.ASSERT_NOT)
_CLASSES = {
    op.CATEGORY_DIGIT: of_kind("digit"),
    op.CATEGORY_NOT_DIGIT: of_kind("space", "word", "other"),
    op.CATEGORY_SPACE: of_kind("space"),
    op.CATEGORY_NOT_SPACE: of_kind("digit", "word", "other"),
    op.CATEGORY_WORD: of_kind("digit", "word"),
    op.CATEGORY_NOT_WORD: of_kind("space", "other"),
}


def checked(pattern: str) -> re.Pattern[str]:
    """``pattern``, compiled to ignore case.

    Raises:
        PatternError: it is no regular expression, could be slow, or matches an empty text.
    """
    if len(pattern) > LENGTH:
        raise PatternError(f"has {len(pattern)} characters; at most {LENGTH} are taken")
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
        found = steps(pattern)
    except (re.error, OverflowError, RecursionError) as exc:
        raise PatternError(f"is not a regular expression that can be used: {exc}") from None
    if compiled.flags & re.ASCII:
        raise PatternError("sets the flag (?a), which is not taken; write [0-9] or [A-Za-z]")
    if not found <= STEPS:  # infinite times nothing is no number
        raise PatternError(
            f"could take {_said(found)} steps on {CHARACTERS:,} characters, {STEPS:.0e} are allowed; bound "
            "its repeats ({0,40} in place of *), or let what a repeat repeats and what follows it begin with "
            "different characters"
        )
    if compiled.search("") is not None:
        raise PatternError("matches an empty text, so it would match every request")
    return compiled


def _said(steps: float) -> str:
    return f"{steps:.0e}" if steps < STEPS**2 else f"more than {STEPS**2:.0e}"


def steps(pattern: str, characters: int | None = None) -> float:
    """A bound, maybe infinite, on the steps of a search in ``characters``; ``CHARACTERS`` if none are given.

    Raises:
        PatternError: it refers back to a group, for which there is no such bound.
    """
    items = list(_parser.parse(pattern, re.IGNORECASE))
    anchored = bool(items) and items[0][0] is op.AT and items[0][1] in _STARTS
    longest = CHARACTERS if characters is None else characters
    cost = _sequence(items, _Begin(NOTHING, 1), longest)
    return longest + (1 if anchored else longest) * (cost.own + cost.ways)


@lru_cache(maxsize=4_096)
def reach(pattern: str) -> int:
    """Characters of a longer text that ``pattern`` may search: as many as keep it within ``LONG_STEPS``."""
    longest = WHOLE + 1
    while longest > CHARACTERS and not steps(pattern, longest) <= LONG_STEPS:
        longest //= 2
    return max(longest, CHARACTERS)


@dataclass(frozen=True, slots=True)
class _Begin:
    """Where something starts: the characters that take it further, and the steps to see that none does."""

    characters: Characters
    probes: float
    empty: bool = False  # whether it may match nothing

    def then(self, after: _Begin) -> _Begin:
        """The beginning of this with ``after`` behind it."""
        if not self.empty:
            return self
        return _Begin(self.characters | after.characters, self.probes + after.probes, after.empty)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of one part from one place: its own steps, and the ways in which it hands on to what follows."""

    own: float
    ways: float


def _sequence(items: Iterable[Any], after: _Begin, longest: int) -> _Cost:
    own, ways = 0.0, 1.0
    for item in reversed(list(items)):
        cost = _part(item, after, longest)
        own, ways = cost.own + cost.ways * own, cost.ways * ways
        after = _begin(item).then(after)
    return _Cost(own, ways)


def _part(item: Any, after: _Begin, longest: int) -> _Cost:
    kind, value = item
    if kind in _REPEATS:
        return _repeat(kind, value, after, longest)
    if kind is op.BRANCH:
        return _branch(value[1], after, longest)
    if kind is op.SUBPATTERN:
        return _sequence(value[3], after, longest)
    if kind is op.ATOMIC_GROUP or kind in _LOOKS:  # left as soon as it has matched, never entered again
        inside = _sequence(value if kind is op.ATOMIC_GROUP else value[1], _Begin(NOTHING, 1), longest)
        return _Cost(inside.own + inside.ways, 1)
    if kind in (op.GROUPREF, op.GROUPREF_EXISTS):
        raise PatternError("refers back to a group, and how long that takes can't be bounded")
    return _Cost(1, 1)


def _repeat(kind: Any, value: Any, after: _Begin, longest: int) -> _Cost:
    least, most, items = value
    begin = _begins(items)
    room = 1 if begin.characters.only_spaces else longest  # a text has no two spaces in a row
    loops = max(1, min(int(most), room // max(1, items.getwidth()[0])))
    again = after if loops == 1 else _Begin(begin.characters | after.characters, begin.probes + after.probes)
    inside = _sequence(items, again, longest)
    paths = _powers(inside.ways, loops)
    tried = sum(paths)
    own = inside.own * tried + tried * after.probes
    if kind is op.POSSESSIVE_REPEAT:
        return _Cost(own, 1)
    if not begin.empty and begin.characters.apart(after.characters):
        return _Cost(own, paths[-1])
    return _Cost(own, sum(paths[min(int(least), loops) :]))


def _powers(ways: float, loops: int) -> list[float]:
    """``ways`` to the power of 0 to ``loops``; what is over every bound counts as infinite."""
    found = [1.0]
    while len(found) <= loops:
        found.append(found[-1] * ways if found[-1] < STEPS**2 else float("inf"))
    return found


def _branch(branches: Iterable[Any], after: _Begin, longest: int) -> _Cost:
    costs, seen, apart = [], NOTHING, True
    for branch in branches:
        costs.append(_sequence(branch, after, longest))
        begin = _begins(branch)
        apart = apart and not begin.empty and begin.characters.apart(seen)
        seen |= begin.characters
    ways = [cost.ways for cost in costs]
    return _Cost(len(costs) + sum(cost.own for cost in costs), max(ways) if apart else sum(ways))


def _begins(items: Iterable[Any]) -> _Begin:
    found = _Begin(NOTHING, 0, empty=True)
    for item in items:
        found = found.then(_begin(item))
    return found


def _begin(item: Any) -> _Begin:
    kind, value = item
    if kind in _REPEATS:
        inside = _begins(value[2])
        return _Begin(inside.characters, inside.probes, inside.empty or value[0] == 0)
    if kind is op.BRANCH:
        each = [_begins(branch) for branch in value[1]]
        characters = reduce(or_, (begin.characters for begin in each))
        return _Begin(characters, sum(begin.probes for begin in each), any(begin.empty for begin in each))
    if kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
        return _begins(value[3] if kind is op.SUBPATTERN else value)
    if kind in _LOOKS:  # may take many steps before it fails
        return _Begin(ANYTHING, 1, empty=True)
    if kind is op.AT:
        return _Begin(NOTHING, 1, empty=value not in _ENDS)
    return _Begin(_characters(item), 1)


def _characters(item: Any) -> Characters:
    """What one character of the text may be."""
    kind, value = item
    if kind is op.LITERAL:
        return one(chr(value))
    if kind is op.NOT_LITERAL:
        return ~one(chr(value))
    if kind is op.RANGE:
        return between(*value)
    if kind is op.CATEGORY:
        return _CLASSES[value]
    if kind is op.IN:
        found = reduce(or_, (_characters(part) for part in value if part[0] is not op.NEGATE), NOTHING)
        return ~found if value[0][0] is op.NEGATE else found
    return ANYTHING
