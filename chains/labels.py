"""The labels of the written form of ReAct, and what models write in their place.

Finds them in text; knows nothing of a turn and of what counts where.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

from chains.stop import overlap

Label = Literal["thought", "action", "input", "observation", "final", "answer"]

_LABELS: dict[str, Label] = {  # longer ones before those that they begin with
    "action input": "input",
    "actioninput": "input",
    "tool input": "input",
    "the final answer is": "final",
    "final answer": "final",
    "finalanswer": "final",
    "observation": "observation",
    "thoughts": "thought",
    "thought": "thought",
    "parameters": "input",
    "arguments": "input",
    "action": "action",
    "answer": "answer",
    "input": "input",
    "tool": "action",
    "最终答案": "final",
    "最終答案": "final",
    "最终回答": "final",
    "最終回答": "final",
    "行动输入": "input",
    "行動輸入": "input",
    "动作输入": "input",
    "動作輸入": "input",
    "工具输入": "input",
    "工具輸入": "input",
    "观察结果": "observation",
    "觀察結果": "observation",
    "观察": "observation",
    "觀察": "observation",
    "思考": "thought",
    "行动": "action",
    "行動": "action",
    "动作": "action",
    "動作": "action",
    "工具": "action",
    "输入": "input",
    "輸入": "input",
    "答案": "answer",
}
_WEAK = frozenset({"tool input", "answer", "input", "tool", "parameters", "arguments"})
_WEAK |= {"工具输入", "工具輸入", "工具", "输入", "輸入", "答案"}
_SAID = "the final answer is"  # a label where a thought says it
LINE = 200  # characters; what a label is known by stands in the first ones of its line

_MARKS = r"[ \t>*#_`]{0,40}"  # bounded, as is white space: what may be a label is read again piece by piece


def words_of(label: Label) -> tuple[str, ...]:
    """The words for ``label``, longer ones before those that they begin with."""
    return tuple(name for name, found in _LABELS.items() if found == label)


def names_of(*labels: Label) -> str:
    """A pattern of the words for ``labels``."""
    return "|".join(n.replace(" ", r"[ _\t]{1,3}") for n, label in _LABELS.items() if label in labels)


_NAMES = names_of(*get_args(Label))
_INPUTS = names_of("input")
_ITEMS = "-•·–("  # what an item of a list begins with, where it has no number, and a bracket
_NUMBER = rf"(?:\d{{1,2}}[.)]{_MARKS})?"
LEAD = rf"[ \t>*#_`{_ITEMS.replace('-', '')}-]{{0,40}}{_NUMBER}"
COLON = rf"[ \t]?\d{{0,2}}{_MARKS}[:：][*_`]*"
LABELLED = re.compile(  # with its colon: at the beginning of a line, or of a sentence
    rf"(?:^{LEAD}|(?<=[.!?。！？;；]){_MARKS})(?P<name>{_NAMES}){COLON}", re.I | re.M
)
BARE = re.compile(
    rf"^{_MARKS}(?P<name>{_NAMES})[ \t]*\d{{0,2}}[*_`]*[ \t]*(?P<rest>[^\n]*)(?:\n|\Z)", re.I | re.M
)
INLINE = re.compile(rf"(?<=[\s,，;；])[*_`]*(?P<name>{_INPUTS}){COLON}", re.I)  # behind the action's name
_S = r"\s{0,40}"
_FENCED = rf"^[ \t>*]{{0,40}}(?:`{{1,3}}\w{{0,20}}{_S})?"
FINISH = re.compile(rf"^{LEAD}(?P<action>finish ?\[[^\n]{{0,2000}}\])[ \t*_`.。\r]*(?:\n|\Z)", re.I | re.M)
FINISH_BEGUN = re.compile(rf"^{LEAD}(?:f|fi|fin|fini|finis|finish ?(?:\[[^\n]*)?)\Z", re.I | re.M)
_INPUT_KEYS = r"\"(?:action_input|tool_input|arguments|parameters|input)\""
CALL = re.compile(  # JSON that names a tool, in a fence or bare, or in the tags of a tool call
    rf"{_FENCED}(?P<bare>\{{){_S}\"(?:action|name|tool)\"{_S}:{_S}\"(?P<tool>[^\"\n]{{1,80}})\"{_S}"
    rf"(?:,{_S}{_INPUT_KEYS}|\}})|<tool_call>{_S}(?P<tagged>\{{)",
    re.M,
)
_CALL_BEGUN = re.compile(
    rf"(?:<tool_call>{_S}|{_FENCED}(?:\{{{_S}(?:\"\w{{0,20}}(?:\"{_S}(?::{_S}(?:\"[^\"\n]{{0,80}}"
    rf"(?:\"{_S}(?:,{_S}(?:\"\w{{0,20}})?)?)?)?)?)?)?)?)\Z",
    re.M,
)
_NUMBERED = re.compile(rf"\d{{1,2}}(?:[.)]{_MARKS}|\Z)")
_LONGEST = 40  # marks in front of a label, and characters of one in a line
_APART = re.compile(r"[\s,，;；]")
_SENTENCE = re.compile(r"[.!?。！？;；]")
_IS = re.compile(
    r"(?:is\b(?![ \t]+(?:not|still|yet|to be|unknown|unclear|uncertain)\b)|是|为)[ \t]*[:：]?[ \t]*", re.I
)
_OPENERS = tuple("{[\"'`“")  # what an input without a colon begins with


def label_of(match: re.Match[str]) -> Label:
    """The label that ``match`` found."""
    return _LABELS[_spelled(match)]


def is_weak(match: re.Match[str]) -> bool:
    """Whether its word is one of plain prose as well, and a label only where it fits."""
    return _spelled(match) in _WEAK


def is_said(match: re.Match[str]) -> bool:
    """Whether it is a sentence that a thought may hold, and a label only there."""
    return _spelled(match) == _SAID


def is_item(match: re.Match[str]) -> bool:
    """Whether it stands in an item of a list, or in brackets."""
    lead = match[0][: match.start("name") - match.start()]
    return any(mark in _ITEMS or mark.isdigit() for mark in lead)


def is_bracketed(match: re.Match[str]) -> bool:
    """Whether a bracket opens before it."""
    return "(" in match[0][: match.start("name") - match.start()]


def names_tool(text: str, tools: Sequence[str]) -> bool:
    """Whether ``text`` begins with the name of one of ``tools``."""
    return any(re.match(rf"[ \t`*\"'\[]*{re.escape(tool)}(?![\w-])", text) for tool in tools)


def is_tool_alone(text: str, tools: Sequence[str]) -> bool:
    """Whether ``text`` begins with the name of one of ``tools`` and no words about it in its line."""
    behind = rf"[`*\"'\])]*[ \t]*(?:[.。]?[ \t\r]*(?:\n|\Z)|[({{\[,，;；]|[*_`]*(?:{_INPUTS}))"
    return any(re.match(rf"[ \t`*\"'\[]*{re.escape(tool)}{behind}", text, re.I) for tool in tools)


def bare_end(match: re.Match[str], tools: Sequence[str]) -> int | None:
    """Where the label ends of a line of :data:`BARE`; None: without a colon it is none."""
    label, rest, at = label_of(match), match["rest"], match.start("rest")
    if is_weak(match) or is_said(match) or len(rest) > LINE or rest.startswith((":", "：")):
        return None
    if not rest.strip():
        return at
    apart = at > match.end("name")
    if label == "final" and match["name"][0] in "F最":
        if verb := _IS.match(rest):
            return at + verb.end() if apart or match["name"][0] == "最" else None
        return at if apart and not re.match(r"is(?:\b|n['’]t)", rest, re.I) else None
    is_label = (label == "action" and names_tool(rest, tools)) or (
        label == "input" and rest.startswith(_OPENERS)
    )
    return at if is_label else None


def may_begin(tail: str, at_line: bool) -> bool:
    """Whether ``tail``, at the beginning of a line or else of a sentence, may turn out to be a label."""
    bare = tail.lstrip(f" \t>*#_`{_ITEMS}")
    if len(tail) - len(bare) > _LONGEST:
        return False
    if at_line and (number := _NUMBERED.match(bare)):
        bare = bare[number.end() :]
        if not bare:
            return True
    plain = re.sub(r"[ _\t]+", " ", bare.lower())
    for name in _LABELS:
        if name in _WEAK and not at_line:
            continue
        if name.startswith(plain):
            return True
        if plain.startswith(name):
            rest = plain[len(name) :]
            if re.fullmatch(r"[ \d>*#_`:：]*", rest):
                return True
            colon = name not in _WEAK or re.match(r"[ \d>*#_`]*[:：]", rest)
            if at_line and colon and len(rest) <= LINE + 50:
                return True
    return False


def held_from(text: str, at: int, within: bool) -> int:
    """Where, from ``at`` on, that begins which may turn out to be a label; ``within``: an inline one too."""
    line = text.rfind("\n") + 1
    begun = _CALL_BEGUN.search(text, at)
    held = [begun.start() if begun else len(text), len(text) - overlap(text[at:], "<tool_call>")]
    starts = [match.end() for match in _SENTENCE.finditer(text, max(at - 1, line))]
    if within:
        behind = (
            start
            for start in range(max(at, len(text) - 2 * _LONGEST), len(text))
            if _APART.match(text, start - 1)
        )
        held += [start for start in behind if _may_be_input(text[start:])]
    if line >= at and may_begin(text[line:], at_line=True):
        held.append(line)
    held += [start for start in starts if start >= at and may_begin(text[start:], at_line=False)]
    return min(held)


def _may_be_input(tail: str) -> bool:
    plain = re.sub(r"[ _\t]+", " ", tail.lstrip("*_`").lower())
    inputs = [name for name, label in _LABELS.items() if label == "input"]
    return any(name.startswith(plain) or re.fullmatch(rf"{name}[ \d>*#_`:：]*", plain) for name in inputs)


def _spelled(match: re.Match[str]) -> str:
    return re.sub(r"[ _\t]+", " ", match["name"].lower())
