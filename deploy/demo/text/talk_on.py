"""Small talk and refusals at later turns of a conversation, after whatever else was asked there.

What is said then is short and about the answer before it ("wow", "never mind", "another one"), or is what
opens other conversations. Only for training.
"""

from random import Random

from deploy.demo.text import history, pools, refusal, smalltalk
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Expectation, Language, Message, Sample

_TYPOS = 0.05
_SAID_LATER = ("ok ok ok ok thanks thanks thanks praise praise laugh laugh bye sorry").split(" ")  # noqa: SIM905
_GREETED = 0.15  # of the talks begin with a greeting and go on with what newcomers ask
_NEWCOMERS = ("help", "help", "languages", "angry", "can", "how")
_MORE = ("joke", "joke", "joke", "joke")  # there is a way to ask for one more
_SHORT = 0.6  # of the small talk says one of these
_AGAIN = 0.4  # of the turns after an answer that can be doubted doubt it, or after a joke want another
_INSISTING = 0.35  # of the refusals are followed by pleading
_REPEATED = ("who", "robot", "can", "age", "where", "like", "languages", "help")  # answers one can doubt
_ANSWERED_AS = {"laugh": "happy"}  # no topic of its own


def small_talk(rng: Random, language: Language) -> Sample:
    """Small talk after another task or a greeting, or twice with another task in between."""
    topic = ""
    if rng.random() < _GREETED:
        topic = pools.pick(rng, _NEWCOMERS)
        messages = smalltalk.exchange(rng, language, "train", "greet")
        messages += smalltalk.exchange(rng, language, "train", topic)
    else:
        messages = history.earlier(rng, language, "smalltalk")
    for turn in range(pools.pick(rng, (1, 1, 2, 2, 3))):
        if turn and rng.random() < 0.3:
            messages += history.earlier(rng, language, "smalltalk")
            topic = ""
        topic, exchange = _small_talk_turn(rng, language, topic)
        messages += exchange
    answer = str(messages[-1]["content"])
    return Sample("smalltalk", language, tuple(messages), Expectation(contains=(answer,)))


def refused(rng: Random, language: Language) -> Sample:
    """A request out of scope after another task; now and then the user pleads, in vain."""
    messages = history.earlier(rng, language, "refusal") if rng.random() < 0.85 else []
    phrases = Phrases.load("talk_on", language)
    for _ in range(1 if rng.random() < 0.7 else 2):
        question, answer = refusal.exchange(rng, language, "train")
        messages += [question, answer]
        if rng.random() < _INSISTING:
            plea = phrases.say(rng, "insist", typos=_TYPOS)
            messages += [{"role": "user", "content": plea}, dict(answer)]
    return Sample(
        "out_of_scope", language, tuple(messages), Expectation(contains=(str(messages[-1]["content"]),))
    )


def _small_talk_turn(rng: Random, language: Language, before: str) -> tuple[str, list[Message]]:
    """A topic and what is said and answered, where ``before`` is the topic of the turn before it."""
    phrases = Phrases.load("talk_on", language)
    if before == "joke" and rng.random() < _AGAIN:
        return _answered(rng, language, "joke", phrases.say(rng, "joke_again", typos=_TYPOS))
    if before in _REPEATED and rng.random() < _AGAIN:
        return _answered(rng, language, before, phrases.say(rng, "really", typos=_TYPOS))
    if rng.random() < _SHORT:
        said = pools.pick(rng, _SAID_LATER)
        topic = _ANSWERED_AS.get(said, said)
        return _answered(rng, language, topic, phrases.say(rng, said, typos=_TYPOS))
    topic = pools.pick(rng, (*smalltalk.TOPICS, *_MORE))
    return topic, smalltalk.exchange(rng, language, "train", topic)


def _answered(rng: Random, language: Language, topic: str, said: str) -> tuple[str, list[Message]]:
    answer = Phrases.load("smalltalk", language).plain(rng, f"answer_{topic}")
    return topic, [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
