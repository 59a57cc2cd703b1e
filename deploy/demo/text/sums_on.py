"""Talks about sums of two to five turns: what was worked before is asked again, corrected or gone on with.

Earlier answers stand there as a client sends them back, without their reasoning and with ``"weight": 0`` (not
trained on); the last one is worked in full. Other business may stand before a sum or between two: small talk
between them changes nothing, after anything else a sum is asked for anew.
"""

from random import Random

from deploy.demo.text import arithmetic, extraction, policy, pools, refusal, smalltalk, support
from deploy.demo.text.calculation import Calculation, say
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Message, Sample, Split
from deploy.demo.text.sums_next import first_turn, next_turn

_TURNS = (2, 3, 4, 5)  # of the user in a talk, and how often:
_TURNS_WEIGHTS = (0.32, 0.36, 0.2, 0.12)
_OPENED = 0.25  # of the talks begin with other business
_BETWEEN = 0.12  # of the turns after a sum, the last one aside, are none
_FIRST_AGAIN = 0.08  # of the turns after two sums ask for the first of the talk
_SMALL = 0.6  # of other business at the beginning is small talk
_SMALL_BETWEEN = 0.75
_LONGEST = {"en": 300, "zh": 120}  # characters of a request of other business


def sample(rng: Random, language: Language, split: Split) -> Sample:
    """One talk whose last turn is a sum or a comparison; ``held_out`` asks single sums only."""
    if split == "held_out":
        return arithmetic.sample(rng, language, split)
    messages: list[Message] = []
    lines: list[str] = []
    last: Calculation | None = None
    before: list[Calculation] = []
    for left in reversed(range(rng.choices(_TURNS, _TURNS_WEIGHTS)[0])):
        if left and rng.random() < (_BETWEEN if messages else _OPENED):
            small = rng.random() < (_SMALL_BETWEEN if last else _SMALL)
            messages += (_small_talk if small else _business)(rng, language, last is None)
            last = last if small else None
            continue
        if len(before) > 1 and rng.random() < _FIRST_AGAIN:
            question, last = say(rng, Phrases.load("sums_on", language), "first_again", {}), before[0]
        elif last is None:
            question, last = first_turn(rng, language, again=bool(messages))
        else:
            question, last = next_turn(rng, language, last)
        before.append(last)
        lines = last.lines(language)
        messages += _exchange(question, lines[-1])
    messages[-1] = {"role": "assistant", "content": arithmetic.reasoned(lines)}
    return Sample("arithmetic", language, tuple(messages))


def _exchange(question: str, answer: str) -> list[Message]:
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer, "weight": 0},
    ]


def _small_talk(rng: Random, language: Language, opening: bool) -> list[Message]:
    """A greeting or any other small talk at the beginning, thanks and the like later."""
    phrases = Phrases.load("smalltalk", language)
    topic = rng.choice(
        ("greet", "greet", "greet", "how", "can", "who") if opening else ("thanks", "ok", "praise")
    )
    names = {"who": pools.given(rng, "train"), "town": pools.city(rng, language, "train")}
    return _exchange(phrases.say(rng, topic, typos=0.05, **names), phrases.plain(rng, f"answer_{topic}"))


def _business(rng: Random, language: Language, opening: bool) -> list[Message]:
    """The first request of another route and its answer, without the calls behind it."""
    while True:
        make = rng.choice((support, support, extraction, policy, refusal, smalltalk))
        messages = make.sample(rng, language, "train").messages
        question = str(messages[0]["content"])
        if len(question) <= _LONGEST[language]:
            answers = (m for m in messages if m["role"] == "assistant" and "tool_calls" not in m)
            return _exchange(question, str(next(answers)["content"]))
