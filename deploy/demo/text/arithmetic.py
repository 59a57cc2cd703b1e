"""Arithmetic in steps: how people ask for a sum, bare or in a little story, and the worked answer.

The answer is ``<think>`` with the columns ``</think>`` and then the calculation, ``34 + 28 = 62``: what
follows the last ``=`` is the result. A fifth of all pairs of numbers with two digits or more is held out,
whatever their order.
"""

from random import Random

from deploy.demo.text import columns, goods, pools, words
from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Expectation, Language, Message, Sample, Split

_WHOLE = 0.5  # of the questions are whole messages, the rest recombined pieces
_FOLDED = 0.3  # of what follows a sum may double or triple it
_COMPARED = 0.3  # of the stories compare two, told from either side: only what is meant says which way
SIGNS = {"add": "+", "subtract": "-", "multiply": "×", "three": "+"}


def is_held_out(a: int, sign: str, b: int) -> bool:
    """Whether a calculation is kept for evaluation; one-digit ones never are."""
    if max(a, b) < 10:
        return False
    return pools.is_held_out(f"{min(a, b)}{sign}{max(a, b)}")


def sample(rng: Random, language: Language, split: Split) -> Sample:
    """One question and its worked answer; held-out ones are two-digit sums and differences."""
    kind, numbers = _held_out(rng) if split == "held_out" else draw_train(rng)
    asked = question(rng, language, kind, numbers)
    lines, result = work(kind, numbers, language)
    answer = lines[-1]
    content = reasoned(lines)
    messages: list[Message] = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": content},
    ]
    if split == "train" and rng.random() < 0.10:
        return Sample("arithmetic", language, _going_on(rng, language, messages, answer, result))
    return Sample("arithmetic", language, tuple(messages), Expectation(number=result))


def question(rng: Random, language: Language, kind: str, numbers: tuple[int, ...]) -> str:
    """A request for one calculation, which needs nothing said before it."""
    if rng.random() < _WHOLE:
        rule = "subtract_bare" if kind == "subtract" and numbers[0] <= numbers[1] else kind
        return message(rng, "arithmetic", language, rule, **written(rng, language, numbers))
    make = _story if rng.random() < 0.4 else _bare
    return make(rng, Phrases.load("arithmetic", language), kind, numbers)


def _going_on(
    rng: Random, language: Language, messages: list[Message], answer: str, result: int
) -> tuple[Message, ...]:
    """A second question after the first, whose answer stands there as clients send it back: unreasoned."""
    before = [messages[0], {"role": "assistant", "content": answer, "weight": 0}]
    kind, b = ("add" if rng.random() < 0.5 else "subtract"), _two_digits(rng)
    if 0 < result < 300 and rng.random() < _FOLDED:
        kind, b = "multiply", 2 if rng.random() < 0.6 else 3
    if (kind != "multiply" and rng.random() < 0.5) or result < 0 or is_held_out(result, SIGNS[kind], b):
        second = sample(rng, language, "train").messages
        return (*before, *second[-2:]) if len(second) == 2 else tuple(second)
    if kind == "multiply":
        asked = Phrases.load("arithmetic", language).say(rng, f"follow_times_{b}", typos=0.03)
    elif rng.random() < _WHOLE:
        asked = message(rng, "arithmetic", language, f"next_{kind}", b=str(b))
    else:
        asked = Phrases.load("arithmetic", language).say(rng, f"follow_{kind}", typos=0.03, b=str(b))
    lines, _ = work(kind, (result, b), language)
    return (
        *before,
        {"role": "user", "content": asked},
        {"role": "assistant", "content": reasoned(lines)},
    )


def reasoned(lines: list[str]) -> str:
    """An answer: ``lines`` as thought, and the last of them again as what is said."""
    return "<think>\n" + "\n".join(lines) + f"\n</think>\n\n{lines[-1]}"


def work(kind: str, numbers: tuple[int, ...], language: Language) -> tuple[list[str], int]:
    """The lines of thought, the calculation first, and the result."""
    a, b = numbers[:2]
    if kind == "three":
        first, second = columns.add(a, b, language), columns.add(a + b, numbers[2], language)
        lines = [_calculation(numbers, ""), *first, *second, _calculation(numbers)]
        return lines, sum(numbers)
    make = {"add": columns.add, "subtract": columns.subtract, "multiply": columns.multiply}[kind]
    result = {"add": a + b, "subtract": a - b, "multiply": a * b}[kind]
    return [f"{a} {SIGNS[kind]} {b}", *make(a, b, language)], result


def _calculation(numbers: tuple[int, ...], sign: str = " = ") -> str:
    text = " + ".join(map(str, numbers))
    return f"{text}{sign}{sum(numbers)}" if sign else text


def _two_digits(rng: Random) -> int:
    return 10 + int(rng.random() * 90)


def number(rng: Random) -> int:
    """A number as people ask for: mostly of two digits, at times of one or three, at times round."""
    kind = rng.random()
    if kind < 0.70:
        return _two_digits(rng)
    if kind < 0.80:
        return int(rng.random() * 10)
    if kind < 0.92:
        return 100 + int(rng.random() * 900)
    return (10 if kind < 0.96 else 50) * (1 + int(rng.random() * 12))


def _held_out(rng: Random) -> tuple[str, tuple[int, ...]]:
    while True:
        kind = "add" if rng.random() < 0.5 else "subtract"
        a, b = _two_digits(rng), _two_digits(rng)
        if kind == "subtract" and a < b and rng.random() < 0.85:
            a, b = b, a
        if is_held_out(a, SIGNS[kind], b):
            return kind, (a, b)


def draw_train(rng: Random) -> tuple[str, tuple[int, ...]]:
    """A kind of calculation and its numbers, none of them held out."""
    while True:
        draw = rng.random()
        kind = "add" if draw < 0.42 else "subtract" if draw < 0.84 else "multiply" if draw < 0.92 else "three"
        if kind == "multiply":
            numbers: tuple[int, ...] = (2 + int(rng.random() * 8), int(1 + rng.random() * 99))
            numbers = numbers if rng.random() < 0.5 else numbers[::-1]
        elif kind == "three":
            numbers = tuple(_two_digits(rng) if rng.random() < 0.8 else number(rng) for _ in range(3))
        else:
            numbers = (number(rng), number(rng))
            if kind == "subtract" and numbers[0] < numbers[1] and rng.random() < 0.85:
                numbers = numbers[::-1]
        if not holds_out(kind, numbers):
            return kind, numbers


def holds_out(kind: str, numbers: tuple[int, ...]) -> bool:
    """Whether a step of this calculation is kept for evaluation."""
    pairs = [numbers[:2], (sum(numbers[:2]), numbers[2])] if kind == "three" else [numbers]
    return any(is_held_out(pair[0], SIGNS[kind], pair[1]) for pair in pairs)


def written(rng: Random, language: Language, numbers: tuple[int, ...]) -> dict[str, str]:
    """``numbers`` by the names ``a``, ``b`` and ``c``, at times in words."""
    if rng.random() > 0.07:
        shown = [str(number) for number in numbers]
    elif language == "en":
        hyphen = rng.random() < 0.6
        shown = [columns.english(number, hyphen) for number in numbers]
    else:
        shown = [columns.chinese(number) for number in numbers]
    return dict(zip("abc", shown, strict=False))


def _bare(rng: Random, phrases: Phrases, kind: str, numbers: tuple[int, ...]) -> str:
    values = written(rng, phrases.language, numbers)
    values["sum"] = phrases.raw(rng, kind, **values)
    values["command"] = phrases.raw(rng, f"{kind}_order", **values)
    return phrases.say(rng, "ask", typos=0.05, **values)


def _story(rng: Random, phrases: Phrases, kind: str, numbers: tuple[int, ...]) -> str:
    if kind == "subtract" and numbers[0] < numbers[1]:  # nobody gives away more than there is
        return _bare(rng, phrases, kind, numbers)
    values = written(rng, phrases.language, numbers)
    if phrases.language == "en":
        thing, other = pools.pick(rng, goods.THINGS), pools.pick(rng, goods.THINGS)
        values["things"] = goods.plural(thing) if rng.random() < 0.7 else pools.pick(rng, goods.COUNTED)
        values["who"], values["other"] = pools.given(rng, "train"), pools.given(rng, "train")
    else:
        thing, other = pools.pick(rng, goods.ZH_THINGS), pools.pick(rng, goods.ZH_THINGS)
        if rng.random() < 0.3:
            thing = pools.pick(rng, goods.ZH_COUNTED)
        values["who"], values["other"] = pools.person(rng, "zh", "train"), pools.person(rng, "zh", "train")
        if rng.random() < 0.4:
            values["who"], values["other"] = rng.sample(words.ZH_CALLED, 2)
        values["m"] = phrases.plain(rng, "m")
    values["thing"], values["thing2"] = thing, other
    compared = kind in {"add", "subtract"} and rng.random() < _COMPARED
    story = phrases.raw(rng, f"{'compare' if compared else 'story'}_{kind}", **values)
    return phrases.say(rng, "tell", typos=0.05, story=story)
