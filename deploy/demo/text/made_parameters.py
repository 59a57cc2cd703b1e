"""What made-up tools take: a name, a type, a value of it, and how one writes the value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from deploy.demo.text import made_words, pools, scripts
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language

Made = str | int | float | bool | list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One parameter of a made-up tool; each is only itself, so that values may be kept by it."""

    name: str
    label: str  # how one speaks of it
    schema: Mapping[str, Any]
    draw: Callable[[Random], tuple[Made, str]]  # a value, and how one writes it
    optional: bool = False
    tells: bool = False  # what is said of a thing, in words
    native: bool = False  # what a thing is called, in a script of its own


def several(rng: Random, language: Language) -> tuple[Parameter, ...]:
    """None to four parameters; at times what something is called and what is said of it."""
    if (draw := rng.random()) < 0.13:
        return _portrait(rng, language)
    if draw < 0.37:
        return _introduced(rng, language)
    count = pools.pick(rng, (0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4))
    made: dict[str, Parameter] = {}
    described = rng.random()
    while len(made) < count:
        each = _parameter(rng, language, described < 0.7)
        if each.label not in {other.label for other in made.values()}:
            made[each.name] = each
    return tuple(made.values())


def text(rng: Random, language: Language) -> str:
    """A string to copy: mostly of the language, at times of another one or of another script."""
    draw = rng.random()
    if draw < 0.08:
        return scripts.word(rng)
    if draw < 0.20:
        return pools.hanzi(rng, 2 + int(rng.random() * 5)) if language == "en" else pools.word(rng)
    kinds: tuple[Callable[[], str], ...] = (
        lambda: pools.word(rng) if language == "en" else pools.hanzi(rng, 2 + int(rng.random() * 4)),
        lambda: pools.person(rng, language, "train"),
        lambda: pools.city(rng, language, "train"),
        lambda: pools.product(rng, language, "train"),
        lambda: pools.code(rng),
        lambda: f"{pools.word(rng)} {pools.word(rng)}",
    )
    return pools.pick(rng, kinds)()


def number(rng: Random) -> int:
    """A whole number of one to four digits, small ones as often as large ones; few are negative."""
    size = pools.pick(rng, (10, 10, 100, 1000, 10_000))
    drawn = int(rng.random() * size)
    return -drawn if rng.random() < 0.04 else drawn


def _parameter(rng: Random, language: Language, described: bool) -> Parameter:
    known, draw = pools.pick(rng, made_words.PARAMETERS), rng.random()
    if draw < 0.62:
        name, label = known[0], known[0 if language == "en" else 1].replace("_", " ")
    elif draw < 0.74:
        name = label = pools.pick(rng, "abcnxyzkp")
    else:
        made = [pools.word(rng) for _ in range(1 + int(rng.random() * 1.6))]
        name, label = "_".join(made), " ".join(made)
    kind = known[2] if draw < 0.62 else pools.pick(rng, ("string", "string", "integer", "integer", "number"))
    if draw >= 0.62 and rng.random() < 0.2:
        kind = pools.pick(rng, ("choice", "texts", "integers", "object", "boolean"))
    schema, value = _kind(rng, language, kind)
    if described and rng.random() < 0.85:
        schema = {**schema, "description": label if rng.random() < 0.7 else f"{label}: {name}"}
    return Parameter(name, label, schema, value, rng.random() < 0.15)


def _portrait(rng: Random, language: Language) -> tuple[Parameter, ...]:
    at = 0 if language == "en" else 1
    called, told = pools.pick(rng, made_words.CALLED), pools.pick(rng, made_words.TOLD)
    if rng.random() < 0.3:
        called = (f"{pools.pick(rng, made_words.NOUNS)[0]}_{called[0]}", called[1])

    def about(r: Random) -> tuple[Made, str]:
        thing, town = pools.product(r, language, "train"), pools.city(r, language, "train")
        return _plain(Phrases.load("made", language).plain(r, "about", thing=thing, town=town))

    return (
        Parameter(
            called[0], called[at].replace("_", " "), {"type": "string"}, lambda r: _quoted(r, language)
        ),
        Parameter(told[0], told[at], {"type": "string"}, about, optional=rng.random() < 0.2, tells=True),
    )


def _introduced(rng: Random, language: Language) -> tuple[Parameter, ...]:
    """What something is called in a script of its own, mostly what it is, at times one thing more."""
    called, told = _portrait(rng, language)
    called = replace(
        called,
        name=f"{pools.word(rng)}_{called.name}" if rng.random() < 0.2 else called.name,
        draw=lambda r: _plain(scripts.native(r, language)[0]),
        native=True,
    )
    draw = rng.random()
    made = [called] if draw < 0.3 else [called, told]
    if draw > 0.85 or draw < 0.08:
        other = _parameter(rng, language, described=True)
        if other.label not in {each.label for each in made}:
            made.append(other)
    if rng.random() < 0.6:
        made = [replace(p, schema={**p.schema, "description": f"the {p.label}"}) for p in made]
    if rng.random() < 0.2:
        made.reverse()
    return tuple(made)


def _kind(
    rng: Random, language: Language, kind: str
) -> tuple[dict[str, Any], Callable[[Random], tuple[Made, str]]]:
    """The schema of a kind and what draws its values."""
    if kind == "choice":
        made = sorted({pools.word(rng) for _ in range(2 + int(rng.random() * 3))})
        options = list(pools.pick(rng, made_words.CHOICES[language])) if rng.random() < 0.6 else made
        return {"type": "string", "enum": options}, lambda r: _plain(pools.pick(r, options))
    if kind == "object":
        keys = [pools.pick(rng, made_words.PARAMETERS)[0 if language == "en" else 1], pools.word(rng)]
        keys = keys[: 1 + int(rng.random() * 2)]
        inner = {key: {"type": "string"} for key in keys}
        return {"type": "object", "properties": inner, "required": keys}, lambda r: _nested(r, language, keys)
    bounds = pools.pick(rng, _BOUNDS) if kind == "integer" else {}
    return _KINDS[kind][0] | bounds, lambda r: _KINDS[kind][1](r, language)


def _plain(value: str | int | float) -> tuple[Made, str]:
    return value, str(value)


def _quoted(rng: Random, language: Language) -> tuple[Made, str]:
    value = text(rng, language)
    marks = pools.pick(rng, _QUOTES[language])
    return value, f"{marks[0]}{value}{marks[1]}"


def _amount(rng: Random, language: Language) -> tuple[Made, str]:
    value = round(rng.random() * pools.pick(rng, (1, 10, 100, 1000)), pools.pick(rng, (1, 2)))
    return value, str(value)


def _yes(rng: Random, language: Language) -> tuple[Made, str]:
    value = rng.random() < 0.5
    return value, pools.pick(rng, _BOOL[language][value])


def _texts(rng: Random, language: Language) -> tuple[Made, str]:
    found = [text(rng, language) for _ in range(1 + int(rng.random() * 3))]
    return [*found], _row(found, language)


def _integers(rng: Random, language: Language) -> tuple[Made, str]:
    found = [number(rng) for _ in range(1 + int(rng.random() * 4))]
    return [*found], _row([str(each) for each in found], language)


def _row(found: Sequence[str], language: Language) -> str:
    if language == "zh":
        return "、".join(found)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"


def _nested(rng: Random, language: Language, keys: Sequence[str]) -> tuple[Made, str]:
    value = {key: text(rng, language) for key in keys}
    return value, (", " if language == "en" else "，").join(f"{key} {each}" for key, each in value.items())


_KINDS: Mapping[str, tuple[dict[str, Any], Callable[[Random, Language], tuple[Made, str]]]] = {
    "string": ({"type": "string"}, _quoted),
    "integer": ({"type": "integer"}, lambda rng, language: _plain(number(rng))),
    "number": ({"type": "number"}, _amount),
    "boolean": ({"type": "boolean"}, _yes),
    "texts": ({"type": "array", "items": {"type": "string"}}, _texts),
    "integers": ({"type": "array", "items": {"type": "integer"}}, _integers),
}
_BOUNDS: tuple[dict[str, int], ...] = (
    *[{}] * 6,
    {"minimum": -10_000, "maximum": 10_000},
    {"exclusiveMinimum": -10_000, "exclusiveMaximum": 10_000},
)
_BOOL: Mapping[Language, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (("no", "off", "false"), ("yes", "on", "true")),
    "zh": (("否", "关", "false"), ("是", "开", "true")),
}
_QUOTES: Mapping[Language, tuple[tuple[str, str], ...]] = {
    "en": (*[("", "")] * 5, ("'", "'"), ('"', '"'), ("“", "”"), ("`", "`")),
    "zh": (*[("", "")] * 5, ("“", "”"), ("「", "」"), ('"', '"'), ("《", "》")),
}
