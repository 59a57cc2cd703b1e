"""Conversations with made-up tools: what is asked is called with what is asked, and nothing else is called.

Requests are whole sentences or written as code, arguments come in quotes, with a translation beside them or
in another script; what no tool does is not done, and what one tool gives may be what another takes.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from deploy.demo.text import introduced, made_parameters, made_tools, pools, refusal, tool_results
from deploy.demo.text.made_parameters import Made, Parameter
from deploy.demo.text.made_tools import MadeTool
from deploy.demo.text.phrasing import Phrases, polish
from deploy.demo.text.sample import Language, Message
from deploy.demo.text.tool_values import Value

Row = dict[str, Any]
_Call = tuple[MadeTool, Mapping[str, Made]]


def row(rng: Random, language: Language) -> Row:
    """One conversation: ``messages`` and the client's ``tools``."""
    return _Conversation(rng, language).row()


class _Conversation:
    """A client with one to four tools, of which the first is the one that is asked for."""

    def __init__(self, rng: Random, language: Language) -> None:
        self.rng, self.language = rng, language
        self.phrases = Phrases.load("made", language)
        self.tools = made_tools.several(rng, language, pools.pick(rng, (1, 1, 1, 1, 2, 2, 3, 4)))
        self.messages: list[Message] = []
        self.calls = 0

    def row(self) -> Row:
        """The conversation."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.22:
            self._unfit()
        elif draw < 0.30 and len(self.tools) > 1:
            self._two()
        elif draw < 0.37 and len(self.tools) > 1:
            self._handed_on()
        else:
            self._one(self.tools[0])
        while self.messages[-1]["content"] and rng.random() < 0.2:
            if rng.random() < 0.15:
                self._unfit()
            else:
                self._one(pools.pick(rng, self.tools))
        tools = [dict(tool.schema) for tool in self.tools]
        rng.shuffle(tools)
        return {"messages": self.messages, "tools": tools}

    def _one(self, tool: MadeTool) -> None:
        text, arguments = self._asked(tool)
        self._user(text)
        self._call([(tool, arguments)], answered=self.rng.random() < 0.7)

    def _two(self) -> None:
        """Two requests in one message, for different tools or for one of them twice."""
        wanted = [self.tools[0], pools.pick(self.rng, self.tools)]
        asked = [self._asked(tool) for tool in wanted]
        first, second = (text for text, _ in asked)
        joint = self.phrases.plain(self.rng, "and").replace("_", " ")
        self._user(first.rstrip(".?!。？！ ") + joint + second)
        calls = [(tool, arguments) for tool, (_, arguments) in zip(wanted, asked, strict=True)]
        self._call(calls, answered=self.rng.random() < 0.7)

    def _handed_on(self) -> None:
        """What the first tool gives is an argument of the second; it is called when that is known."""
        rng = self.rng
        first, second = self.tools[:2]
        takes = [parameter for parameter in second.parameters if _is_text(parameter)]
        if not takes:
            self._one(first)
            return
        taken = takes[0]
        text, arguments = self._asked(first)
        others = {p: p.draw(rng) for p in second.parameters if p is not taken and not p.optional}
        then = self.phrases.plain(
            rng,
            "then",
            verb=second.verb,
            noun=self._noun(second),
            label=taken.label,
            more=self._more(others),
        )
        self._user(text.rstrip(".?!。？！ ") + then)
        given = made_parameters.text(rng, self.language)
        self._call([(first, arguments)], answered=False)
        self._returns([(first, arguments)], json.dumps({_key(rng): given}, ensure_ascii=False))
        values: dict[str, Made] = {taken.name: given} | {p.name: value for p, (value, _) in others.items()}
        in_order = {p.name: values[p.name] for p in second.parameters if p.name in values}
        self._call([(second, in_order)], answered=True)

    def _unfit(self) -> None:
        """Something that none of the tools does, though one may do the same to something else."""
        rng = self.rng
        if rng.random() < 0.06:
            self._user(str(refusal.sample(rng, self.language, "train").messages[0]["content"]))
        else:
            like = pools.pick(rng, self.tools) if rng.random() < 0.65 else None
            other = made_tools.tool(rng, self.language, like)
            while any(other.name == each.name or made_tools.asks_alike(other, each) for each in self.tools):
                other = made_tools.tool(rng, self.language)
            self._user(self._asked(other)[0])
        self._say(self.phrases.plain(rng, "none"))

    def _asked(self, tool: MadeTool) -> tuple[str, dict[str, Made]]:
        """A request and the arguments that it gives."""
        rng = self.rng
        if any(p.native for p in tool.parameters) and rng.random() < 0.85:
            return self._introduced(tool)
        given = [p for p in tool.parameters if not p.optional or rng.random() < 0.5]
        drawn = {parameter: parameter.draw(rng) for parameter in given}
        arguments = {parameter.name: value for parameter, (value, _) in drawn.items()}
        style = rng.random()
        if style < 0.25:
            return self.phrases.say(rng, "code", code=self._code(tool, arguments)), arguments
        if style < 0.35:
            how = self._details(drawn)
            rule = "by_name" if drawn else "by_name_bare"
            return self.phrases.say(rng, rule, name=tool.name, details=how), arguments
        titled = 0.85 if any(p.tells for p in given) else 0.6
        if style < titled and given and _is_text(given[0]):
            return self._titled(tool, drawn), arguments
        values = {"verb": tool.verb, "noun": self._noun(tool), "details": self._details(drawn)}
        return self.phrases.say(rng, "call" if drawn else "call_bare", typos=0.03, **values), arguments

    def _introduced(self, tool: MadeTool) -> tuple[str, dict[str, Made]]:
        """What is called so has a name in its own script, and what it is stands beside it."""
        rng, language = self.rng, self.language
        others = {
            p: p.draw(rng)
            for p in tool.parameters
            if not (p.native or p.tells) and (not p.optional or rng.random() < 0.5)
        }
        tells = [p for p in tool.parameters if p.tells]
        rule = "plain" if all(p.optional for p in tells) and rng.random() < 0.3 else "asked"
        more = self._more(others)
        named = introduced.something(rng, language, rule, verb=tool.verb, noun=tool.noun, more=more)
        values: dict[str, Made] = {p.name: value for p, (value, _) in others.items()}
        for p in tool.parameters:
            if p.native:
                values[p.name] = named.name
            elif p.tells and rule == "asked":
                values[p.name] = named.about
        in_order = {p.name: values[p.name] for p in tool.parameters if p.name in values}
        return polish(rng, named.sentence, language), in_order

    def _titled(self, tool: MadeTool, drawn: Mapping[Parameter, tuple[Made, str]]) -> str:
        """The first argument is what something is called, perhaps translated; the others follow."""
        rng = self.rng
        first, *rest = drawn
        value = str(drawn[first][0])
        marks = pools.pick(rng, (("'", "'"), ('"', '"'), ("“", "”"), ("", ""), ("「", "」")))
        return self.phrases.say(
            rng,
            "titled",
            verb=tool.verb,
            noun=tool.noun,
            x=f"{marks[0]}{value}{marks[1]}",
            gloss=pools.word(rng).capitalize() + " " + pools.pick(rng, ("Group", "House", "Works", "Park")),
            town=pools.city(rng, self.language, "train"),
            told="".join(self.phrases.raw(rng, "told", x=drawn[p][1]) for p in rest if p.tells),
            more=self._more({parameter: drawn[parameter] for parameter in rest if not parameter.tells}),
        )

    def _more(self, drawn: Mapping[Parameter, tuple[Made, str]]) -> str:
        return self.phrases.plain(self.rng, "more", details=self._details(drawn)) if drawn else ""

    def _details(self, drawn: Mapping[Parameter, tuple[Made, str]]) -> str:
        """Each argument by its name, or its value alone where there is but one."""
        rng, parts = self.rng, []
        if len(drawn) == 1 and rng.random() < 0.4:
            ((value, said),) = drawn.values()
            if not isinstance(value, bool | dict):
                return said
        for parameter, (_, said) in drawn.items():
            label = parameter.label if rng.random() < 0.7 else parameter.name
            parts.append(self.phrases.plain(rng, "part", label=label, x=said))
        if rng.random() < 0.15:
            rng.shuffle(parts)
        comma = ", " if self.language == "en" else "，"
        last = pools.pick(rng, (" and ", ", ")) if self.language == "en" else comma
        return comma.join(parts[:-1]) + (last if len(parts) > 1 else "") + "".join(parts[-1:])

    def _code(self, tool: MadeTool, arguments: Mapping[str, Made]) -> str:
        named = len(arguments) > 1 and self.rng.random() < 0.5
        shown = [
            (f"{name}=" if named else "") + json.dumps(value, ensure_ascii=False)
            for name, value in arguments.items()
        ]
        return f"{tool.name}({', '.join(shown)})"

    def _noun(self, tool: MadeTool) -> str:
        return f"the {tool.noun}" if self.language == "en" else tool.noun

    def _call(self, wanted: Sequence[_Call], *, answered: bool) -> None:
        self.messages.append(tool_results.calling(self.calls, [(t.name, given) for t, given in wanted]))
        self.calls += len(wanted)
        if answered:
            said = [self._returns([call], None) for call in wanted]
            self._say((" " if self.language == "en" else "").join(said))

    def _returns(self, calls: Sequence[_Call], content: str | None) -> str:
        """Append what comes back to the first of ``calls``; the answer to it."""
        rng, tool = self.rng, calls[0][0]
        answer = ""
        if content is None:
            errors = [self.phrases.plain(rng, "error", noun=tool.noun)]
            content, answer = tool_results.result(
                rng,
                Phrases.load("generic", self.language),
                tool.name,
                value=self._value,
                found=self._object,
                errors=errors,
            )
        number = sum(message["role"] == "tool" for message in self.messages)
        self.messages.append(
            {"role": "tool", "tool_call_id": f"call_{number}", "name": tool.name, "content": content}
        )
        return answer

    def _value(self) -> Value:
        rng = self.rng
        return made_parameters.number(rng) if rng.random() < 0.5 else made_parameters.text(rng, self.language)

    def _object(self, most: int) -> dict[str, Value]:
        return {_key(self.rng): self._value() for _ in range(1 + int(self.rng.random() * most))}

    def _user(self, content: str) -> None:
        self.messages.append({"role": "user", "content": content})

    def _say(self, content: str) -> None:
        self.messages.append({"role": "assistant", "content": content})


def _is_text(parameter: Parameter) -> bool:
    return parameter.schema["type"] == "string" and "enum" not in parameter.schema


def _key(rng: Random) -> str:
    return pools.word(rng) if rng.random() < 0.3 else pools.pick(rng, _KEYS)


_KEYS = (
    "result", "value", "answer", "state", "status", "id", "name", "count", "total", "place", "date", "owner",
    "message", "level", "temperature", "created_at", "unit", "title", "score", "next_step", "isOpen",
    "itemCode",
)  # fmt: skip
