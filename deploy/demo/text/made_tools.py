"""Tools that do anything to anything: names, parameters, types and what one asks of them, each drawn anew.

Nothing of them can be remembered, so which tool is meant and what its arguments are has to be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from deploy.demo.text import made_parameters, made_words, pools, schema_forms
from deploy.demo.text.made_parameters import Parameter
from deploy.demo.text.sample import Language


@dataclass(frozen=True, slots=True)
class MadeTool:
    """A made-up tool, and how one says what it does."""

    schema: Mapping[str, Any]  # OpenAI's form
    verb: str
    noun: str  # without an article
    parameters: tuple[Parameter, ...]

    @property
    def name(self) -> str:
        """The function's name."""
        return str(self.schema["function"]["name"])


def tool(rng: Random, language: Language, like: MadeTool | None = None) -> MadeTool:
    """A tool with none to four parameters; ``like``: one that does the same, or something to the same."""
    at = 0 if language == "en" else 1
    verb, noun = pools.pick(rng, made_words.VERBS), pools.pick(rng, made_words.NOUNS)
    thing = pools.word(rng)
    named = (thing, pools.hanzi(rng, 2)) if rng.random() < 0.35 else noun
    if like:
        verb, named = _beside(rng, like, at, verb, named)
    name = _name(rng, verb[0], named[0])
    parameters = made_parameters.several(rng, language)
    described = 0 if language == "en" or rng.random() < 0.3 else 1
    text = "" if rng.random() < 0.06 else _described(rng, described, verb[described], named[described])
    if text and parameters and rng.random() < 0.12:
        text = schema_forms.documented(rng, text, {p.name: p.label for p in parameters})
    schema: dict[str, Any] = {"type": "object", "properties": {p.name: p.schema for p in parameters}}
    if parameters or rng.random() < 0.5:
        schema["required"] = [p.name for p in parameters if not p.optional]
    if rng.random() < 0.15:
        schema["additionalProperties"] = False
    function = {"name": name, "description": text, "parameters": schema_forms.varied(rng, schema)}
    return MadeTool({"type": "function", "function": function}, verb[at], named[at], parameters)


def several(rng: Random, language: Language, count: int) -> list[MadeTool]:
    """``count`` tools, no two of one name or for one request; some are like the first."""
    made = [tool(rng, language)]
    while len(made) < count:
        other = tool(rng, language, made[0] if rng.random() < 0.4 else None)
        if all(other.name != each.name and not asks_alike(other, each) for each in made):
            made.append(other)
    return made


def asks_alike(one: MadeTool, other: MadeTool) -> bool:
    """Whether what is asked of ``one`` might be asked of ``other``."""
    return (one.verb, one.noun) == (other.verb, other.noun)


def _beside(
    rng: Random, like: MadeTool, at: int, verb: tuple[str, str], noun: tuple[str, str]
) -> tuple[tuple[str, str], tuple[str, str]]:
    """The verb or the noun of ``like``, with another noun or verb."""
    same_verb = [each for each in made_words.VERBS if each[at] == like.verb]
    same_noun = [each for each in made_words.NOUNS if each[at] == like.noun]
    if same_noun and rng.random() < 0.5:
        return verb, same_noun[0]
    return (same_verb[0] if same_verb else verb), noun


def _name(rng: Random, verb: str, noun: str) -> str:
    draw = rng.random()
    if draw < 0.5:
        return f"{verb}_{noun}"
    if draw < 0.62:
        return f"{verb}{noun.capitalize()}"
    if draw < 0.70:
        return f"{noun}_{pools.pick(rng, ('tool', 'function', verb, 'api', 'helper'))}"
    if draw < 0.76:
        return f"{pools.word(rng)}_{verb}_{noun}"
    return "_".join(pools.word(rng) for _ in range(1 + int(rng.random() * 2)))


def _described(rng: Random, at: int, verb: str, noun: str) -> str:
    if at == 1:
        return pools.pick(rng, (f"{verb}{noun}。", f"{verb}{noun}", f"用来{verb}{noun}的工具。"))
    article = pools.pick(rng, ("the", "a", "one", "any"))
    form = pools.pick(rng, ("{} {} {}.", "{} {} {}", "Use this to {} {} {}.", "Can {} {} {}."))
    said = form.format(verb, article, noun)
    return said[0].upper() + said[1:]
