"""Reads one turn of the written form of ReAct: Thought, Action, Action Input, Final Answer.

The labels are those of Yao et al. 2022 (arXiv:2210.03629) as LangChain's prompts spell them, or Chinese. What
models get wrong is read as it was meant: a label with a number, with marks around it, in the middle of a
line, without its colon, with a Chinese one. What follows an Observation that the model wrote itself is made
up, so the turn ends there; so does what follows an action and is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chains.splitter import Part, Passages

Label = Literal["thought", "action", "input", "observation", "final"]

_LABELS: dict[str, Label] = {  # longer ones before those that they begin with
    "action input": "input",
    "actioninput": "input",
    "final answer": "final",
    "finalanswer": "final",
    "observation": "observation",
    "thoughts": "thought",
    "thought": "thought",
    "action": "action",
    "最终答案": "final",
    "最终回答": "final",
    "行动输入": "input",
    "动作输入": "input",
    "观察结果": "observation",
    "观察": "observation",
    "思考": "thought",
    "行动": "action",
    "动作": "action",
}
_MARKS = r"[ \t>*#_`]*"
_NAMES = "|".join(name.replace(" ", r"[ _\t]{1,3}") for name in _LABELS)
_AT_LINE = rf"^{_MARKS}(?P<name>{_NAMES})"
_LABEL = re.compile(  # with its colon: at the beginning of a line, or of a sentence
    rf"(?:^|(?<=[.!?。！？;；]))(?:{_MARKS})(?P<name>{_NAMES})[ \t]?\d{{0,2}}{_MARKS}[:：][*_`]*", re.I | re.M
)
_BARE = re.compile(rf"{_AT_LINE}[ \t]*\d{{0,2}}[*_`]*[ \t]*(?P<rest>[^\n]*)(?:\n|\Z)", re.I | re.M)
_SENTENCE = re.compile(r"[.!?。！？;；]")
_LINE = 200  # characters; a longer line is no label without a colon
_OPENERS = tuple("{[\"'`“")  # what an input without a colon begins with


@dataclass(frozen=True, slots=True)
class Action:
    """A tool that the model names, and its input as it wrote it; None: it wrote none."""

    name: str
    written: str | None


class TurnReader:
    """Feed it the text of a turn, in pieces cut anywhere; ``tools`` are the names that may be called.

    A thought is given as reasoning and the answer as content, as they come. Text without any label is held
    back: it is the answer if no label follows, else a thought.
    """

    def __init__(self, tools: Sequence[str]) -> None:
        self._tools = tools
        self._text = ""  # all of the turn
        self._at = 0  # where what is not read yet begins
        self._state: Label | None = None
        self._unlabelled = ""
        self._fields: list[tuple[Label, str]] = []  # actions and inputs, in order
        self._passages = {"reasoning": Passages(), "content": Passages()}
        self.done = False  # True: what else comes does not count
        for passages in self._passages.values():
            passages.break_off()

    @property
    def said(self) -> str:
        """The turn as far as it counts."""
        return self._text[: self._at].strip()

    @property
    def answered(self) -> bool:
        """Whether the turn is an answer: it names no action, and is not only a thought."""
        return not self._fields and self._state in (None, "final")

    @property
    def actions(self) -> list[Action]:
        """The tools that the turn names, in order."""
        found: list[Action] = []
        for label, text in self._fields:
            if label == "action":
                found.append(Action(text.strip(), None))
            elif found and found[-1].written is None:
                found[-1] = Action(found[-1].name, text.strip())
        return [action for action in found if action.name.strip("*`. ").lower() not in ("", "none", "无")]

    def feed(self, text: str) -> list[Part]:
        """The parts that ``text`` completes."""
        if self.done:
            return []
        self._text += text
        return self._read(False)

    def end(self) -> list[Part]:
        """What was held back, when no more text comes."""
        parts = [] if self.done else self._read(True)
        if self._unlabelled and self._state is None:
            parts += self._told("content", self._unlabelled)
        return parts

    def _read(self, ended: bool) -> list[Part]:
        parts: list[Part] = []
        while not self.done and (found := self._next(ended)) is not None:
            begin, end, label = found
            self._take(self._text[self._at : begin], parts)
            self._at = begin
            if not self.actions and label in ("final", "thought"):
                self._fields.clear()  # "Action: None"
            ends = self._state == "final" or label == "observation"
            if ends or (self._fields and label in ("final", "thought")):
                self.done = True
                return parts
            self._at = end
            self._turn(label, parts)
        whole = len(self._text) if ended else self._held_from()
        if whole > self._at and not self.done:
            self._take(self._text[self._at : whole], parts)
            self._at = whole
        return parts

    def _next(self, ended: bool) -> tuple[int, int, Label] | None:
        """The first label that is not read yet: where it begins, where it ends, and which it is."""
        found: list[tuple[int, int, Label]] = []
        for match in _LABEL.finditer(self._text, self._at):
            whole = ended or match.end() < len(self._text)  # marks may follow
            if whole and self._counts(match, _name(match)):
                found.append((match.start(), match.end(), _name(match)))
                break
        for match in _BARE.finditer(self._text, self._at):
            whole = ended or match.end() < len(self._text) or self._text.endswith("\n")
            if whole and self._counts(match, _name(match)) and self._is_label(match):
                found.append((match.start(), match.start("rest"), _name(match)))
                break
        first = min(found, default=None)
        return None if first is not None and not ended and self._is_open(first[0]) else first

    def _is_open(self, at: int) -> bool:
        """Whether the line of ``at`` may turn out to begin with a label that it ends too late to show."""
        begin = self._text.rfind("\n", 0, at) + 1
        if not self._at <= begin < at or "\n" in self._text[begin:]:
            return False
        return self._may_begin(self._text[begin:], at_line=True)

    def _counts(self, match: re.Match[str], label: Label) -> bool:
        """In an answer only what ends it is a label, and that at the beginning of a line."""
        if self._state != "final":
            return True
        at_line = match.start() == 0 or self._text[match.start() - 1] == "\n"
        return at_line and label in ("observation", "thought")

    def _is_label(self, match: re.Match[str]) -> bool:
        """Whether the line of ``match``, which has no colon, is a label all the same."""
        label, rest = _name(match), match["rest"]
        if len(rest) > _LINE or rest.startswith((":", "：")):
            return False
        if not rest.strip() or label == "final":
            apart = match.start("rest") > match.end("name")
            return label != "final" or not rest.strip() or (apart and match["name"][0] in "F最")
        if label == "action":
            return any(re.match(rf"[`*\"']*{re.escape(tool)}\b", rest) for tool in self._tools)
        return label == "input" and rest.startswith(_OPENERS)

    def _held_from(self) -> int:
        """Where the text begins that may turn out to be a label."""
        text, starts = self._text, [self._text.rfind("\n") + 1]
        starts += [match.end() for match in _SENTENCE.finditer(text, max(self._at - 1, starts[0]))]
        for start in starts:
            if start >= self._at and self._may_begin(text[start:], at_line=start == starts[0]):
                return start
        return len(text)

    def _may_begin(self, tail: str, at_line: bool) -> bool:
        plain = re.sub(r"[ _\t]+", " ", tail.lstrip(" \t>*#_`").lower())
        for name in _LABELS:
            if name.startswith(plain):
                return True
            if plain.startswith(name):
                rest = plain[len(name) :]
                if re.fullmatch(r"[ \d>*#_`:：]*", rest) or (at_line and len(rest) <= _LINE + 50):
                    return True
        return False

    def _turn(self, label: Label, parts: list[Part]) -> None:
        if self._state is None and self._unlabelled:
            parts += self._told("reasoning", self._unlabelled)
            self._unlabelled = ""
        for passages in self._passages.values():
            passages.break_off()
        self._state = label
        if label in ("action", "input"):
            self._fields.append((label, ""))

    def _take(self, text: str, parts: list[Part]) -> None:
        if self._state is None:
            self._unlabelled += text
        elif self._state == "thought":
            parts += self._told("reasoning", text)
        elif self._state == "final":
            parts += self._told("content", text)
        elif self._fields:
            label, before = self._fields[-1]
            self._fields[-1] = (label, before + text)

    def _told(self, kind: Literal["reasoning", "content"], text: str) -> list[Part]:
        given = self._passages[kind].add(text)
        return [Part(kind, given)] if given else []


def _name(match: re.Match[str]) -> Label:
    return _LABELS[re.sub(r"[ _\t]+", " ", match["name"].lower())]
