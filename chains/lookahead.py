"""What the lines behind a label say about it, where it may also be text.

An action behind the answer ends it only as a pair with its input, and a final answer in the line of a thought
is only talked about where an action follows. Both are known a line later, so each says also from where on the
text is to be held until then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chains.labels import COLON, LABELLED, LEAD, LINE, is_tool_alone, label_of, may_begin, names_of

_NAMED = 120  # characters of a line that names a tool
_ACTION = rf"^{LEAD}(?:{names_of('action')}){COLON}(?P<named>[^\n]{{0,{_NAMED}}})\n\s{{0,40}}"
_PAIR = re.compile(rf"{_ACTION}{LEAD}(?:{names_of('input')}){COLON}", re.I | re.M)
_PAIR_BEGUN = re.compile(rf"{_ACTION}(?P<rest>[^\n]*)\Z", re.I | re.M)
_FENCE = re.compile(r"^[ \t>]*```", re.M)


def begins_call(text: str, at: int, tools: Sequence[str]) -> bool:
    """Whether an action of one of ``tools`` stands at ``at``, and its input in the next line."""
    pair = _PAIR.match(text, at)
    return pair is not None and is_tool_alone(pair["named"], tools)


def is_fenced(text: str, begin: int, at: int) -> bool:
    """Whether ``at`` is in a fence that opens behind ``begin``."""
    return len(_FENCE.findall(text, begin, at)) % 2 == 1


def call_begun(text: str, at: int, tools: Sequence[str]) -> int:
    """Where, from ``at`` on, an action stands whose input may follow; the end of ``text``: nowhere."""
    found = _PAIR_BEGUN.search(text, at)
    held = (
        found is not None and may_begin(found["rest"], at_line=True) and is_tool_alone(found["named"], tools)
    )
    return found.start() if found is not None and held else len(text)


def is_aside(text: str, end: int, tools: Sequence[str], ended: bool) -> bool | None:
    """Whether a final answer whose label is before ``end``, in a line, is none: an action follows it.

    None: it is not known before more text comes, or ``ended``. A long line is an answer whatever follows.
    """
    newline = text.find("\n", end, end + LINE)
    if newline < 0:
        return False if ended or len(text) - end >= LINE else None
    begin = newline + 1
    while text[begin : begin + 1].isspace():
        begin += 1
    begin = text.rfind("\n", 0, begin) + 1
    line, _, behind = text[begin:].partition("\n")
    if not (ended or behind or text.endswith("\n")) and may_begin(line, at_line=True):
        return None
    action = LABELLED.match(text, begin)
    return action is not None and label_of(action) == "action" and is_tool_alone(text[action.end() :], tools)
