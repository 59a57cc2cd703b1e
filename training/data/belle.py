"""Conversations of many turns in one text, as BELLE's files hold them in ``instruction``::

    Human:你好
    Assistant:你好！
    Human:你会什么？
    Assistant:

It is one where the text begins with ``Human:`` and ends with ``Assistant:``, whose answer stands beside it. A
turn begins at a line that begins with the other speaker's name; the own one's is part of what is said.
"""

from __future__ import annotations

import re
from typing import Any

from training.data.fields import FieldError

_ROLES = {"Human": "user", "Assistant": "assistant"}
_TURN = re.compile(r"^[^\S\n]*(Human|Assistant):", re.MULTILINE)


def turns(text: str, at: str) -> list[dict[str, Any]]:
    """The turns in ``text`` up to the last, that is yet to be said; none, if it is no such conversation.

    Raises:
        FieldError: it begins and ends as one, and its last two turns are both the assistant's; ``at`` names
            the field.
    """
    text = text.strip()
    if not (text.startswith("Human:") and text.endswith("Assistant:")):
        return []
    found: list[dict[str, Any]] = []
    speaker, start = "", 0
    for mark in _TURN.finditer(text):
        if mark[1] == speaker:
            continue
        if speaker:
            found.append({"role": _ROLES[speaker], "content": text[start : mark.start()].strip()})
        speaker, start = mark[1], mark.end()
    if speaker != "Assistant" or text[start:]:
        raise FieldError(
            at,
            "begins with Human: and ends with Assistant:, as a conversation in BELLE's form, but in front of "
            "that last line the assistant speaks already; take it out, or write the row as messages",
        )
    return found
