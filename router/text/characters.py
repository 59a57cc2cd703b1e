"""Sets of characters, as far as it matters whether two of them have one in common.

A set may hold more than it should, never less, except for what it was made the complement of. ASCII is kept
exactly; beyond it single characters, and whole kinds of characters where ranges or classes name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_ASCII = 128
_ALL_ASCII = (1 << _ASCII) - 1
_SPACES = sum(1 << point for point in range(_ASCII) if chr(point).isspace())
_KINDS = frozenset({"digit", "space", "word", "other"})


@dataclass(frozen=True, slots=True)
class Characters:
    """``ascii`` has a bit for each character; ``single`` and ``kinds`` hold those beyond."""

    ascii: int = 0
    single: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()

    def __or__(self, other: Characters) -> Characters:
        return Characters(self.ascii | other.ascii, self.single | other.single, self.kinds | other.kinds)

    def __invert__(self) -> Characters:
        """All others: beyond ASCII every character of a kind that is not whole in here."""
        return Characters(_ALL_ASCII & ~self.ascii, kinds=_KINDS - self.kinds)

    @property
    def only_spaces(self) -> bool:
        """Whether all of them are white."""
        return self.kinds <= {"space"} and not self.ascii & ~_SPACES and all(map(str.isspace, self.single))

    def apart(self, other: Characters) -> bool:
        """Whether no character is in both."""
        return not (
            self.ascii & other.ascii
            or self.kinds & other.kinds
            or self.single & other.single
            or any(_kind(character) in other.kinds for character in self.single)
            or any(_kind(character) in self.kinds for character in other.single)
        )


NOTHING = Characters()
ANYTHING = Characters(_ALL_ASCII, kinds=_KINDS)


def one(character: str) -> Characters:
    """``character``, in each of its cases."""
    cases = {character}
    for _ in range(2):  # the Kelvin sign is a capital of k, and k has another
        cases |= {case for each in cases for case in (each.lower(), each.upper()) if len(case) == 1}
    beyond = {case for case in cases if ord(case) >= _ASCII}
    return Characters(sum(1 << ord(case) for case in cases - beyond), frozenset(beyond), _cased_kinds(cases))


@cache
def between(first: int, last: int) -> Characters:
    """The code points from ``first`` to ``last``, in each of their cases."""
    found = NOTHING
    for point in range(first, min(last + 1, _ASCII)):
        found |= one(chr(point))
    beyond = range(max(first, _ASCII), last + 1)
    cased = any(chr(point).lower() != chr(point).upper() for point in beyond)
    letters = between(0x41, 0x5A) if cased else NOTHING  # of ASCII, as some beyond are cases of them
    return found | letters | Characters(kinds=frozenset(_kind(chr(point)) for point in beyond))


@cache
def of_kind(*kinds: str) -> Characters:
    """All characters of these kinds; an underscore is of a word."""
    inside = (chr(point) for point in range(_ASCII))
    bits = sum(1 << ord(character) for character in inside if _kind(character) in kinds)
    return Characters(bits, kinds=frozenset(kinds))


def _cased_kinds(cases: set[str]) -> frozenset[str]:
    """A letter beyond ASCII may have more cases than Python's two; they are words all."""
    cased = any(case.lower() != case.upper() and ord(case) >= _ASCII for case in cases)
    return frozenset({"word"}) if cased else frozenset()


def _kind(character: str) -> str:
    if character.isdecimal():
        return "digit"
    if character.isspace():
        return "space"
    return "word" if character.isalnum() or character == "_" else "other"
