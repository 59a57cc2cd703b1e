"""Names, cities, products and dates to draw from: written lists, and words made from syllables.

Every value belongs to one split for good, by a hash of the value itself: one in five is held out for
evaluation and never drawn for training, whatever list or syllables it came from.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from random import Random
from typing import TypeVar

from deploy.demo.text import goods, words
from deploy.demo.text.sample import Language, Split

T = TypeVar("T")


@lru_cache(maxsize=200_000)
def is_held_out(value: str) -> bool:
    """Whether ``value`` is kept for evaluation: a fifth of all values, independent of case."""
    return int.from_bytes(sha256(value.lower().encode()).digest()[:8]) % 5 == 0


def draw(rng: Random, split: Split, make: Callable[[Random], str]) -> str:
    """Call ``make`` until it gives a value of the split."""
    wanted = split == "held_out"
    while True:
        value = make(rng)
        if is_held_out(value) == wanted:
            return value


def pick(rng: Random, options: Sequence[T]) -> T:
    """One of ``options``, each as likely."""
    return options[int(rng.random() * len(options))]


_ONSETS = [*words.ONSETS, ""]
_VOWELS = words.VOWELS
_CODAS = ["", "", "", *words.CODAS]
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_CJK = [chr(code) for code in range(0x4E00, 0x9FA0)]


def word(rng: Random) -> str:
    """A word nobody has seen, in lower case: of syllables, of pieces of known words, or of any letters.

    The pieces matter: a tokenizer's token is copied well only if it was copied often, and what is rare
    in syllables is common in pieces.
    """
    kind = rng.random()
    if kind < 0.45:
        return "".join(_piece(rng) for _ in range(1 + int(rng.random() * 2.7)))
    if kind < 0.52:
        return "".join(pick(rng, "abcdefghijklmnopqrstuvwxyz") for _ in range(3 + int(rng.random() * 6)))
    made = "".join(
        pick(rng, _ONSETS) + pick(rng, _VOWELS) + pick(rng, _CODAS)
        for _ in range(1 + int(rng.random() * 2.6))
    )
    return made if len(made) > 2 else made + pick(rng, _ONSETS[:-1]) + pick(rng, _VOWELS)


_KNOWN = [
    part.lower()
    for name in (*words.GIVEN, *words.FAMILY, *words.CITIES, *goods.THINGS, *goods.ADJECTIVES, *goods.MASS)
    for part in name.split()
    if part.isascii() and part.isalpha()
]


def _piece(rng: Random) -> str:
    """Two to six letters from anywhere in a known word, often its beginning or its end."""
    known = pick(rng, _KNOWN)
    length = 2 + int(rng.random() * 5)
    start = pick(rng, (0, max(0, len(known) - length), int(rng.random() * len(known))))
    return known[start : start + length] or known


def hanzi(rng: Random, length: int) -> str:
    """``length`` Chinese characters that mean nothing together: mostly common ones, some rare."""
    common = words.ZH_FAMILY + words.ZH_GIVEN
    return "".join(
        common[int(rng.random() * len(common))] if rng.random() < 0.7 else pick(rng, _CJK)
        for _ in range(length)
    )


def code(rng: Random) -> str:
    """A model code such as ``KX-42`` or ``T300``."""
    letters = "".join(rng.choices(_LETTERS, k=1 + int(rng.random() * 3)))
    return f"{letters}{pick(rng, ['-', '', '-'])}{int(10 ** (1 + rng.random() * 3))}"


def given_name(rng: Random) -> str:
    """A written or made-up given name, of any split."""
    return pick(rng, words.GIVEN) if rng.random() < 0.6 else word(rng).capitalize()


def family(rng: Random) -> str:
    """A written or made-up family name, of any split."""
    return pick(rng, words.FAMILY) if rng.random() < 0.6 else word(rng).capitalize()


def given(rng: Random, split: Split) -> str:
    """A given name in Latin letters."""
    return draw(rng, split, given_name)


def person(rng: Random, language: Language, split: Split) -> str:
    """A full name; in Chinese texts one in twelve is written in Latin letters."""
    if language == "zh" and rng.random() > 0.08:
        return draw(rng, split, _zh_person)
    first, last = draw(rng, split, given_name), draw(rng, split, family)
    return _joined(rng, split, first, last)


def _joined(rng: Random, split: Split, first: str, last: str) -> str:
    """The two names as people write them: most side by side, some with an initial, a particle or a title."""
    style = rng.random()
    shapes: tuple[tuple[float, Callable[[], str]], ...] = (
        (0.04, lambda: f"{first} {pick(rng, _LETTERS)}. {last}"),
        (0.08, lambda: f"{first} {last}-{draw(rng, split, family)}"),
        (0.11, lambda: f"{first} {pick(rng, words.PARTICLES)} {last}"),
        (0.14, lambda: f"{first} {draw(rng, split, given_name)} {last}"),
        (0.17, lambda: f"{pick(rng, _LETTERS)}. {last}"),
        (0.20, lambda: f"{pick(rng, words.TITLES)} {last}"),
    )
    return next((shape() for below, shape in shapes if style < below), f"{first} {last}")


def _zh_person(rng: Random) -> str:
    style = rng.random()
    if style < 0.03:
        return hanzi(rng, 2 + int(rng.random() * 2)) + "·" + hanzi(rng, 2 + int(rng.random() * 3))
    last = pick(rng, words.ZH_DOUBLE_FAMILY) if style < 0.07 else pick(rng, words.ZH_FAMILY)
    if style < 0.12:
        return last + pick(rng, words.ZH_TITLES)
    first = words.ZH_GIVEN if style < 0.85 else _CJK
    return last + "".join(pick(rng, first) for _ in range(1 if rng.random() < 0.25 else 2))


def city(rng: Random, language: Language, split: Split) -> str:
    """A town: real, or made up so that any town can be copied."""
    return draw(rng, split, _zh_city if language == "zh" else _city)


def _city(rng: Random) -> str:
    if rng.random() < 0.6:
        return pick(rng, words.CITIES)
    if rng.random() < 0.4:  # names of several words, of which no part may be lost
        first = pick(rng, words.TOWN_BEGINNINGS)
        second = word(rng).capitalize() if rng.random() < 0.7 else pick(rng, words.CITIES).split()[-1]
        return f"{first} {second}"
    ending = pick(
        rng, ["", "", "ton", "ford", "burg", "ham", "by", "ville", "stad", "haven", " Bay", " Hill"]
    )
    return pick(rng, ["", "", "", "", "Port ", "St ", "New "]) + word(rng).capitalize() + ending


def _zh_city(rng: Random) -> str:
    if rng.random() < 0.65:
        return pick(rng, words.ZH_CITIES)
    length = pick(rng, (1, 1, 1, 2, 2, 3))
    return (
        hanzi(rng, length) + pick(rng, "州阳安江城山海口门宁岛")
        if rng.random() < 0.8
        else hanzi(rng, length + 1)
    )


def product(rng: Random, language: Language, split: Split) -> str:
    """What somebody orders: one to four words, without a quantity."""
    return draw(rng, split, _zh_product if language == "zh" else _product)


def _product(rng: Random) -> str:
    thing = pick(rng, goods.THINGS)
    made = (
        lambda: pick(rng, goods.MASS),
        lambda: pick(rng, goods.MASS) if rng.random() < 0.5 else f"{pick(rng, goods.SIZES)} {thing}",
        lambda: f"{pick(rng, goods.ADJECTIVES)} {pick(rng, goods.MASS)}",
        lambda: f"{word(rng)} {thing}",
        lambda: f"{word(rng).capitalize()} {pick(rng, [thing, code(rng), thing + ' ' + code(rng)])}",
        lambda: f"{code(rng)} {thing}",
        lambda: f"{pick(rng, goods.ADJECTIVES)} {pick(rng, goods.ADJECTIVES)} {thing}",
        lambda: f"{pick(rng, goods.THINGS)} {thing}",
        lambda: thing,
        lambda: f"{pick(rng, goods.ADJECTIVES)} {thing}",
        lambda: f"{pick(rng, goods.ADJECTIVES)} {thing}",
        lambda: f"{pick(rng, goods.ADJECTIVES)} {thing}",
    )
    return made[int(rng.random() * len(made))]()


def _zh_product(rng: Random) -> str:
    kind = rng.random()
    thing = pick(rng, goods.ZH_THINGS)
    if kind < 0.08:
        return hanzi(rng, 2 + int(rng.random() * 2))
    return _zh_before(rng, kind) + thing


def _zh_before(rng: Random, kind: float) -> str:
    """What says more about a thing: a name, a code, a size, a quality or two, or nothing."""
    if kind < 0.16:
        return hanzi(rng, 2)
    if kind < 0.20:
        return code(rng)
    if kind < 0.23:
        return pick(rng, goods.ZH_SIZES)
    if kind < 0.60:
        return ""
    quality = pick(rng, goods.ZH_ADJECTIVES)
    if kind < 0.70:
        return pick(rng, goods.ZH_ADJECTIVES) + quality
    return quality + "的" if kind < 0.74 else quality


def day(rng: Random, split: Split) -> date:
    """A calendar day from 2024 to 2031."""
    first = date(2024, 1, 1)
    return date.fromisoformat(
        draw(rng, split, lambda r: (first + timedelta(days=int(r.random() * 2922))).isoformat())
    )
