"""What is said after a sum or a comparison, and which calculation is worked next.

A turn asks for the last calculation once more, corrects one of its numbers or its sign, goes on with its
result, or asks for another one. No number comes into a calculation that the user or an answer did not say.
"""

from dataclasses import replace
from random import Random

from deploy.demo.text import arithmetic, comparison, corrections
from deploy.demo.text.calculation import Calculation, Move, Turn, say
from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language

_OPPOSITE = {"bigger": "smaller", "smaller": "bigger"}


def first_turn(rng: Random, language: Language, *, again: bool) -> Turn:
    """A request that needs nothing before it; ``again`` where others stand before it."""
    if rng.random() < 0.15:
        a, b = comparison.pair(rng)
        kind = rng.choice(comparison.KINDS)
        question = comparison.question(rng, language, kind, a, b)
        return question, Calculation.asked(question, kind, (a, b))
    return _asked(rng, Phrases.load("sums_on", language), *arithmetic.draw_train(rng), again=again)


def next_turn(rng: Random, language: Language, last: Calculation) -> Turn:
    """Something that is said after ``last``, and the calculation it asks for."""
    phrases = Phrases.load("sums_on", language)
    moves, weights = zip(*(_AFTER_COMPARISON if last.compares else _AFTER_SUM), strict=True)
    while True:
        move: Move = rng.choices(moves, weights)[0]
        turn = move(rng, phrases, last)
        if turn is not None and turn[1].is_allowed():
            return turn


def _asked(rng: Random, phrases: Phrases, kind: str, numbers: tuple[int, ...], *, again: bool = True) -> Turn:
    """A sum on its own: in full, or as short as people put it when they have asked before."""
    if not again or rng.random() < 0.4:
        question = arithmetic.question(rng, phrases.language, kind, numbers)
    else:
        values = arithmetic.written(rng, phrases.language, numbers)
        question = say(rng, phrases, "fresh", {}, sum=phrases.raw(rng, f"bare_{kind}", **values))
    return question, Calculation.asked(question, kind, numbers)


def _another(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """Another sum, mostly of another sign; at times a number of before is in it too."""
    kind, numbers = arithmetic.draw_train(rng)
    if kind == last.kind and rng.random() < 0.6:  # the sign of before must tell nothing about this one
        return None
    shared = rng.choice(last.numbers)
    if shared < 1000 and rng.random() < 0.2:
        numbers = (shared, *numbers[1:])
    if not Calculation(kind, numbers, ()).is_allowed():
        return None
    return _asked(rng, phrases, kind, numbers)


def _alike(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """Other numbers under the same sign, which is not said."""
    kind, numbers = arithmetic.draw_train(rng)
    if kind != last.kind or kind == "three":
        return None
    return say(rng, phrases, "like", {"a": numbers[0], "b": numbers[1]}), Calculation(kind, numbers, (0, 1))


def _on(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """Goes on with the result."""
    if not 0 <= last.result < 1000:
        return None
    way = rng.choice(("add", "add", "subtract", "subtract", "multiply", "twice", "from"))
    if way == "from":
        b = last.result + 1 + int(rng.random() * 99)
        b += -b % 10 if rng.random() < 0.5 else 0
        return say(rng, phrases, way, {"b": b}), Calculation("subtract", (b, last.result), (0,))
    if way == "twice":
        way, b = ("twice", 2) if rng.random() < 0.7 else ("thrice", 3)
        return say(rng, phrases, way, {}), Calculation("multiply", (last.result, b), ())
    b = 2 + int(rng.random() * 8) if way == "multiply" else max(1, arithmetic.number(rng))
    if (way == "subtract" and b > last.result) or (way == "multiply" and last.result > 300):
        return None
    if way == "multiply" or rng.random() < 0.6:
        question = say(rng, phrases, f"on_{way}", {"b": b})
    else:
        question = message(rng, "arithmetic", phrases.language, f"next_{way}", b=str(b))
    return question, Calculation(way, (last.result, b), (1,))


def _measured(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """Compares the result with a number."""
    kind, b = rng.choice(comparison.KINDS), max(0, last.result + int(rng.random() * 40) - 20)
    b += -b % 10 if rng.random() < 0.5 else 0
    return say(rng, phrases, kind, {"b": b}), Calculation(kind, (last.result, b), (1,))


def _other_pair(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """Compares two others, mostly as before and in fewer words."""
    a, b = comparison.pair(rng)
    if rng.random() < 0.2:
        kind = rng.choice(comparison.KINDS)
        question = comparison.question(rng, phrases.language, kind, a, b)
        return question, Calculation.asked(question, kind, (a, b))
    if last.kind.startswith("which"):
        return say(rng, phrases, "next_which", {"a": a, "b": b}), Calculation(last.kind, (a, b), (0, 1))
    smaller = "_smaller" if last.kind == "is_smaller" else ""
    if rng.random() < 0.5:
        return say(rng, phrases, f"than{smaller}", {"b": b}), Calculation(
            last.kind, (last.numbers[0], b), (1,)
        )
    return say(rng, phrases, f"next_is{smaller}", {"a": a, "b": b}), Calculation(last.kind, (a, b), (0, 1))


def _other_end(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """The smaller after the bigger, or the other way round."""
    what, end = last.kind.split("_")
    if what == "is":
        return None
    return say(rng, phrases, f"flip_{_OPPOSITE[end]}", {}), replace(last, kind=f"which_{_OPPOSITE[end]}")


def _both(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """The difference or the sum of the two numbers that were compared."""
    if last.numbers[0] == last.numbers[1]:
        return None
    if rng.random() < 0.3:
        return say(rng, phrases, "together", {}), Calculation("add", last.numbers, ())
    ordered = (max(last.numbers), min(last.numbers))
    return say(rng, phrases, "difference", {}), Calculation("subtract", ordered, ())


_AFTER_SUM: tuple[tuple[Move, float], ...] = (
    (_another, 0.33),
    (corrections.again, 0.19),
    (_on, 0.36),
    (corrections.number_corrected, 0.24),
    (corrections.sign_corrected, 0.35),
    (corrections.turned_round, 0.04),
    (_alike, 0.06),
    (_measured, 0.04),
)
_AFTER_COMPARISON: tuple[tuple[Move, float], ...] = (
    (_another, 0.15),
    (corrections.again, 0.15),
    (corrections.number_corrected, 0.2),
    (_other_pair, 0.4),
    (_other_end, 0.1),
    (_both, 0.15),
)
