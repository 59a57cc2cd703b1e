"""JSON as a request asks for it: with the keys that it names, of what it says or of what the demo can say.

No schema guides these answers, and no key means anything by itself: keys are words in use or made up, and
which of them holds what stands in the request, or follows from their order.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from deploy.demo.text import introduced, made_parameters, pools, smalltalk
from deploy.demo.text.phrasing import Phrases, polish
from deploy.demo.text.sample import Language

Row = dict[str, Any]
_FILE = Path(__file__).parent / "phrases" / "riddles.yaml"


def row(rng: Random, language: Language) -> Row:
    """One request for JSON and its answer."""
    phrases = Phrases.load("json_asked", language)
    (make,) = rng.choices([make for _, make in _KINDS], [share for share, _ in _KINDS])
    question, answer = make(rng, phrases)
    text = polish(rng, question.replace("\\n", "\n"), language)
    return {
        "messages": [
            {"role": "user", "content": text},
            {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)},
        ]
    }


def _riddle(rng: Random, phrases: Phrases) -> tuple[str, Any]:
    """A joke of two parts about something; the first part goes to the first key, unless it is said."""
    topic = _topic(rng, phrases.language)
    parts = [part.format(x=topic[0]) for part in pools.pick(rng, _riddles()[phrases.language])]
    first, second = pools.pick(rng, _PAIRS) if rng.random() < 0.6 else _keys(rng, phrases.language, 2)
    question = phrases.raw(rng, "riddle", x=topic[1])
    if rng.random() < 0.25:
        how = phrases.raw(rng, "two_parts", a=_key_said(rng, first), b=_key_said(rng, second))
        return _put(rng, phrases, question, how), {first: parts[0], second: parts[1]}
    return _asked(rng, phrases, question, (first, second)), {first: parts[0], second: parts[1]}


def _talk(rng: Random, phrases: Phrases) -> tuple[str, Any]:
    """Small talk whose answer goes under one key."""
    topic = pools.pick(rng, smalltalk.TOPICS)
    said, answer = smalltalk.exchange(rng, phrases.language, "train", topic)
    (key,) = (pools.pick(rng, _REPLIES),) if rng.random() < 0.5 else _keys(rng, phrases.language, 1)
    return _asked(rng, phrases, _whole(said["content"]), (key,)), {key: answer["content"]}


def _facts(rng: Random, phrases: Phrases) -> tuple[str, Any]:
    """Somebody or something in a sentence; keys that say by themselves what they hold, or are explained."""
    language = phrases.language
    person = rng.random() < 0.6
    size = pools.pick(rng, (100, 100, 1000, 10_000))
    number = 1 + int(rng.random() * (90 if person else size))
    named = pools.person(rng, language, "train") if person else pools.product(rng, language, "train")
    town = pools.city(rng, language, "train")
    kind, roles = ("person", ("who", "n", "town")) if person else ("thing", ("thing", "price", "town"))
    told = phrases.raw(rng, kind, who=named, thing=named, n=str(number), town=town)
    held: dict[str, str | int] = dict(zip(roles, (named, number, town), strict=True))
    wanted = rng.sample(roles, 1 + int(rng.random() * 3))
    if rng.random() < 0.45:
        keys = _keys(rng, language, len(wanted))
        meant = [
            phrases.raw(rng, "meant", key=_key_said(rng, key), role=phrases.raw(rng, f"role_{role}"))
            for key, role in zip(keys, wanted, strict=True)
        ]
        question = _put(rng, phrases, told, _comma(rng, language).join(meant))
    else:
        keys = [pools.pick(rng, _ROLE_KEYS[role][language]) for role in wanted]
        question = _asked(rng, phrases, told, keys)
    return question, {key: held[role] for key, role in zip(keys, wanted, strict=True)}


def _introduced(rng: Random, phrases: Phrases) -> tuple[str, Any]:
    """Something with a name in a script of its own, and what it is: one of them is wanted, or both."""
    language = phrases.language
    named = introduced.something(rng, language, "told")
    held = {"native": named.name, "about": named.about}
    wanted = pools.pick(rng, (("native",), ("native", "about"), ("about", "native")))
    keys = [pools.pick(rng, _ROLE_KEYS[role][language]) for role in wanted]
    found = {key: held[role] for key, role in zip(keys, wanted, strict=True)}
    if rng.random() < 0.25:
        kinds = {key: {"type": "string"} for key in keys}
        schema = {"type": "object", "properties": kinds, "required": keys}
        how = phrases.raw(rng, "schema", schema=json.dumps(schema, ensure_ascii=False))
        return _beside(rng, phrases, named.sentence, how), found
    return _asked(rng, phrases, named.sentence, keys), found


def _schema(rng: Random, phrases: Phrases) -> tuple[str, Any]:
    """A schema in the request itself, and a sentence that fills it."""
    language = phrases.language
    named, town = pools.person(rng, language, "train"), pools.city(rng, language, "train")
    number = 1 + int(rng.random() * 99)
    told = phrases.raw(rng, "person", who=named, n=str(number), town=town)
    held: dict[str, str | int] = {"who": named, "n": number, "town": town}
    wanted = rng.sample(("who", "n", "town"), 1 + int(rng.random() * 3))
    found = {pools.pick(rng, _ROLE_KEYS[role][language]): held[role] for role in wanted}
    kinds = {key: {"type": "integer" if isinstance(x, int) else "string"} for key, x in found.items()}
    schema: dict[str, Any] = {"type": "object", "properties": kinds}
    if rng.random() < 0.7:
        schema["required"] = list(found)
    how = phrases.raw(rng, "schema", schema=json.dumps(schema, ensure_ascii=False))
    return _beside(rng, phrases, told, how), found


def _literals(rng: Random, phrases: Phrases) -> tuple[str, Any]:
    """Keys with the values that the request gives them."""
    language = phrases.language
    found: dict[str, Any] = {}
    said = []
    for key in _keys(rng, language, 1 + int(rng.random() * 4)):
        if (draw := rng.random()) < 0.2:
            found[key], shown = pools.pick(rng, ((True, "true"), (False, "false"), (None, "null")))
        elif draw < 0.5:
            found[key] = made_parameters.number(rng)
            shown = str(found[key])
        else:
            found[key] = shown = made_parameters.text(rng, language)
        said.append(phrases.raw(rng, "literal", key=_key_said(rng, key), x=shown))
    return phrases.raw(rng, "as_json", what=_comma(rng, language).join(said)), found


def _array(rng: Random, phrases: Phrases) -> tuple[str, Any]:
    """A list, bare or under a key."""
    found = [made_parameters.text(rng, phrases.language) for _ in range(1 + int(rng.random() * 5))]
    shown = ("、" if phrases.language == "zh" else ", ").join(found)
    if rng.random() < 0.4:
        return phrases.raw(rng, "array", x=shown), found
    (key,) = _keys(rng, phrases.language, 1)
    return phrases.raw(rng, "listed", key=_key_said(rng, key), x=shown), {key: found}


def _asked(rng: Random, phrases: Phrases, told: str, keys: Sequence[str]) -> str:
    """``told`` and how it is wanted: the keys in a row, or the form of the answer."""
    if rng.random() < 0.18:
        form = "{" + ", ".join(f'"{key}": {pools.pick(rng, _OPEN)}' for key in keys) + "}"
        return _beside(rng, phrases, told, phrases.raw(rng, "shape", form=form))
    marks = pools.pick(rng, _MARKS)
    shown = [f"{marks[0]}{key}{marks[1]}" for key in keys]
    if phrases.language == "zh":
        last = pools.pick(rng, ("和", "、", "与", ","))
        listed = "、".join(shown[:-1]) + (last if len(keys) > 1 else "") + shown[-1]
    else:
        last = pools.pick(rng, (" and ", " and ", ", ", " & "))
        listed = ", ".join(shown[:-1]) + (last if len(keys) > 1 else "") + shown[-1]
    rule = "keys" if len(keys) > 1 else "keys_one"
    return _put(rng, phrases, told, phrases.raw(rng, rule, list=listed))


def _put(rng: Random, phrases: Phrases, told: str, what: str) -> str:
    return _beside(rng, phrases, told, phrases.raw(rng, "as_json", what=what))


def _beside(rng: Random, phrases: Phrases, told: str, how: str) -> str:
    """``told``, and before or behind it how the answer is wanted."""
    space = " " if phrases.language == "en" else ""
    only = phrases.raw(rng, "only")
    told = told if told.rstrip("\x03")[-1:] in ".?!。？！" else told + ("." if space else "。")
    how = how if how[-1:] in ".。}" or not only else how + ("." if space else "。")
    joint = pools.pick(rng, (space, space, "\n"))
    if rng.random() < 0.25:
        return f"{how}{space}{only}\n{told}"
    return f"{told}{joint}{how}{space}{only}"


def _keys(rng: Random, language: Language, count: int) -> list[str]:
    """Keys of any kind: words in use or made up, two of them joined, in Chinese letters."""
    keys: dict[str, None] = {}
    while len(keys) < count:
        draw = rng.random()
        if language == "zh" and draw < 0.25:
            keys[pools.hanzi(rng, 2)] = None
        elif draw < 0.6:
            keys[pools.pick(rng, _WORDS)] = None
        elif draw < 0.7:
            keys[f"{pools.pick(rng, _WORDS)}_{pools.pick(rng, _WORDS)}"] = None
        else:
            keys[pools.word(rng)] = None
    return list(keys)


def _key_said(rng: Random, key: str) -> str:
    marks = pools.pick(rng, _MARKS)
    return f"\x02{marks[0]}{key}{marks[1]}\x03"


def _whole(text: str) -> str:
    return f"\x02{text}\x03"


def _comma(rng: Random, language: Language) -> str:
    return pools.pick(rng, (", ", "; ", " and ") if language == "en" else ("，", "；", "，"))


def _topic(rng: Random, language: Language) -> tuple[str, str]:
    """What a joke is about: as one of it is called, and as all of it is."""
    if language == "zh":
        topic = pools.pick(rng, _TOPICS["zh"]) if rng.random() < 0.6 else pools.product(rng, "zh", "train")
        return topic, topic
    topic = pools.pick(rng, _TOPICS["en"]) if rng.random() < 0.6 else pools.word(rng)
    return topic, pools.pick(rng, (f"{topic}s", f"{topic}s", f"{topic}s", f"a {topic}", f"the {topic}"))


@cache
def _riddles() -> Mapping[Language, list[list[str]]]:
    read: Mapping[Language, list[list[str]]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return read


_KINDS: tuple[tuple[float, Callable[[Random, Phrases], tuple[str, Any]]], ...] = (
    (0.26, _riddle),
    (0.11, _talk),
    (0.23, _facts),
    (0.10, _introduced),
    (0.08, _schema),
    (0.14, _literals),
    (0.08, _array),
)
_MARKS = (("", ""), ("", ""), ("'", "'"), ("'", "'"), ('"', '"'), ("`", "`"), ("`", "`"), ("“", "”"))
_PAIRS = (
    ("question", "answer"), ("opening", "ending"), ("first", "second"), ("q", "a"), ("one", "two"),
    ("part1", "part2"), ("lead", "reply"), ("start", "end"), ("line", "twist"), ("riddle", "solution"),
)  # fmt: skip
_OPEN = ("...", "…", "?", '""')  # what stands in a form for what is to come
_REPLIES = ("reply", "answer", "text", "message", "response", "content", "output", "say")
_ROLE_KEYS: Mapping[str, Mapping[Language, tuple[str, ...]]] = {
    "who": {"en": ("name", "person", "full_name", "who"), "zh": ("name", "姓名", "名字", "person")},
    "native": {"en": ("name", "title", "called", "full_name"), "zh": ("name", "名称", "名字", "title")},
    "about": {
        "en": ("description", "about", "summary", "what"),
        "zh": ("description", "简介", "说明", "about"),
    },
    "n": {"en": ("age", "years", "age_in_years"), "zh": ("age", "年龄", "岁数")},
    "town": {"en": ("city", "town", "place", "location"), "zh": ("city", "城市", "地点", "place")},
    "thing": {"en": ("product", "thing", "item", "article"), "zh": ("product", "商品", "物品", "item")},
    "price": {"en": ("price", "cost", "amount"), "zh": ("price", "价格", "金额")},
}
_WORDS = (
    "alpha", "beta", "main", "other", "left", "right", "title", "body", "head", "tail", "ok", "status",
    "code", "note", "label", "total", "level", "colour", "owner", "subject", "detail", "summary", "data",
    "name", "value", "key", "id", "index", "source", "target", "first", "last", "top", "line", "part", "word",
    "x", "y", "kind",
)  # fmt: skip
_TOPICS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        "dog", "horse", "robot", "doctor", "bear", "tree", "bicycle", "teacher", "cow", "computer", "train",
        "banana", "parcel", "courier", "letter", "bird", "clock", "kettle", "chair", "king", "pirate", "frog",
        "elephant", "cake", "phone", "ghost", "farmer", "snail", "duck", "car", "lawyer", "penguin", "cook",
    ),
    "zh": (
        "狗", "马", "机器人", "医生", "熊", "树", "自行车", "老师", "牛", "电脑", "火车", "香蕉", "包裹",
        "信", "鸟", "闹钟", "茶壶", "椅子", "国王", "海盗", "青蛙", "大象", "蛋糕", "手机", "农夫", "蜗牛",
        "快递员", "鸭子",
    ),
}  # fmt: skip
