"""Orders of hardly a word: who, what, where and when, in any order, with or without what names them."""

from collections.abc import Mapping
from random import Random

from deploy.demo.text import pools, words
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language

_JOINTS = {
    "en": (", ", ", ", "; ", " / ", " - ", " | ", ". ", " -- ", ",", "\n", "\n"),
    "zh": ("，", "，", "；", "/", "。", " | ", "、", "，", ", ", " - ", "\n", "\n"),
}
_TOWNS = frozenset([*words.CITIES, *words.ZH_CITIES])
_ENDS = {"en": ("", "", ".", "!"), "zh": ("", "", "。", "！")}


def order(rng: Random, language: Language, facts: Mapping[str, str]) -> str:
    """``facts`` (name, line, city, date) in any order, the date left out at times, behind a word or two."""
    phrases = Phrases.load("order", language)
    said = list(facts) if rng.random() < 0.85 else [fact for fact in facts if fact != "date"]
    rng.shuffle(said)
    # Only a town that was learned can be told from a name by itself, so none that is held out.
    known = facts["city"] in _TOWNS and not pools.is_held_out(facts["city"])
    bare = known and rng.random() < 0.4
    joint = pools.pick(rng, _JOINTS[language])
    whole = [value for fact, value in facts.items() if fact != "line"]
    while (mark := joint.strip()) and any(mark in fact for fact in whole):  # it would cut a fact in two
        joint = pools.pick(rng, _JOINTS[language])
    parts = [facts[fact] if bare else phrases.plain(rng, f"terse_{fact}", **facts) for fact in said]
    while not known and facts["city"] in parts:
        parts[parts.index(facts["city"])] = phrases.plain(rng, "terse_city", **facts)
    beginning = phrases.plain(rng, "terse_beginning") if rng.random() < 0.35 else ""
    if beginning and language == "en":
        beginning += " "
    return beginning + joint.join(parts) + pools.pick(rng, _ENDS[language])
