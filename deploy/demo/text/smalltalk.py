"""Small talk: how people greet, thank, tease and take leave, and one fixed answer for each topic."""

from random import Random

from deploy.demo.text import pools
from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Expectation, Language, Message, Sample, Split

_WHOLE = 0.55  # of what is said are whole messages, the rest recombined pieces
TOPICS = (
    *("greet", "how", "who", "robot", "can", "thanks", "bye", "praise", "joke", "age", "where", "bored"),
    *("happy", "like", "sorry", "ok", "languages", "help", "angry"),
)


def sample(rng: Random, language: Language, split: Split) -> Sample:
    """A small talk of one to three questions; only names and towns differ between the splits."""
    messages: list[Message] = []
    turns = 1 if rng.random() < 0.75 else 2 if rng.random() < 0.7 else 3
    for _ in range(turns):
        messages += exchange(rng, language, split, pools.pick(rng, TOPICS))
    answer = str(messages[-1]["content"])
    return Sample("smalltalk", language, tuple(messages), Expectation(contains=(answer,)))


def exchange(rng: Random, language: Language, split: Split, topic: str) -> list[Message]:
    """Something said about ``topic`` and its answer."""
    phrases = Phrases.load("smalltalk", language)
    answer = phrases.plain(rng, f"answer_{topic}")
    values = {
        "who": pools.person(rng, language, split) if rng.random() < 0.5 else pools.given(rng, split),
        "town": pools.city(rng, language, split),
    }
    if rng.random() < _WHOLE:
        question = message(rng, "smalltalk", language, topic, **values)
    else:
        question = phrases.say(rng, topic, typos=0.05, **values)
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
