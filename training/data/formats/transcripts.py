"""Conversations of many turns in one text, as BELLE's files hold them in ``instruction``, and hh-rlhf's::

    Human:你好
    Assistant:你好！
    Human:你会什么？
    Assistant:

A turn begins at a line that begins with the other speaker's name; the own one's is part of what is said, but
behind a blank line, where hh-rlhf has a name twice: it is left out, and the turn goes on. A colon may be a
full-width one.
"""

from __future__ import annotations

import re
from typing import Any

from training.data.row.fields import FieldError

_ROLES = {"Human": "user", "Assistant": "assistant"}
_TURN = re.compile(r"^[^\S\n]*(Human|Assistant)[:：]", re.MULTILINE)
_OPENED = re.compile(r"Assistant[:：]$")


def spoken(text: str) -> list[dict[str, Any]]:
    """All turns in ``text``, from Human's first; none, if that is not how it begins."""
    text = text.strip()
    found: list[dict[str, Any]] = []
    speaker, start, before = "", 0, ""  # ``before``: what this turn has said in front of its name again
    for mark in _TURN.finditer(text):
        again = mark[1] == speaker
        if again and not _behind_blank(text, mark.start()):
            continue
        if not speaker and (mark.start() or mark[1] != "Human"):
            continue
        said = f"{before}{text[start : mark.start()].strip()}"
        if speaker and not again:
            found.append({"role": _ROLES[speaker], "content": said.strip()})
        before = f"{said}\n\n" if again else ""
        speaker, start = mark[1], mark.end()
    last = f"{before}{text[start:].strip()}".strip()
    return [*found, {"role": _ROLES[speaker], "content": last}] if speaker else []


def _behind_blank(text: str, at: int) -> bool:
    """Whether the line in front of the one that begins ``at`` is blank."""
    line = text.rfind("\n", 0, max(0, at - 1))
    return at > 0 and not text[line + 1 : at].strip()


def asked(text: str, at: str) -> list[dict[str, Any]]:
    """The turns in ``text`` up to the answer, that stands beside it; none, if it is no such conversation.

    It is one where it ends with ``Assistant:``, or with what a human says to what an assistant has said.

    Raises:
        FieldError: it begins and ends as one, and its last two turns are both the assistant's; ``at`` names
            the field.
    """
    turns = spoken(text)
    if not turns:
        return []
    last = turns[-1]
    if last["role"] == "assistant" and not last["content"]:
        return turns[:-1]
    if last["role"] == "user" and last["content"] and len(turns) > 1:
        return turns
    if _OPENED.search(text.strip()):
        raise FieldError(
            at,
            "begins with Human: and ends with Assistant:, as a conversation in BELLE's form, but in front of "
            "that last line the assistant speaks already; take it out, or write the row as messages",
        )
    return []
