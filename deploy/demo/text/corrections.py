"""Turns that stay with the last calculation: asked for again, doubted, or with something in it corrected."""

from dataclasses import replace
from random import Random

from deploy.demo.text import arithmetic
from deploy.demo.text.calculation import Calculation, Turn, say
from deploy.demo.text.phrasing import Phrases


def again(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """The same once more; a doubt may name a wrong result."""
    if last.compares or rng.random() < 0.75:
        return say(rng, phrases, "again", {}), last
    wrong = last.result + rng.choice((-20, -10, -9, -2, -1, 1, 2, 9, 10, 20))
    return None if wrong < 0 else (say(rng, phrases, "doubt", {"c": wrong}), last)


def number_corrected(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """Another number in the place of one that the user said.

    A bare one stands for that which it resembles, and if it resembles none for the last. Which number is the
    last or the first is plain only if question and answer have them in one order.
    """
    if not last.said:
        return None
    plain = last.in_order and not last.kind.startswith("which")
    ways = ("fix_named", "fix_named", "fix_bare", "fix_bare", *(("fix_last", "fix_first") if plain else ()))
    way = rng.choice(ways)
    place = {"fix_last": last.said[-1], "fix_first": last.said[0]}.get(way, rng.choice(last.said))
    old = last.numbers[place]
    new = _near(rng, old)
    if new in last.numbers or last.numbers.count(old) > 1 or (way == "fix_first" and last.said[:2] != (0, 1)):
        return None
    if way == "fix_bare":
        alike = [at for at in last.said if _resembles(new, last.numbers[at])]
        if len(alike) > 1 or not (alike or plain):
            return None
        place = (alike or last.said)[-1]
    numbers = (*last.numbers[:place], new, *last.numbers[place + 1 :])
    named = {"new": new, "old": old} if way == "fix_named" else {"new": new}
    return say(rng, phrases, way, named), replace(last, numbers=numbers)


def _resembles(new: int, old: int) -> bool:
    """Whether one digit of ``old`` is another in ``new``, or two have changed places."""
    a, b = str(new), str(old)
    differ = sum(x != y for x, y in zip(a, b, strict=False))
    return len(a) == len(b) > 1 and (differ == 1 or (differ == 2 and sorted(a) == sorted(b)))


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


def sign_corrected(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """The same numbers under another sign."""
    kind = rng.choice(("add", "subtract", "multiply"))
    if last.kind in (kind, "three") or not last.said:
        return None
    corrected = replace(last, kind=kind)
    if kind == "subtract" and last.numbers[0] < last.numbers[1] and rng.random() < 0.7:
        return None
    was = phrases.plain(rng, f"was_{last.kind}")
    if last.said[-1] == 1 and rng.random() < 0.25:
        return say(rng, phrases, f"resign_{kind}", {"b": last.numbers[1]}, was=was), corrected
    return say(rng, phrases, f"sign_{kind}", {}, was=was), corrected


def turned_round(rng: Random, phrases: Phrases, last: Calculation) -> Turn | None:
    """A difference the other way round."""
    if last.kind != "subtract" or len(last.said) < 2:
        return None
    return say(rng, phrases, "round", {}), replace(last, numbers=last.numbers[::-1], said=last.said[::-1])
