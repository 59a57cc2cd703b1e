"""Rows that teach skills and no facts: copying, looking up, spelling, calling tools nobody has seen.

A base of this size learns to copy an unseen name only if it copies many random ones; the words, keys and
tools here are made up anew for every row.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from deploy.demo.text import goods, pools
from deploy.demo.text.phrasing import Phrases, polish
from deploy.demo.text.sample import Language, Message

Row = dict[str, Any]
_PLACES = {
    "en": ("first", "second", "third", "fourth", "fifth", "last"),
    "zh": ("一", "二", "三", "四", "五", "六"),
}


def row(rng: Random, language: Language) -> Row:
    """One conversation of a random skill: ``messages`` and, for tool calls, ``tools``."""
    phrases = Phrases.load("generic", language)
    draw = rng.random()
    for share, make in _SKILLS:
        draw -= share
        if draw < 0:
            return make(rng, phrases)
    return _SKILLS[0][1](rng, phrases)


def call(rng: Random, language: Language) -> Row:
    """One conversation with tools that do anything to anything."""
    return _call(rng, Phrases.load("generic", language))


def _thing(rng: Random, language: Language) -> str:
    """Something to copy: a word, a code, a number, a name."""
    draw = rng.random()
    if draw < 0.35:
        return (
            pools.word(rng)
            if language == "en" or draw < 0.08
            else pools.hanzi(rng, 1 + int(rng.random() * 5))
        )
    if draw < 0.50:
        return pools.code(rng)
    if draw < 0.65:
        return str(int(10 ** (rng.random() * 9)))
    if draw < 0.75:
        return pools.person(rng, language, "train")
    if draw < 0.85:
        return pools.city(rng, language, "train")
    return pools.product(rng, language, "train")


def _exchange(question: str, answer: str) -> Row:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def _copy(rng: Random, phrases: Phrases) -> Row:
    joint = pools.pick(rng, [" ", " ", ", ", "、" if phrases.language == "zh" else " - "])
    text = joint.join(_thing(rng, phrases.language) for _ in range(1 + int(rng.random() ** 2 * 9)))
    return _exchange(phrases.say(rng, "copy", x=text).replace("\\n", "\n"), text)


def _spell(rng: Random, phrases: Phrases) -> Row:
    if phrases.language == "zh":
        text = pools.hanzi(rng, 2 + int(rng.random() * 6))
    else:
        text = pools.word(rng) if rng.random() < 0.6 else pools.pick(rng, goods.THINGS)
    return _exchange(phrases.say(rng, "spell", x=text), "-".join(text))


def _pick(rng: Random, phrases: Phrases) -> Row:
    count = 3 + int(rng.random() * 3)
    things = [_thing(rng, phrases.language) for _ in range(count)]
    at = int(rng.random() * count)
    places = _PLACES[phrases.language]
    place = places[-1] if phrases.language == "en" and at == count - 1 and rng.random() < 0.7 else places[at]
    shown = (", " if phrases.language == "en" else "、").join(things)
    return _exchange(phrases.say(rng, "pick", x=shown, place=place).replace("\\n", "\n"), things[at])


def _lookup(rng: Random, phrases: Phrases) -> Row:
    key = phrases.plain(rng, "key")
    names = {
        pools.person(rng, phrases.language, "train"): _thing(rng, phrases.language)
        for _ in range(2 + int(rng.random() * 4))
    }
    facts = [phrases.raw(rng, "fact", key=key, who=who, x=value) for who, value in names.items()]
    who = pools.pick(rng, list(names))
    text = phrases.raw(
        rng, "lookup", facts=(" " if phrases.language == "en" else "").join(facts), who=who, key=key
    )
    return _exchange(polish(rng, text.replace("\\n", "\n"), phrases.language), names[who])


def _fill(rng: Random, phrases: Phrases) -> Row:
    keys = list({phrases.plain(rng, "key"): None for _ in range(1 + int(rng.random() * 4))})
    values: dict[str, str | int] = {}
    for key in keys:
        thing = _thing(rng, phrases.language)
        values[key] = int(thing) if thing.isdecimal() else thing
    parts = [phrases.raw(rng, "part", key=key, x=str(value)) for key, value in values.items()]
    rng.shuffle(parts)
    comma = pools.pick(rng, [", ", "; ", ", "] if phrases.language == "en" else ["，", "；", "，"])
    text = phrases.raw(rng, "fill", keys=comma.join(keys), x=comma.join(parts)).replace("\\n", "\n")
    return _exchange(polish(rng, text, phrases.language), json.dumps(values, ensure_ascii=False))


_VERBS = (
    ("find", "查找"), ("open", "打开"), ("send", "发送"), ("check", "检查"), ("create", "创建"),
    ("cancel", "取消"), ("update", "更新"), ("count", "统计"), ("start", "启动"), ("stop", "停止"),
    ("book", "预订"), ("print", "打印"), ("move", "移动"), ("lock", "锁定"), ("list", "列出"),
    ("read", "读取"), ("save", "保存"), ("delete", "删除"), ("rename", "重命名"), ("measure", "测量"),
)  # fmt: skip
_NOUNS = (
    ("invoice", "发票"), ("door", "门"), ("ticket", "票"), ("room", "房间"), ("message", "消息"),
    ("engine", "发动机"), ("report", "报告"), ("account", "账户"), ("meeting", "会议"), ("order", "订单"),
    ("lamp", "灯"), ("file", "文件"), ("route", "路线"), ("label", "标签"), ("shelf", "货架"),
    ("customer", "客户"), ("sensor", "传感器"), ("note", "便条"), ("machine", "机器"), ("stock", "库存"),
)  # fmt: skip
_PARAMETERS = (
    ("name", "名字", "string"), ("city", "城市", "string"), ("code", "代码", "string"),
    ("number", "号码", "integer"), ("amount", "数量", "integer"), ("title", "标题", "string"),
    ("owner", "主人", "string"), ("level", "级别", "integer"), ("colour", "颜色", "string"),
    ("target", "目标", "string"), ("minutes", "分钟数", "integer"), ("key", "键", "string"),
    ("label", "标签", "string"), ("size", "大小", "integer"), ("reason", "原因", "string"),
)  # fmt: skip


def _tool(rng: Random, language: Language) -> tuple[Row, str, str, list[tuple[str, str, str]]]:
    """A made-up tool: its schema, how one says its verb and noun, and its parameters."""
    at = 0 if language == "en" else 1
    verb, noun = pools.pick(rng, _VERBS), pools.pick(rng, _NOUNS)
    made = pools.word(rng)
    named = (made, pools.hanzi(rng, 2)) if rng.random() < 0.35 else noun
    parameters = rng.sample(_PARAMETERS, int(rng.random() * 4))
    said_noun = ("the " if language == "en" else "") + named[at]
    schema = {
        "type": "function",
        "function": {
            "name": f"{verb[0]}_{named[0]}",
            "description": f"{verb[0].capitalize()} the {named[0]}."
            if language == "en"
            else f"{verb[1]}{named[1]}。",
            "parameters": {
                "type": "object",
                "properties": {
                    name: {"type": kind, "description": (name, chinese)[at]}
                    for name, chinese, kind in parameters
                },
                "required": [name for name, _, _ in parameters],
            },
        },
    }
    return schema, verb[at], said_noun, parameters


def _call(rng: Random, phrases: Phrases) -> Row:
    language = phrases.language
    at = 0 if language == "en" else 1
    made = [_tool(rng, language) for _ in range(1 + int(rng.random() * 4))]
    tools = [each[0] for each in made]
    names = [tool["function"]["name"] for tool in tools]
    schema, verb, noun, parameters = made[0]
    rng.shuffle(tools)
    if rng.random() < 0.12:
        other = _tool(rng, language)
        if other[0]["function"]["name"] not in names and not any(other[2] == each[2] for each in made):
            return {
                **_exchange(
                    phrases.say(rng, "nofit", verb=other[1], noun=other[2]), phrases.plain(rng, "none")
                ),
                "tools": tools,
            }
    if len(set(names)) < len(names) or len({each[1:3] for each in made}) < len(made):
        return _call(rng, phrases)
    arguments: Row = {}
    parts = []
    for parameter in parameters:
        value: str | int = (
            int(10 ** (rng.random() * 4)) if parameter[2] == "integer" else _text(rng, language)
        )
        arguments[parameter[0]] = value
        said = parameter[at]
        form = (
            ["{} {}", "{} {}", "{}: {}", "{} = {}"]
            if language == "en"
            else ["{}是{}", "{}：{}", "{} {}", "{}为{}"]
        )
        parts.append(pools.pick(rng, form).format(said, value))
    if parameters:
        comma, last = (", ", pools.pick(rng, [" and ", ", "])) if language == "en" else ("，", "，")
        text = comma.join(parts[:-1]) + (last if len(parts) > 1 else "") + parts[-1]
        lead = pools.pick(rng, [" with ", " using ", ", ", " for "]) if language == "en" else ""
        question = phrases.say(rng, "call", verb=verb, noun=noun, details=text, with_details=lead + text)
    else:
        question = phrases.say(rng, "call_bare", verb=verb, noun=noun)
    name = schema["function"]["name"]
    messages: list[Message] = [
        {"role": "user", "content": question},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"type": "function", "id": "call_0", "function": {"name": name, "arguments": arguments}}
            ],
        },
    ]
    if rng.random() < 0.6:
        value = _thing(rng, language)
        result = json.dumps(
            {pools.pick(rng, ["result", "value", "answer", "state"]): value}, ensure_ascii=False
        )
        messages += [
            {"role": "tool", "tool_call_id": "call_0", "name": name, "content": result},
            {"role": "assistant", "content": phrases.plain(rng, "result", name=name, x=value)},
        ]
    return {"messages": messages, "tools": tools}


def _text(rng: Random, language: Language) -> str:
    while (thing := _thing(rng, language)).isdecimal():
        pass
    return thing


_SKILLS: tuple[tuple[float, Callable[[Random, Phrases], Row]], ...] = (
    (0.24, _copy),
    (0.06, _spell),
    (0.08, _pick),
    (0.15, _lookup),
    (0.15, _fill),
    (0.32, _call),
)
