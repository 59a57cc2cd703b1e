"""Rows of public files in forms that no format reads, known by their fields, and how each is written here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_ONE_BY_ONE = "is `format: messages` once it is written as messages of a user and an assistant by turns"


def _listed(raw: dict[str, Any], fits: Callable[[Any], bool]) -> str | None:
    """The field that is a list of what ``fits``, of those which hold conversations."""
    for key in ("conversation", "conversations", "messages", "data", "chat", "dialog"):
        given = raw.get(key)
        if isinstance(given, list) and given and all(map(fits, given)):
            return key
    return None


def _is_exchange(given: Any) -> bool:
    """Whether it is a question with its answer, as Capybara's and MOSS's are."""
    if not isinstance(given, dict):
        return False
    keys = {str(key).lower() for key in given}
    return any(pair <= keys for pair in ({"input", "output"}, {"human", "assistant"}, {"human", "moss"}))


def _turns(raw: dict[str, Any]) -> str:
    """What is said of a row whose turns are no messages."""
    if key := _listed(raw, lambda one: isinstance(one, str)):
        return f"A list of texts, as {key} is, {_ONE_BY_ONE}"
    if key := _listed(raw, _is_exchange):
        return f"A list of questions with their answers, as {key} is, {_ONE_BY_ONE}"
    for key in ("conversation", "chat"):
        if isinstance(raw.get(key), dict | str):
            kind = "An object" if isinstance(raw[key], dict) else "A text"
            return f"{kind} of all turns, as {key} is, {_ONE_BY_ONE}"
    return ""


_KNOWN = {  # fields that a row has → how it is written here
    ("input", "preferred_output", "non_preferred_output"): "OpenAI's preferences are `format: pairs` once "
    "input.messages is called prompt, preferred_output chosen, non_preferred_output rejected, and "
    "input.tools tools",
    ("history", "human_ref_A", "human_ref_B", "labels"): "SHP's rows are `format: pairs` once history is "
    "called prompt, and of human_ref_A and human_ref_B, where labels is 1, the first chosen and the second "
    "rejected, else the other way round",
    ("prompt", "completions", "labels"): "A label for each step of an answer is for a process reward model, "
    "which no stage trains; rows with one for the whole answer are `format: labels`",
    ("query", "tools", "answers"): "xLAM's rows are `format: messages` once query is a user's message, and "
    "answers are the tool_calls of an assistant's",
}


def told(raw: Any) -> str:
    """How the row ``raw`` would have to be written; "" where nobody knows such rows."""
    if not isinstance(raw, dict):
        return ""
    return next((said for keys, said in _KNOWN.items() if raw.keys() >= set(keys)), "") or _turns(raw)
