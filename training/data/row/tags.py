"""What a file calls the keys and the speakers of its turns, under the names of LLaMA-Factory's tags.

``{role_tag: speaker, content_tag: text, assistant_tag: bot}`` reads ``{"speaker": "bot", "text": ...}`` as
sharegpt's ``{"from": "gpt", "value": ...}``. A name that no tag gives away keeps what it says in sharegpt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.data.row.fields import FieldError, names

KEYS = {"role_tag": "from", "content_tag": "value"}  # tag → key of a turn in sharegpt
KINDS = {"role_tag": "speaker", "content_tag": "text"}  # tag → what stands there
SPEAKERS = {  # tag → speaker in sharegpt
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
TAGS = (*KEYS, *SPEAKERS)
_OPENAI = ("role", "content")  # which a turn in OpenAI's form has, with its calls


def twice(tags: Mapping[str, str]) -> str | None:
    """The first name that two speakers, or both keys, of ``tags`` are called by, if there is one."""
    for kind in (KEYS, SPEAKERS):
        called = [theirs for tag, theirs in tags.items() if tag in kind]
        if again := next((name for name in called if called.count(name) > 1), None):
            return again
    return None


def renamed(row: dict[str, Any], tags: Mapping[str, str], fields: tuple[str, ...]) -> dict[str, Any]:
    """``row`` with sharegpt's names in the turns under ``fields``, each of which is a turn or a list of them.

    What is no turn is left for the reader to name.

    Raises:
        FieldError: a turn lacks a key that ``tags`` names.
    """
    found = dict(row)
    for field in fields:
        said = row.get(field)
        if isinstance(said, list):
            found[field] = [_turn(turn, tags, f"{field}.{i}") for i, turn in enumerate(said)]
        elif isinstance(said, dict):
            found[field] = _turn(said, tags, field)
    return found


def _turn(turn: Any, tags: Mapping[str, str], at: str) -> Any:
    if not isinstance(turn, dict):
        return turn
    for tag, ours in KEYS.items():
        if tag in tags and tags[tag] not in turn:
            raise FieldError(
                at,
                f"the turn has no {tags[tag]}, where its {KINDS[tag]} stands by columns' {tag}; it has "
                f"{names(turn)}. If that is {ours} here, leave {tag} out",
            )
    usual = _OPENAI if "from" not in turn and "role" in turn else tuple(KEYS.values())
    who, what = (tags.get(tag, key) for tag, key in zip(KEYS, usual, strict=True))
    known = _OPENAI if (who, what) == _OPENAI else tuple(KEYS.values())
    found = {key: value for key, value in turn.items() if key not in (who, what)}
    found |= {key: turn[theirs] for key, theirs in zip(known, (who, what), strict=True) if theirs in turn}
    speakers = {theirs: SPEAKERS[tag] for tag, theirs in tags.items() if tag in SPEAKERS}
    speaker = found.get(known[0])
    if isinstance(speaker, str) and speaker in speakers:
        found[known[0]] = speakers[speaker]
    return found
