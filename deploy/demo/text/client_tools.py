"""Conversations with tools that a client brings: pick the one that fits, copy the arguments, read the result.

The answer to a result says what stands in it, key by key, since the model can't know which of a stranger's
keys matters; an error is passed on in its own words, and what is missing is asked for.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from deploy.demo.text import pools, smalltalk, tool_families, tool_values
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Message, Split
from deploy.demo.text.tool_families import Tool
from deploy.demo.text.tool_values import Value

Row = dict[str, Any]


def row(rng: Random, language: Language, split: Split = "train") -> Row:
    """One conversation: ``messages`` and the client's ``tools``."""
    return _Conversation(rng, language, split).row()


class _Conversation:
    """A client with one to six tools, of which the first is the one that is asked for."""

    def __init__(self, rng: Random, language: Language, split: Split) -> None:
        self.rng, self.language, self.split = rng, language, split
        self.phrases = Phrases.load("generic", language)
        *self.tools, self.absent = _several(rng, language, split, 2 + int(rng.random() ** 1.3 * 6))
        self.messages: list[Message] = []
        self.calls = 0

    def row(self) -> Row:
        """The conversation."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.07:
            text, _ = self._asked(self.absent)
            self._user(text)
            self._say(self.phrases.plain(rng, "none"))
        elif draw < 0.11:
            self.messages += smalltalk.sample(rng, self.language, self.split).messages[:2]
        elif draw < 0.21:
            self._lacking(self.tools[0])
        elif draw < 0.27:
            self._two()
        else:
            self._one(self.tools[0])
        if self.calls and rng.random() < 0.15 and self.messages[-1].get("content"):
            self._one(pools.pick(rng, self.tools))
        tools = [tool.schema for tool in self.tools]
        rng.shuffle(tools)
        return {"messages": self.messages, "tools": tools}

    def _asked(self, tool: Tool) -> tuple[str, dict[str, Value]]:
        filled = tool_families.values(self.rng, tool, self.language, self.split)
        return tool_families.request(self.rng, tool, self.language, filled)

    def _one(self, tool: Tool) -> None:
        text, arguments = self._asked(tool)
        self._user(text)
        self._call([(tool, arguments)])

    def _two(self) -> None:
        """Two requests in one message: two calls at once."""
        wanted = [self.tools[0], pools.pick(self.rng, self.tools)]
        asked = [self._asked(tool) for tool in wanted]
        joint = pools.pick(self.rng, _JOINTS[self.language])
        first, second = (text for text, _ in asked)
        self._user(first.rstrip(".?!。？！ ") + joint + second)
        self._call([(tool, arguments) for tool, (_, arguments) in zip(wanted, asked, strict=True)])

    def _lacking(self, tool: Tool) -> None:
        """What is required is missing: it is asked for, one after the other, and mostly given."""
        text = tool_families.lacking(self.rng, tool, self.language)
        if text is None:
            self._one(tool)
            return
        self._user(text)
        filled = tool_families.values(self.rng, tool, self.language, self.split)
        needed = [p for p in tool.family.parameters if not p.optional and p.slot in tool.names]
        arguments: dict[str, Value] = {}
        for parameter in needed:
            name = tool.names[parameter.slot]
            self._say(self.phrases.plain(self.rng, "ask_for", x=spoken_key(name)))
            if self.rng.random() < 0.15:
                return
            arguments[name] = filled[parameter.slot]
            self._user(self.phrases.say(self.rng, "give", x=tool_values.written(arguments[name])))
        self._call([(tool, arguments)])

    def _call(self, wanted: Sequence[tuple[Tool, Mapping[str, Value]]]) -> None:
        made: list[Message] = []
        for tool, arguments in wanted:
            made.append(
                {
                    "type": "function",
                    "id": f"call_{self.calls}",
                    "function": {"name": tool.name, "arguments": dict(arguments)},
                }
            )
            self.calls += 1
        self.messages.append({"role": "assistant", "content": "", "tool_calls": made})
        if self.rng.random() < 0.25:
            return
        said = []
        for call, (tool, _) in zip(made, wanted, strict=True):
            content, answer = self._result(tool)
            self.messages.append(
                {"role": "tool", "tool_call_id": call["id"], "name": tool.name, "content": content}
            )
            said.append(answer)
        self._say((" " if self.language == "en" else "").join(said))

    def _result(self, tool: Tool) -> tuple[str, str]:
        """What the tool gives back, and what is said of it."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.12:
            message = pools.pick(rng, tool.family.errors[self.language])
            content = pools.pick(rng, _ERRORS).format(json.dumps(message, ensure_ascii=False), message)
            return content, self.phrases.plain(rng, "failed", x=message)
        if draw < 0.16:
            return pools.pick(rng, _EMPTY), self.phrases.plain(rng, "empty")
        if draw < 0.30:
            value = self._value(tool)
            content = pools.pick(rng, _SINGLE).format(
                json.dumps(value, ensure_ascii=False), tool_values.written(value)
            )
            return content, self.phrases.plain(rng, "result", name=tool.name, x=spoken(value, self.language))
        if draw < 0.42:
            found = [self._object(tool, 3) for _ in range(1 + int(rng.random() * 3))]
            content = _dumped(rng, {pools.pick(rng, _LISTS): found} if rng.random() < 0.6 else found)
            said = "; ".join(self._said(each) for each in found)
            return content, self.phrases.plain(rng, "found", x=said)
        result = self._object(tool, 6)
        content = _dumped(rng, {pools.pick(rng, _WRAPPERS): result} if rng.random() < 0.1 else result)
        return content, self.phrases.plain(rng, "found", x=self._said(result))

    def _object(self, tool: Tool, most: int) -> dict[str, Value]:
        """Some of the family's keys; at times one that nobody expects."""
        rng = self.rng
        kinds = list(tool.family.result.items())
        rng.shuffle(kinds)
        found = {
            key: tool_values.value(rng, kind[self.language], self.language, self.split)
            for key, kind in kinds[: 1 + int(rng.random() * min(most, len(kinds)))]
        }
        if rng.random() < 0.3:
            found[pools.word(rng)] = self._value(tool)
        return found

    def _value(self, tool: Tool) -> Value:
        kind = pools.pick(self.rng, list(tool.family.result.values()))
        return tool_values.value(self.rng, kind[self.language], self.language, self.split)

    def _said(self, found: Mapping[str, Value]) -> str:
        comma, mark = (", ", " ") if self.language == "en" else ("，", " ")
        said = ((spoken_key(key), spoken(value, self.language)) for key, value in found.items())
        return comma.join(mark.join(pair) for pair in said)

    def _user(self, content: str) -> None:
        self.messages.append({"role": "user", "content": content})

    def _say(self, content: str) -> None:
        self.messages.append({"role": "assistant", "content": content})


def _several(rng: Random, language: Language, split: Split, count: int) -> list[Tool]:
    """``count`` tools of as many families, no two of one name."""
    families = list(tool_families.families(split))
    rng.shuffle(families)
    count = min(count, len(families))
    drawn = [tool_families.drawn(rng, each, language) for each in families[:count]]
    made = {tool.name: tool for tool in drawn}
    return list(made.values()) if len(made) == count else _several(rng, language, split, count)


def spoken_key(key: str) -> str:
    """A key as words: ``wind_speed`` and ``windSpeed`` are ``wind speed``."""
    parted = "".join(f" {mark.lower()}" if mark.isupper() and at else mark for at, mark in enumerate(key))
    return parted.replace("_", " ") if not key.isupper() else key


def spoken(value: Value, language: Language) -> str:
    """A value as an answer says it: as JSON writes it, but true and false in words."""
    if isinstance(value, bool):
        return _BOOL[language][value]
    return str(value)


def _dumped(rng: Random, result: Any) -> str:
    indent = 2 if rng.random() < 0.1 else None
    tight = (",", ":") if indent is None and rng.random() < 0.25 else None
    return json.dumps(result, ensure_ascii=False, indent=indent, separators=tight)


_BOOL: Mapping[Language, tuple[str, str]] = {"en": ("no", "yes"), "zh": ("否", "是")}
_JOINTS: Mapping[Language, tuple[str, ...]] = {
    "en": (" and ", ", and ", ", also ", ". ", ". And "),
    "zh": ("，", "，还有", "，另外", "。", "，顺便"),
}
_ERRORS = (
    '{{"error": {0}}}',
    '{{"status": "error", "message": {0}}}',
    "error: {1}",
    "Error: {1}",
    '{{"detail": {0}}}',
)
_EMPTY = ("[]", '{"results": []}', '{"items": []}', "null", "")
_SINGLE = ('{{"result": {0}}}', '{{"value": {0}}}', '{{"answer": {0}}}', "{1}", "{1}")
_LISTS = ("results", "items", "data", "matches", "entries")
_WRAPPERS = ("result", "data", "response")
