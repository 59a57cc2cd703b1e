"""The actions that a turn of the written form of ReAct names, and their inputs, as they come in pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chains.action_input import final_answer
from chains.labels import Label

BLANK = re.compile(r"[\s`*]*(?:json)?[\s`*]*")  # an action of which only the fence has come


@dataclass(frozen=True, slots=True)
class Action:
    """A tool that the model names, and its input as it wrote it; None: it wrote none."""

    name: str
    written: str | None


class Actions:
    """What stands behind the labels of actions and inputs, in order; ``tools`` are the names there are."""

    def __init__(self, tools: Sequence[str]) -> None:
        self._tools = tools
        self._fields: list[tuple[Label, str]] = []
        self._bracketed = False  # True: a bracket was open before a label

    def __bool__(self) -> bool:
        return bool(self._fields)

    @property
    def last(self) -> str:
        """What stands behind the last label; empty without any."""
        return self._fields[-1][1] if self._fields else ""

    @property
    def calls(self) -> list[Action]:
        """The tools that are named, in order."""
        return [action for action in self._named() if self._answer_in(action) is None]

    @property
    def answer(self) -> str | None:
        """The answer of a turn whose only action is to give it."""
        named = [self._answer_in(action) for action in self._named()]
        return next(iter(named), None) if None not in named else None

    def begin(self, label: Label, text: str, bracketed: bool = False) -> None:
        """A label, of an action or an input, has come, and ``text`` of what stands behind it."""
        self._fields.append((label, text))
        self._bracketed |= bracketed

    def add(self, text: str) -> None:
        """More ``text`` has come behind the last label, if there is any."""
        if self._fields:
            label, before = self._fields[-1]
            self._fields[-1] = (label, before + text)

    def drop_blank(self) -> None:
        """Forget a last label behind which nothing stands."""
        if self._fields and BLANK.fullmatch(self.last):
            self._fields.pop()

    def clear(self) -> None:
        """Forget all."""
        self._fields.clear()

    def _named(self) -> list[Action]:
        found: list[Action] = []
        for label, text in self._fields:
            plain = self._closed(text).strip()
            if label == "action":
                found.append(Action(plain, None))
            elif found and found[-1].written is None:
                found[-1] = Action(found[-1].name, plain)
        return [
            action for action in found if action.name.strip("*`. ").lower() not in ("", "none", "无", "無")
        ]

    def _closed(self, text: str) -> str:
        """``text`` without the bracket that closes one before its label."""
        closes = self._bracketed and text.count(")") > text.count("(")
        return text.rstrip().removesuffix(")") if closes else text

    def _answer_in(self, action: Action) -> str | None:
        return final_answer(action.name, action.written, self._tools)
