"""A prompt and its answer as rows have them: each a text, a message, or a list of messages.

A plain text is what a user or an assistant says: the base's chat template stands around it, as where it is
served.
"""

from __future__ import annotations

from typing import Any

from training.data.formats import transcripts
from training.data.formats.message import SILENT, message, says_nothing
from training.data.row.fields import FieldError, found

Message = dict[str, Any]
Said = str | Message | list[Message]


def assistant(text: str) -> Message:
    """The message of an assistant who says ``text``."""
    return {"role": "assistant", "content": text}


def said(raw: dict[str, Any], key: str) -> Said:
    """What stands under ``key``, checked."""
    value = raw.get(key)
    if isinstance(value, list) and value:
        return [message(turn, f"{key}.{i}") for i, turn in enumerate(value)]
    if isinstance(value, dict):
        return message(value, key)
    if not isinstance(value, str):
        raise FieldError(key, f"must be a text or messages; {found(raw, key)}")
    return value


def prompt(raw: dict[str, Any], key: str = "prompt") -> list[Message]:
    """The turns under ``key``, those of a transcript among them; a text is a user's."""
    given = said(raw, key)
    if isinstance(given, str):
        return transcripts.asked(given, key) or [{"role": "user", "content": given}]
    return given if isinstance(given, list) else [given]


def is_transcript(raw: dict[str, Any]) -> bool:
    """Whether the prompt is a transcript, as hh-rlhf's copies have it."""
    return isinstance(raw.get("prompt"), str) and bool(transcripts.asked(raw["prompt"], "prompt"))


def transcript(given: Said) -> Said:
    """The turns of a text that is a transcript; any other text without the white space at its ends."""
    if not isinstance(given, str):
        return given
    turns = transcripts.spoken(given)
    return turns if len(turns) > 1 else given.strip()


def before_answer(turns: list[Message], at: str) -> tuple[Message, ...]:
    """``turns``, which must end before the assistant's turn; ``at`` is its field."""
    if not turns:
        raise FieldError(at, "is empty; there must be something that is answered")
    if turns[-1]["role"] == "assistant":
        raise FieldError(at, "must end before the assistant's turn: the answers are that turn")
    return tuple(turns)


def answer(given: Said, at: str) -> Message:
    """The assistant's one message in ``given``; ``at`` is its field."""
    if isinstance(given, list) and len(given) > 1:
        raise FieldError(at, f"must be one message, the answer; found {len(given)} after the prompt")
    only = given[0] if isinstance(given, list) else given
    turn = assistant(only) if isinstance(only, str) else only
    refuse_other_speaker(turn, at)
    if says_nothing(turn):
        raise FieldError(at, SILENT)
    return turn


def refuse_other_speaker(turn: Message, at: str) -> None:
    """Make sure that an assistant says ``turn``, which stands at ``at``."""
    if turn["role"] != "assistant":
        raise FieldError(at, f"must be what an assistant says, found the role {turn['role']!r}")
