"""One calculation of a talk, and the words of a turn that asks for it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from deploy.demo.text import arithmetic, columns, comparison
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language

_CARELESS = 0.35  # of English turns are in lower case throughout


@dataclass(frozen=True, slots=True)
class Calculation:
    """A sum or a comparison that was asked for."""

    kind: str  # of ``arithmetic.work`` or ``comparison.KINDS``
    numbers: tuple[int, ...]
    said: tuple[int, ...]  # places in ``numbers`` of those that the user named, as named; others are results

    @classmethod
    def asked(cls, question: str, kind: str, numbers: tuple[int, ...]) -> "Calculation":
        """That of a ``question`` that names every one of ``numbers``, in figures or in words."""
        found = [re.search(_named(number), question.lower()) for number in numbers]
        places = [match.start() if match else len(question) for match in found]
        return cls(kind, numbers, tuple(sorted(range(len(numbers)), key=places.__getitem__)))

    @property
    def in_order(self) -> bool:
        """Whether the user named the numbers in the order in which the calculation has them."""
        return self.said == tuple(sorted(self.said))

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
Move = Callable[[Random, Phrases, Calculation], Turn | None]


def _named(number: int) -> str:
    """A pattern for ``number`` in figures or in words, as no part of another."""
    english = f"{columns.english(number)}|{columns.english(number, hyphen=False)}"
    return (
        rf"(?<!\d){number}(?!\d)|(?<![a-z-])(?:{english})(?![a-z-])"
        rf"|(?<![零一二三四五六七八九十百]){columns.chinese(number)}(?![零一二三四五六七八九十百])"
    )


def say(rng: Random, phrases: Phrases, rule: str, numbers: dict[str, int], **values: str) -> str:
    """``rule`` of the phrases, polished, with its ``numbers`` (at times in words) and other ``values``."""
    given = tuple(numbers.values())
    shown = arithmetic.written(rng, phrases.language, given).values() if max(given, default=0) < 1000 else ()
    values |= dict(zip(numbers, shown or map(str, given), strict=True))
    text = phrases.say(rng, rule, typos=0.04, **values)
    return text.lower() if phrases.language == "en" and rng.random() < _CARELESS else text
