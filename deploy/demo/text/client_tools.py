"""Conversations with tools that a client brings: pick the one that fits, copy the arguments, read the result.

The answer to a result says what stands in it, an error is passed on in its own words, what is missing is
asked for, and where no tool fits, nothing is called.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from deploy.demo.text import pools, refusal, smalltalk, tool_families, tool_results, tool_values
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Message, Split
from deploy.demo.text.tool_families import Family, Tool
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
        *self.tools, self.absent = _several(rng, language, split, 2 + int(rng.random() ** 1.5 * 6))
        self.messages: list[Message] = []
        self.calls = 0

    def row(self) -> Row:
        """The conversation."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.17:
            self._unfit()
        elif draw < 0.22:
            self.messages += smalltalk.sample(rng, self.language, self.split).messages[:2]
        elif draw < 0.31:
            self._lacking(self.tools[0])
        elif draw < 0.39:
            self._two()
        else:
            self._one(self.tools[0])
        if self.calls and rng.random() < 0.2 and self.messages[-1].get("content"):
            if rng.random() < 0.15:
                self._unfit()
            else:
                self._one(pools.pick(rng, self.tools))
        tools = [tool.schema for tool in self.tools]
        rng.shuffle(tools)
        return {"messages": self.messages, "tools": tools}

    def _unfit(self) -> None:
        """Something that none of the tools does, though one may take the same or be called alike."""
        rng, draw = self.rng, self.rng.random()
        if any(tool.family.takes_anything for tool in self.tools):
            self._one(pools.pick(rng, self.tools))
            return
        if draw < 0.15 and (elsewhere := self._elsewhere()):
            text = elsewhere
        elif draw < 0.6:
            near = _near(self.tools, self.split)
            text, _ = self._asked(tool_families.drawn(rng, pools.pick(rng, near), self.language))
        else:
            text, _ = self._asked(self.absent)
        self._user(text)
        self._say(self.phrases.plain(rng, "none"))

    def _elsewhere(self) -> str | None:
        """A request of another world that none of the tools may be for; None where none was drawn."""
        for _ in range(20):
            text = str(refusal.sample(self.rng, self.language, self.split).messages[0]["content"])
            if not any(tool_families.concerns(tool.family, text, self.language) for tool in self.tools):
                return text
        return None

    def _asked(self, tool: Tool) -> tuple[str, dict[str, Value]]:
        filled = tool_families.values(self.rng, tool, self.language, self.split)
        return tool_families.request(self.rng, tool, self.language, filled)

    def _one(self, tool: Tool) -> None:
        text, arguments = self._asked(tool)
        self._user(text)
        self._called([[(tool, arguments)]])

    def _two(self) -> None:
        """Two requests in one message: two calls at once, or one after the other."""
        rng = self.rng
        wanted = [self.tools[0], pools.pick(rng, self.tools)]
        asked = [self._asked(tool) for tool in wanted]
        in_turn = rng.random() < 0.35
        joint = pools.pick(rng, (_IN_TURN if in_turn else _JOINTS)[self.language])
        first, second = (text for text, _ in asked)
        self._user(first.rstrip(".?!。？！ ") + joint + second)
        calls = [(tool, arguments) for tool, (_, arguments) in zip(wanted, asked, strict=True)]
        self._called([[call] for call in calls] if in_turn else [calls])

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
            self._say(self.phrases.plain(self.rng, "ask_for", x=tool_results.spoken_key(name)))
            if self.rng.random() < 0.15:
                return
            arguments[name] = filled[parameter.slot]
            self._user(self.phrases.say(self.rng, "give", x=tool_values.written(arguments[name])))
        self._called([[(tool, arguments)]])

    def _called(self, rounds: Sequence[Sequence[tuple[Tool, Mapping[str, Value]]]]) -> None:
        """The calls of each round and what comes back; all of it is said at the end."""
        said: list[str] = []
        for wanted in rounds:
            message = tool_results.calling(self.calls, [(tool.name, given) for tool, given in wanted])
            self.calls += len(wanted)
            self.messages.append(message)
            if len(rounds) == 1 and self.rng.random() < 0.2:
                return
            for call, (tool, _) in zip(message["tool_calls"], wanted, strict=True):
                content, answer = self._result(tool)
                self.messages.append(
                    {"role": "tool", "tool_call_id": call["id"], "name": tool.name, "content": content}
                )
                said.append(answer)
        self._say((" " if self.language == "en" else "").join(said))

    def _result(self, tool: Tool) -> tuple[str, str]:
        errors = tool.family.errors[self.language]
        return tool_results.result(
            self.rng,
            self.phrases,
            tool.name,
            value=lambda: self._value(tool),
            found=lambda most: self._object(tool, most),
            errors=errors,
        )

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


def _near(tools: Sequence[Tool], split: Split) -> list[Family]:
    """The ten families that take and do what is most like the first of ``tools``, without any of them."""
    own = [tool.family for tool in tools]
    words = _words(own[0])
    others = [family for family in tool_families.families(split) if family not in own]
    return sorted(others, key=lambda family: -len(words & _words(family)))[:10]


def _words(family: Family) -> set[str]:
    slots = {parameter.slot for parameter in family.parameters}
    return slots | {word for name in family.names for word in tool_results.spoken_key(name).split()}


_JOINTS: Mapping[Language, tuple[str, ...]] = {
    "en": (" and ", ", and ", ", also ", ". ", ". And "),
    "zh": ("，", "，还有", "，另外", "。", "，顺便"),
}
_IN_TURN: Mapping[Language, tuple[str, ...]] = {
    "en": (", then ", " and then ", ". Then ", ". After that, ", "; when that is done, "),
    "zh": ("，然后", "，再", "。然后", "。之后", "，完了以后"),
}
