"""Whether a served answer is right: an answer against the expectation of its sample.

Knows nothing of HTTP. An answer is what the client got: the text, and the tool calls that the gateway made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.demo.text.sample import Expectation

_NUMBER = re.compile(r"[-−]?\d+")


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call that the gateway made for an answer."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one case."""

    text: str
    calls: Sequence[Call] = ()


def faults(expect: Expectation, answer: Answer) -> list[str]:
    """Everything in ``answer`` that is not as expected; none means that the task is done."""
    return [
        *_wrong_calls(expect, answer.calls),
        *(f"{part!r} is not in the answer" for part in expect.contains if part not in answer.text),
        *_wrong_number(expect.number, answer.text),
        *_wrong_json(expect.json, answer.text),
    ]


def stated_number(text: str) -> int | None:
    """The number that a calculation ends with: the one after the last ``=``, else the last of the text."""
    _, equals, result = text.rpartition("=")
    found: list[str] = _NUMBER.findall(result)
    if not found:
        return None
    return int((found[0] if equals else found[-1]).replace("−", "-"))


def _wrong_calls(expect: Expectation, calls: Sequence[Call]) -> Iterator[str]:
    wanted = [] if expect.tool is None else [Call(expect.tool, dict(expect.arguments or {}))]
    made = [Call(call.tool, dict(call.arguments)) for call in calls]
    if made != wanted:
        yield f"called {_shown(made)} in place of {_shown(wanted)}"


def _wrong_number(wanted: int | None, text: str) -> Iterator[str]:
    if wanted is not None and (found := stated_number(text)) != wanted:
        yield f"the result is {wanted}, the answer states {found if found is not None else 'no number'}"


def _wrong_json(wanted: Mapping[str, Any] | None, text: str) -> Iterator[str]:
    if wanted is None:
        return
    try:
        found = json.loads(text)
    except ValueError as exc:
        yield f"not JSON: {exc}"
        return
    if found != dict(wanted):
        yield f"the object is not {json.dumps(dict(wanted), ensure_ascii=False)}"


def _shown(calls: Sequence[Call]) -> str:
    shown = [f"{call.tool}({json.dumps(dict(call.arguments), ensure_ascii=False)})" for call in calls]
    return ", ".join(shown) or "nothing"
