"""What is said after a sum or a comparison, and which calculation is worked next.

A turn asks for the last calculation once more, corrects one of its numbers or its sign, goes on with its
result, or asks for another one. No number comes into a calculation that the user or an answer did not say.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from deploy.demo.text import arithmetic, comparison
from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language

_CARELESS = 0.35  # of English turns are in lower case throughout
_OPPOSITE = {"bigger": "smaller", "smaller": "bigger"}


@dataclass(frozen=True, slots=True)
class Calculation:
    """A sum or a comparison that was asked for."""

    kind: str  # of ``arithmetic.work`` or ``comparison.KINDS``
    numbers: tuple[int, ...]
    said: tuple[int, ...]  # places in ``numbers`` of those that the user named; the others are results

    @property
    def compares(self) -> bool:
        return self.kind in comparison.KINDS

    @property
    def result(self) -> int:
        return arithmetic.work(self.kind, self.numbers, "en")[1]

    def lines(self, language: Language) -> list[str]:
        """The lines of thought, the answer last."""
        if self.compares:
            a, b = self.numbers
            return comparison.work(self.kind, a, b, language)
        return arithmetic.work(self.kind, self.numbers, language)[0]

    def is_allowed(self) -> bool:
        """Whether it can be worked column by column and nothing of it is held out."""
        if not 0 <= min(self.numbers) <= max(self.numbers) < 2000:
            return False
        if self.kind == "multiply" and (min(self.numbers) > 9 or max(self.numbers) > 999):
            return False
        return self.compares or not arithmetic.holds_out(self.kind, self.numbers)


Turn = tuple[str, Calculation]
_Move = Callable[[Random, Phrases, Calculation], Turn | None]


def first_turn(rng: Random, language: Language, *, again: bool) -> Turn:
    """A request that needs nothing before it; ``again`` where others stand before it."""
    if rng.random() < 0.15:
        a, b = comparison.pair(rng)
        kind = rng.choice(comparison.KINDS)
        return comparison.question(rng, language, kind, a, b), Calculation(kind, (a, b), (0, 1))
    return _asked(rng, Phrases.load("sums_on", language), *arithmetic.draw_train(rng), again=again)


def next_turn(rng: Random, language: Language, last: Calculation) -> Turn:
    """Something that is said after ``last``, and the calculation it asks for."""
    phrases = Phrases.load("sums_on", language)
    moves, weights = zip(*(_AFTER_COMPARISON if last.compares else _AFTER_SUM), strict=True)
    while True:
        move: _Move = rng.choices(moves, weights)[0]
        turn = move(rng, phrases, last)
        if turn is not None and turn[1].is_allowed():
            return turn


def _say(rng: Random, phrases: Phrases, rule: str, numbers: dict[str, int], **values: str) -> str:
    """``rule`` with its ``numbers``, at times in words."""
    given = tuple(numbers.values())
    shown = arithmetic.written(rng, phrases.language, given).values() if max(given, default=0) < 1000 else ()
    values |= dict(zip(numbers, shown or map(str, given), strict=True))
    text = phrases.say(rng, rule, typos=0.04, **values)
    return text.lower() if phrases.language == "en" and rng.random() < _CARELESS else text


def _asked(rng: Random, phrases: Phrases, kind: str, numbers: tuple[int, ...], *, again: bool = True) -> Turn:
    """A sum on its own: in full, or as short as people put it when they have asked before."""
    asked = Calculation(kind, numbers, tuple(range(len(numbers))))
    if not again or rng.random() < 0.4:
        return arithmetic.question(rng, phrases.language, kind, numbers), asked
    values = arithmetic.written(rng, phrases.language, numbers)
    return _say(rng, phrases, "fresh", {}, sum=phrases.raw(rng, f"bare_{kind}", **values)), asked


def _another(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    kind, numbers = arithmetic.draw_train(rng)
    if kind == last.kind and rng.random() < 0.6:  # the sign of before must tell nothing about this one
        return None
    if rng.random() < 0.2:
        numbers = (rng.choice(last.numbers), *numbers[1:])
    if not Calculation(kind, numbers, ()).is_allowed():
        return None
    return _asked(rng, phrases, kind, numbers)


def _alike(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    kind, numbers = arithmetic.draw_train(rng)
    if kind != last.kind or kind == "three":
        return None
    return _say(rng, phrases, "like", {"a": numbers[0], "b": numbers[1]}), Calculation(kind, numbers, (0, 1))


def _again(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    if last.compares or rng.random() < 0.75:
        return _say(rng, phrases, "again", {}), last
    wrong = last.result + rng.choice((-20, -10, -9, -2, -1, 1, 2, 9, 10, 20))
    return None if wrong < 0 else (_say(rng, phrases, "doubt", {"c": wrong}), last)


def _on(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """Goes on with the result."""
    if not 0 <= last.result < 1000:
        return None
    way = rng.choice(("add", "add", "subtract", "subtract", "multiply", "twice", "from"))
    if way == "from":
        b = last.result + 1 + int(rng.random() * 99)
        b += -b % 10 if rng.random() < 0.5 else 0
        return _say(rng, phrases, way, {"b": b}), Calculation("subtract", (b, last.result), (0,))
    if way == "twice":
        way, b = ("twice", 2) if rng.random() < 0.7 else ("thrice", 3)
        return _say(rng, phrases, way, {}), Calculation("multiply", (last.result, b), ())
    b = 2 + int(rng.random() * 8) if way == "multiply" else max(1, arithmetic.number(rng))
    if (way == "subtract" and b > last.result) or (way == "multiply" and last.result > 300):
        return None
    if way == "multiply" or rng.random() < 0.6:
        question = _say(rng, phrases, f"on_{way}", {"b": b})
    else:
        question = message(rng, "arithmetic", phrases.language, f"next_{way}", b=str(b))
    return question, Calculation(way, (last.result, b), (1,))


def _number_corrected(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """Another number in the place of one that the user said; a bare one stands for the last.

    Which of two is larger is answered with the larger first or last, so no place there is the first.
    """
    if not last.said:
        return None
    ways = ("fix_named", "fix_named", "fix_last", "fix_last", "fix_first")
    way = "fix_named" if last.kind.startswith("which") else rng.choice(ways)
    place = (
        last.said[-1] if way == "fix_last" else last.said[0] if way == "fix_first" else rng.choice(last.said)
    )
    old = last.numbers[place]
    new = _near(rng, old)
    if new in last.numbers or last.numbers.count(old) > 1 or (way == "fix_first" and last.said[:2] != (0, 1)):
        return None
    numbers = (*last.numbers[:place], new, *last.numbers[place + 1 :])
    named = {"new": new, "old": old} if way == "fix_named" else {"new": new}
    return _say(rng, phrases, way, named), replace(last, numbers=numbers)


def _near(rng: Random, old: int) -> int:
    """A number that is easily mistaken for ``old``, or any."""
    digits, kind = str(old), rng.random()
    if kind < 0.35 and len(digits) > 1:
        swapped = int(digits[:-2] + digits[-1] + digits[-2])
        return swapped if len(str(swapped)) == len(digits) else old
    if kind < 0.7:
        at, digit = int(rng.random() * len(digits)), str(1 + int(rng.random() * 9))
        return int(digits[:at] + digit + digits[at + 1 :])
    return arithmetic.number(rng)


def _sign_corrected(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    kind = rng.choice(("add", "subtract", "multiply"))
    if last.kind in (kind, "three") or not last.said:
        return None
    corrected = replace(last, kind=kind)
    if kind == "subtract" and last.numbers[0] < last.numbers[1] and rng.random() < 0.7:
        return None
    was = phrases.plain(rng, f"was_{last.kind}")
    if last.said[-1] == 1 and rng.random() < 0.25:
        return _say(rng, phrases, f"resign_{kind}", {"b": last.numbers[1]}, was=was), corrected
    return _say(rng, phrases, f"sign_{kind}", {}, was=was), corrected


def _round(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    if last.kind != "subtract" or len(last.said) < 2:
        return None
    return _say(rng, phrases, "round", {}), replace(last, numbers=last.numbers[::-1])


def _measured(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """Compares the result with a number."""
    kind, b = rng.choice(comparison.KINDS), max(0, last.result + int(rng.random() * 40) - 20)
    b += -b % 10 if rng.random() < 0.5 else 0
    return _say(rng, phrases, kind, {"b": b}), Calculation(kind, (last.result, b), (1,))


def _other_pair(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    a, b = comparison.pair(rng)
    if rng.random() < 0.2:
        kind = rng.choice(comparison.KINDS)
        return comparison.question(rng, phrases.language, kind, a, b), Calculation(kind, (a, b), (0, 1))
    if last.kind.startswith("which"):
        return _say(rng, phrases, "next_which", {"a": a, "b": b}), Calculation(last.kind, (a, b), (0, 1))
    smaller = "_smaller" if last.kind == "is_smaller" else ""
    if rng.random() < 0.5:
        return _say(rng, phrases, f"than{smaller}", {"b": b}), replace(last, numbers=(last.numbers[0], b))
    return _say(rng, phrases, f"next_is{smaller}", {"a": a, "b": b}), Calculation(last.kind, (a, b), (0, 1))


def _other_end(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    what, end = last.kind.split("_")
    if what == "is":
        return None
    return _say(rng, phrases, f"flip_{_OPPOSITE[end]}", {}), replace(last, kind=f"which_{_OPPOSITE[end]}")


def _both(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """The difference or the sum of the two numbers that were compared."""
    if last.numbers[0] == last.numbers[1]:
        return None
    if rng.random() < 0.3:
        return _say(rng, phrases, "together", {}), Calculation("add", last.numbers, ())
    ordered = (max(last.numbers), min(last.numbers))
    return _say(rng, phrases, "difference", {}), Calculation("subtract", ordered, ())


_AFTER_SUM: tuple[tuple[_Move, float], ...] = (
    (_another, 0.33),
    (_again, 0.19),
    (_on, 0.36),
    (_number_corrected, 0.24),
    (_sign_corrected, 0.15),
    (_round, 0.04),
    (_alike, 0.06),
    (_measured, 0.05),
)
_AFTER_COMPARISON: tuple[tuple[_Move, float], ...] = (
    (_another, 0.15),
    (_again, 0.15),
    (_number_corrected, 0.2),
    (_other_pair, 0.4),
    (_other_end, 0.1),
    (_both, 0.15),
)
