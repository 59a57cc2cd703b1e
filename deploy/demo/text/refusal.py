"""Requests the desk has no business with, and the one polite refusal of each language.

The requests come from word lists crossed with sentence forms, so that what is learned is "not of this desk"
and not a list of questions.
"""

from random import Random

from deploy.demo.text import pools
from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Expectation, Language, Message, Sample, Split

_WHOLE = 0.55  # of the requests are whole messages, the rest recombined pieces


def sample(rng: Random, language: Language, split: Split) -> Sample:
    """One request out of scope, or two after each other, refused."""
    messages: list[Message] = []
    for _ in range(1 if rng.random() < 0.88 else 2):
        messages += exchange(rng, language, split)
    answer = str(messages[-1]["content"])
    return Sample("out_of_scope", language, tuple(messages), Expectation(contains=(answer,)))


def exchange(rng: Random, language: Language, split: Split) -> list[Message]:
    """One request out of scope and its refusal."""
    phrases = Phrases.load("refusal", language)
    values = {
        "who": pools.given(rng, split) if language == "en" else pools.person(rng, language, split),
        "town": pools.city(rng, language, split),
        "town2": pools.city(rng, language, split),
        "word": pools.draw(rng, split, pools.word),
        "n": str(2 + int(rng.random() * 98)),
    }
    if rng.random() < _WHOLE:
        question = message(rng, "refusal", language, "ask", **values)
    else:
        question = phrases.say(rng, "ask", typos=0.05, **values)
    answer = phrases.plain(rng, "answer")
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
