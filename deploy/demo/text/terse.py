"""Orders of hardly a word: who, what, where and when, in any order, with or without what names them."""

from collections.abc import Mapping
from random import Random

from deploy.demo.text import pools
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language

_JOINTS = {
    "en": (", ", ", ", "; ", " / ", " - ", " | ", "\n", ". ", " ", " -- ", ",", "\t"),
    "zh": ("，", "，", "；", "/", " ", "\n", "。", " | ", "、", "，", ", ", " - "),
}
_ENDS = {"en": ("", "", ".", "!"), "zh": ("", "", "。", "！")}


def order(rng: Random, language: Language, facts: Mapping[str, str]) -> str:
    """``facts`` (name, line, city, date) in any order, the date left out at times, behind a word or two."""
    phrases = Phrases.load("order", language)
    said = list(facts) if rng.random() < 0.85 else [fact for fact in facts if fact != "date"]
    rng.shuffle(said)
    bare = rng.random() < 0.4
    joint = pools.pick(rng, _JOINTS[language])
    whole = [value for fact, value in facts.items() if fact != "line"]
    while _confuses(joint, bare and language == "en", whole):
        joint = pools.pick(rng, _JOINTS[language])
    parts = [facts[fact] if bare else phrases.plain(rng, f"terse_{fact}", **facts) for fact in said]
    beginning = phrases.plain(rng, "terse_beginning") if rng.random() < 0.35 else ""
    if beginning and language == "en":
        beginning += " "
    return beginning + joint.join(parts) + pools.pick(rng, _ENDS[language])


def _confuses(joint: str, spaced: bool, facts: list[str]) -> bool:
    """Whether ``joint`` cuts a fact in two, or a space alone parts names that have spaces."""
    mark = joint.strip()
    return any(mark in fact for fact in facts) if mark else spaced and joint == " "
