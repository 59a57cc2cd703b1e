"""Families of tools as clients bring them: their names, what they take, how people ask, what comes back.

``phrases/tools.yaml`` holds them. A family is drawn anew each time: under one of its names or a made-up one,
its parameters under one of theirs, described or not. One family in five is held out for evaluation.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, get_args

import yaml

from deploy.demo.text import pools, schema_forms, tool_values
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Split
from deploy.demo.text.tool_values import Kind, Value

_FILE = Path(__file__).parent / "phrases" / "tools.yaml"
_SLOT = re.compile(r"\{(\w+)\}")
_FEW = 6  # families that share a word which still says what is asked for


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a family."""

    slot: str  # its name in the requests
    names: tuple[str, ...]
    kind: Mapping[Language, Kind]
    says: Mapping[Language, str]
    optional: bool


@dataclass(frozen=True, slots=True)
class Family:
    """One family, and how its requests are phrased."""

    names: tuple[str, ...]
    does: Mapping[Language, tuple[str, ...]]
    parameters: tuple[Parameter, ...]
    requests: Mapping[Language, tuple[str, ...]]
    lacking: Mapping[Language, tuple[str, ...]]
    result: Mapping[str, Mapping[Language, Kind]]
    errors: Mapping[Language, tuple[str, ...]]

    @property
    def takes_anything(self) -> bool:
        """Whether there is no question that it may not be asked, as of a search of the web."""
        return any("topic" in parameter.kind.values() for parameter in self.parameters)


@dataclass(frozen=True, slots=True)
class Tool:
    """One drawing of a family: the schema that a client sends, and the names that it gave."""

    family: Family
    schema: dict[str, Any]  # OpenAI's form
    names: Mapping[str, str]  # of the parameters, by slot

    @property
    def name(self) -> str:
        """The function's name."""
        return str(self.schema["function"]["name"])


@cache
def families(split: Split) -> tuple[Family, ...]:
    """The families of a split, as the file has them."""
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every value is a text, also ``on`` and ``12``
    read = yaml.load(_FILE.read_text(encoding="utf-8"), Loader=loader)
    wanted = split == "held_out"
    return tuple(_family(each) for each in read if pools.is_held_out(each["names"][0]) == wanted)


def drawn(rng: Random, family: Family, language: Language) -> Tool:
    """The family as one client calls it, at times described in English where Chinese is spoken."""
    described: Language = "en" if language == "en" or rng.random() < 0.35 else "zh"
    naming, saying = rng.random(), rng.random()
    does = pools.pick(rng, family.does[described])
    name = _made_up(rng) if naming < 0.15 else _cased(rng, pools.pick(rng, family.names))
    properties: dict[str, Any] = {}
    names: dict[str, str] = {}
    camel = rng.random() < 0.12
    for parameter in family.parameters:
        if parameter.optional and rng.random() < 0.25:
            continue
        called = pools.pick(rng, parameter.names)
        while called in properties:
            called = f"{parameter.slot}_{len(properties)}"
        names[parameter.slot] = called = _camel(called) if camel else called
        properties[called] = _property(parameter, language, "" if saying < 0.2 else parameter.says[described])
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    required = [names[p.slot] for p in family.parameters if p.slot in names and not p.optional]
    if required or rng.random() < 0.5:
        schema["required"] = required
    if rng.random() < 0.2:
        schema["additionalProperties"] = False
    function = {"name": name, "description": does, "parameters": schema_forms.varied(rng, schema)}
    if 0.15 <= naming < 0.25:
        function["description"] = ""
    elif names and rng.random() < 0.08:
        said = {names[p.slot]: p.says[described] for p in family.parameters if p.slot in names}
        function["description"] = schema_forms.documented(rng, does, said)
    return Tool(family, {"type": "function", "function": function}, names)


def values(rng: Random, tool: Tool, language: Language, split: Split) -> dict[str, Value]:
    """A value for each slot of the tool, no two the same: nobody travels from a town to itself."""
    filled: dict[str, Value] = {}
    for parameter in tool.family.parameters:
        if parameter.slot not in tool.names:
            continue
        each = tool_values.value(rng, parameter.kind[language], language, split)
        while each in filled.values():
            each = tool_values.value(rng, parameter.kind[language], language, split)
        filled[parameter.slot] = each
    return filled


def request(
    rng: Random, tool: Tool, language: Language, filled: Mapping[str, Value]
) -> tuple[str, dict[str, Value]]:
    """What a user says, and the arguments that this gives."""
    able = tuple(r for r in tool.family.requests[language] if set(slots(r)) <= set(filled))
    said = pools.pick(rng, able)
    text = _phrases(language, said).say(
        rng, "request", typos=0.04, **{slot: tool_values.written(each) for slot, each in filled.items()}
    )
    named = set(slots(said))
    return text, {tool.names[slot]: each for slot, each in filled.items() if slot in named}


def slots(said: str) -> list[str]:
    """The slots of a request, in order."""
    return _SLOT.findall(said)


def lacking(rng: Random, tool: Tool, language: Language) -> str | None:
    """A request that names nothing of what is required; None where the family has none."""
    said = tool.family.lacking[language]
    return _phrases(language, pools.pick(rng, said)).say(rng, "request", typos=0.04) if said else None


def concerns(family: Family, text: str, language: Language) -> bool:
    """Whether ``text`` may ask for what the family does: it has a word that few families use."""
    return not _words(text, language).isdisjoint(_own_words(language)[family.names])


@cache
def _own_words(language: Language) -> Mapping[tuple[str, ...], frozenset[str]]:
    """By a family's names: the words of its requests and of what it does that few others have."""
    said = {
        family.names: _words(" ".join((*family.requests[language], *family.does[language])), language)
        for split in get_args(Split)
        for family in families(split)
    }
    counted = Counter(word for words in said.values() for word in words)
    return {
        names: frozenset(word for word in words if counted[word] <= _FEW) for names, words in said.items()
    }


def _words(text: str, language: Language) -> frozenset[str]:
    """Words in small letters; of Chinese, every two characters that follow each other."""
    text = _SLOT.sub(" ", text)
    if language == "en":
        return frozenset(re.findall(r"[a-z]{3,}", text.lower()))
    return frozenset(a + b for run in re.findall(r"[一-龟]+", text) for a, b in pairwise(run))


@cache
def _phrases(language: Language, said: str) -> Phrases:
    return Phrases(language, {"request": [said]})


def _property(parameter: Parameter, language: Language, says: str) -> dict[str, Any]:
    kind = parameter.kind[language]
    named: dict[str, Any] = {"type": "string"}
    if isinstance(kind, list):
        named["enum"] = kind
    elif kind in {"integer", "small"}:
        named["type"] = "integer"
    elif kind == "amount":
        named["type"] = "number"
    return named | ({"description": says} if says else {})


def _made_up(rng: Random) -> str:
    return "_".join(pools.word(rng) for _ in range(1 + int(rng.random() * 2)))


def _cased(rng: Random, name: str) -> str:
    draw = rng.random()
    if draw < 0.12:
        return _camel(name)
    return f"{pools.pick(rng, ('mcp__', 'api_', 'tools-', 'my_'))}{name}" if draw < 0.18 else name


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _family(read: Mapping[str, Any]) -> Family:
    def spoken(key: str) -> dict[Language, tuple[str, ...]]:
        return {"en": tuple(read.get(key, {}).get("en", ())), "zh": tuple(read.get(key, {}).get("zh", ()))}

    return Family(
        names=tuple(read["names"]),
        does=spoken("does"),
        parameters=tuple(
            Parameter(
                slot=each["slot"],
                names=tuple(each["names"]),
                kind=_kinds(each["kind"]),
                says=each["says"],
                optional=each.get("optional") == "true",
            )
            for each in read.get("parameters", ())
        ),
        requests=spoken("requests"),
        lacking=spoken("lacking"),
        result={key: _kinds(kind) for key, kind in read["result"].items()},
        errors=spoken("errors"),
    )


def _kinds(read: Any) -> dict[Language, Kind]:
    return read if isinstance(read, dict) else {"en": read, "zh": read}
