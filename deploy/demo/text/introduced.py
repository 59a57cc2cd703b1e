"""Something with a name in a script of its own, and what it is, which is not to be taken for the name.

A request that says ``'…' - a Norwegian shipping firm`` names nobody "Norwegian". What the name means, whose
it is and what it does stand before or behind it; only where they are asked for are they copied too.
"""

import re
from dataclasses import dataclass
from random import Random

from deploy.demo.text import pools, scripts
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language


@dataclass(frozen=True, slots=True)
class Introduced:
    """A name and what is said of it; ``sentence`` has both, and ends without a mark."""

    name: str
    about: str
    sentence: str


def something(rng: Random, language: Language, rule: str, **values: str) -> Introduced:
    """What is introduced by ``rule`` of the phrases ``introduced``, with ``values`` for its other slots."""
    phrases = Phrases.load("introduced", language)
    name, script = scripts.native(rng, language)
    people = pools.pick(rng, scripts.PEOPLES[script])[0 if language == "en" else 1]
    about = phrases.plain(rng, "about", people=people, town=pools.city(rng, language, "train"))
    about = _BEFORE_VOWEL.sub("an", about)
    begin, end = pools.pick(rng, _MARKS if language == "en" else _MARKS_ZH)
    gloss = f"{pools.word(rng).capitalize()} {pools.pick(rng, _GLOSSES)}"
    sentence = phrases.raw(
        rng, rule, x=f"{begin}{name}{end}", about=about, gloss=gloss, people=people, **values
    )
    return Introduced(name, about, sentence)


_BEFORE_VOWEL = re.compile(r"\ba(?= [aeio])", re.IGNORECASE)
_MARKS = (("'", "'"), ("'", "'"), ('"', '"'), ("“", "”"), ("‘", "’"), ("", ""), ("", ""), ("「", "」"))
_MARKS_ZH = (("“", "”"), ('"', '"'), ("'", "'"), ("「", "」"), ("《", "》"), ("", ""), ("", ""))
_GLOSSES = ("House", "Works", "Park", "Trading", "Brothers", "Union", "Star", "Studio", "Market", "Garden")
