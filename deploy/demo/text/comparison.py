"""Which of two numbers is larger: how people ask, and the answer by the first digit that tells them apart.

The answer ends with the relation, ``74 is bigger: 74 > 47``. It is for the adapter of arithmetic, whose route
such questions take; numbers as in its sums, none held out, since one digit of each decides.
"""

from random import Random

from deploy.demo.text.arithmetic import number, reasoned
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Sample, Split

KINDS = ("which_bigger", "which_smaller", "is_bigger", "is_smaller")
_EQUAL = 0.03
_CLOSE = 0.3  # of the pairs share the first digit of two or three
_WORDS = {
    "en": {
        "bigger": "{0} is bigger",
        "smaller": "{0} is smaller",
        "same": "they are equal",
        "yes": "yes",
        "no": "no",
        "digits": "{0} has {1} digits",
        "digit": "{0} has {1} digit",
        "colon": ": ",
    },
    "zh": {
        "bigger": "{0} 更大",
        "smaller": "{0} 更小",
        "same": "一样大",
        "yes": "是的",
        "no": "不是",
        "digits": "{0} 有 {1} 位",
        "digit": "{0} 有 {1} 位",
        "colon": "：",
    },
}


def sample(rng: Random, language: Language, split: Split) -> Sample:
    """One question about two numbers and its answer; both splits ask alike."""
    a, b = pair(rng)
    kind = rng.choice(KINDS)
    messages = (
        {"role": "user", "content": question(rng, language, kind, a, b)},
        {"role": "assistant", "content": reasoned(work(kind, a, b, language))},
    )
    return Sample("arithmetic", language, messages)


def question(rng: Random, language: Language, kind: str, a: int, b: int) -> str:
    """A request to compare ``a`` and ``b``, which needs nothing said before it."""
    return Phrases.load("comparison", language).say(rng, kind, typos=0.03, a=str(a), b=str(b))


def work(kind: str, a: int, b: int, language: Language) -> list[str]:
    """The lines of thought, the answer last."""
    return [*_digits(a, b, language), _answer(kind, a, b, language)]


def relation(a: int, b: int) -> str:
    """``74 > 47``."""
    return f"{a} {'>' if a > b else '<' if a < b else '='} {b}"


def pair(rng: Random) -> tuple[int, int]:
    """Two numbers to compare, at times close to each other."""
    a, b = number(rng), number(rng)
    if rng.random() < _EQUAL:
        return a, a
    if rng.random() < _CLOSE and a >= 10:
        b = a - a % 10 + int(rng.random() * 10)
    return (a, b) if a != b else (a, b + 1)


def _digits(a: int, b: int, language: Language) -> list[str]:
    """The steps: the lengths where they differ, else digit by digit as far as needed."""
    first, second = str(a), str(b)
    if len(first) != len(second):
        words = _WORDS[language]
        told = [words["digit" if len(n) == 1 else "digits"].format(n, len(n)) for n in (first, second)]
        return [*told, relation(a, b)]
    lines = []
    for left, right in zip(first, second, strict=True):
        lines.append(relation(int(left), int(right)))
        if left != right:
            break
    return [*lines, relation(a, b)]


def _answer(kind: str, a: int, b: int, language: Language) -> str:
    words = _WORDS[language]
    if kind.startswith("which"):
        wanted, larger = kind.removeprefix("which_"), (a, b) if a > b else (b, a)
        if a == b:
            said, told = words["same"], relation(a, b)
        else:
            one, other = larger if wanted == "bigger" else larger[::-1]
            said, told = words[wanted].format(one), relation(one, other)
    else:
        holds = a > b if kind == "is_bigger" else a < b
        said, told = words["yes" if holds else "no"], relation(a, b)
    return f"{said[0].upper()}{said[1:]}{words['colon']}{told}"
