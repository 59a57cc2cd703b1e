"""One build, from questions to rows: every question is tried until an answer passes the rules.

``pointsman data build deploy/demo/builds/sums.yaml``
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.artefact import write_atomically
from training.building import journal as journals
from training.building import questions as asked
from training.building.journal import Journal
from training.building.plan import BuildPlan
from training.building.questions import Question
from training.building.tries import Asking, Tool, Try
from training.data.reading import sources
from training.served.endpoint import Endpoint, each

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Yield:
    """How much came out."""

    questions: int
    rows: int
    tries: int
    reasons: Mapping[str, int]  # outcome → tries, the most frequent first
    duplicates: int


def build(
    plan: BuildPlan,
    folder: Path,
    tools: Mapping[str, Tool],
    *,
    concurrency: int,
    api_key: str | None,
    report: Report,
) -> Yield:
    """Write ``rows.jsonl`` and ``report.json`` into ``folder``; goes on where an earlier call was stopped.

    Raises:
        TrainingError: bad questions, a teacher that is away, a folder of something else.
    """
    questions = asked.load(plan)
    with journals.opened(folder, _digest(plan, questions, tools)) as journal:
        if journal.done:
            report(f"{folder} was begun before: {len(journal.done)} of {len(questions)} questions are done")

        async def ask() -> None:
            teacher = plan.teacher
            async with Endpoint(
                teacher.url, teacher.model, api_key=api_key, concurrency=concurrency, timeout=teacher.timeout
            ) as endpoint:
                await endpoint.check()
                await _ask_all(Asking(plan, endpoint, tools), questions, journal, concurrency, report)

        try:
            if len(journal.done) < len(questions):
                asyncio.run(ask())
        finally:  # what there is can be used, also where the teacher went away
            found = _write(folder, journal, len(questions))
    return found


async def _ask_all(
    asking: Asking, questions: Sequence[Question], journal: Journal, concurrency: int, report: Report
) -> None:
    """Every question that the journal does not have, until one try of it is kept."""
    places = asyncio.Semaphore(concurrency)

    async def one(number: int) -> None:
        tries: list[Try] = []
        async with places:
            while len(tries) < asking.plan.tries and not (tries and tries[-1].row):
                seed = _seed(asking.plan.seed, number, len(tries))
                tries.append(await asking.attempt(questions[number], seed))
        outcomes = [{"outcome": made.outcome, "said": made.said} for made in tries]
        journal.add(number, {"where": questions[number].where, "tries": outcomes, "row": tries[-1].row})
        kept = sum(line["row"] is not None for line in journal.done.values())
        report(f"asking: {len(journal.done)} of {len(questions)} questions, {kept} rows kept")

    await each([number for number in range(len(questions)) if number not in journal.done], one)


def _write(folder: Path, journal: Journal, questions: int) -> Yield:
    """The rows in the questions' order, each once, and the yield."""
    rows: list[str] = []
    seen: set[str] = set()
    reasons: Counter[str] = Counter()
    duplicates = 0
    for number in sorted(journal.done):
        line = journal.done[number]
        reasons.update(made["outcome"] for made in line["tries"])
        if line["row"] is None:
            continue
        text = json.dumps(line["row"], ensure_ascii=False)
        duplicates += text in seen
        if text not in seen:
            seen.add(text)
            rows.append(text + "\n")
    found = Yield(questions, len(rows), reasons.total(), dict(reasons.most_common()), duplicates)
    write_atomically(folder / "rows.jsonl", "".join(rows).encode())
    content = {
        "questions": questions,
        "asked": len(journal.done),
        "rows": found.rows,
        "tries": found.tries,
        "outcomes": found.reasons,
        "duplicates": duplicates,
    }
    write_atomically(folder / "report.json", (json.dumps(content, indent=2) + "\n").encode())
    return found


def _digest(plan: BuildPlan, questions: Sequence[Question], tools: Mapping[str, Tool]) -> str:
    """Of all that decides the rows; a teacher may move to another address meanwhile."""
    decides: dict[str, Any] = plan.model_dump(mode="json", exclude={"questions": True})
    for beside in ("url", "timeout"):
        del decides["teacher"][beside]
    decides["tools"] = [dict(tool.schema) for tool in tools.values()]
    whole = json.dumps([decides, sources.digest(questions)], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _seed(seed: int, question: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {question} {number}".encode()).digest()[:4]) >> 1
