"""Rows for training from answers that users rated: pairs for dpo, and conversations for sft.

Where an answer came in steps that its message does not show (tools, passages, reasoning), the conversation
without them would teach a model to leave them out; such lines are dropped, and counted.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_GOOD = 0.5  # a score from here on is good
_SHOWN = {"direct", "structured"}  # chains whose answer is all that the model wrote

UNKNOWN = "its text was not kept whole"
STEPS = "its chain answers in steps that the log does not show"
SECOND = "rated again since"
OTHER = "of another alias"
ALONE = "bad, and nothing better is known"


@dataclass(slots=True)
class Rows:
    """What came of a log of ratings."""

    pairs: list[dict[str, Any]] = field(default_factory=list)  # prompt, chosen, rejected
    conversations: list[dict[str, Any]] = field(default_factory=list)  # messages
    ratings: int = 0
    dropped: Counter[str] = field(default_factory=Counter)  # why → lines


def rows_of(lines: Iterable[Mapping[str, Any]], alias: str) -> Rows:
    """The rows of ``alias`` in ``lines`` of a feedback log, the newest first.

    Good answers and corrections are to be learned from. A pair is a correction with the answer that it
    corrects, or a good and a bad answer to one and the same question.
    """
    found, seen = Rows(), set[str]()
    answers: defaultdict[str, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    questions: dict[str, dict[str, Any]] = {}
    for line in lines:
        found.ratings += 1
        if why := _why_not(line, alias, seen):
            found.dropped[why] += 1
            continue
        seen.add(str(line["id"]))
        tools = {"tools": line["tools"]} if line.get("tools") else {}
        question = {"messages": line["messages"], **tools}
        key = json.dumps(question, sort_keys=True, ensure_ascii=False)
        questions[key] = question
        good, bad = answers[key]
        score, answer = float(line["score"]), line["answer"]
        if better := line.get("better"):
            good.append({"role": "assistant", "content": better})
            bad.append(answer)
        elif score >= _GOOD:
            good.append(answer)
        else:
            bad.append(answer)
    for key, (good, bad) in answers.items():
        question = questions[key]
        rest = {name: value for name, value in question.items() if name != "messages"}
        best, worst = _unlike(good), _unlike([one for one in bad if one not in good])
        found.conversations += [{"messages": [*question["messages"], one], **rest} for one in best]
        found.pairs += [
            {"prompt": question["messages"], "chosen": [one], "rejected": [other], **rest}
            for one in best
            for other in worst
        ]
        if not best:
            found.dropped[ALONE] += len(worst)
    return found


def _why_not(line: Mapping[str, Any], alias: str, seen: set[str]) -> str:
    if str(line.get("adapter", "")).partition("@")[0] != alias:
        return OTHER
    if str(line.get("id")) in seen:
        return SECOND
    if not line.get("messages") or not line.get("answer"):
        return UNKNOWN
    return "" if line.get("chain") in _SHOWN else STEPS


def _unlike(answers: list[Any]) -> list[Any]:
    """Each once, the newest first."""
    return [one for place, one in enumerate(answers) if one not in answers[:place]]
