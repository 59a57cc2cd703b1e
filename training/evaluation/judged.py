"""Answers of a served model beside reference answers, as another model judges them.

Judges prefer a place: each pair is shown twice, the answers changed over, and counts half each time (Zheng et
al., Judging LLM-as-a-Judge, 2023, section 3.4). So a judge that always takes the first says nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from training.errors import EndpointError, RequestRefused
from training.evaluation.measures import ratio
from training.evaluation.part import Done, Result
from training.served import openai_form, said
from training.served.endpoint import Endpoint, each

Winner = Literal["first", "second", "tie"]
_POINTS: dict[Winner, float] = {"first": 1.0, "tie": 0.5, "second": 0.0}
_SAID = re.compile(r"\b(FIRST|SECOND|TIE)\b")
_ASKED = """\
Two assistants answered the same conversation. Say which answer is better: {criteria}
Do not mind the order in which they stand, nor their length.

[Conversation]
{conversation}

[First answer]
{first}

[Second answer]
{second}

End with one word: FIRST, SECOND or TIE."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What is asked, and the answer that another is held beside, without its thought."""

    where: str
    messages: Sequence[Mapping[str, Any]]
    reference: str


@dataclass(frozen=True, slots=True)
class Judge:
    """Who judges."""

    url: str
    model: str
    api_key: str | None
    criteria: str
    max_new_tokens: int

    def asked(self, pair: Pair, first: str, second: str) -> dict[str, Any]:
        """The request for one verdict."""
        conversation = "\n".join(f"{one['role']}: {one.get('content') or ''}" for one in pair.messages)
        text = _ASKED.format(criteria=self.criteria, conversation=conversation, first=first, second=second)
        return {
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
            "max_tokens": self.max_new_tokens,
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """Conversations that end before a reference answer."""

    name: str
    pairs: Sequence[Pair]
    judge: Judge
    max_new_tokens: int
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """One a pair; the judge's are not counted."""
        return len(self.pairs)

    async def ask(self, endpoint: Endpoint, done: Done) -> Result:
        """``wins``: 1 where the answer beats the reference in both orders, 0 where it loses in both;
        ``consistent``: both orders agree; both of those whose two verdicts could be read, of which
        ``readable`` is the share. Means. See ``Part``.

        Raises:
            EndpointError: no pair of verdicts could be read.
        """
        judge = self.judge
        async with Endpoint(judge.url, judge.model, api_key=judge.api_key) as judging:
            await judging.check()
            found = await each(self.pairs, lambda pair: self._one(endpoint, judging, pair), done)
        read = [(first, second) for _, (first, second) in found if first is not None and second is not None]
        if not read:
            raise EndpointError(
                f"{judge.url}: the judge {judge.model} ended none of {2 * len(found)} verdicts with FIRST, "
                "SECOND or TIE; take a larger one, or give it more max_new_tokens"
            )
        ones = [1.0] * len(read)
        measures = {
            "wins": ratio([(_POINTS[first] + _POINTS[second]) / 2 for first, second in read], ones),
            "consistent": ratio([float(first == second) for first, second in read], ones),
            "readable": ratio([float(None not in verdicts) for _, verdicts in found], [1.0] * len(found)),
        }
        details = [
            {
                "row": pair.where,
                **({"thought": answer.reasoning} if answer.reasoning else {}),
                "text": answer.text,
                "reference": pair.reference,
                "verdicts": list(verdicts),
            }
            for pair, (answer, verdicts) in zip(self.pairs, found, strict=True)
        ]
        return Result(measures, details)

    async def _one(
        self, endpoint: Endpoint, judging: Endpoint, pair: Pair
    ) -> tuple[said.Parted, tuple[Winner | None, Winner | None]]:
        """The answer, and who won in either order: ``first`` is the answer, ``second`` the reference."""
        body = {
            "messages": openai_form.messages(pair.messages),
            "temperature": 0,
            "max_tokens": self.max_new_tokens,
        }
        try:
            answer = said.parted((await endpoint.chat(body))["message"])
        except RequestRefused as exc:
            raise RequestRefused(exc.status, f"{pair.where}: {exc}") from exc
        try:
            straight = await judging.chat(self.judge.asked(pair, answer.text, pair.reference))
            swapped = await judging.chat(self.judge.asked(pair, pair.reference, answer.text))
        except RequestRefused as exc:
            raise EndpointError(f"the judge refuses {pair.where}: {exc}") from exc
        return answer, (verdict(straight), _turned(verdict(swapped)))


def verdict(choice: Mapping[str, Any]) -> Winner | None:
    """The verdict that a judge's answer ends with; None: there is none."""
    found = _SAID.findall(said.parted(choice["message"]).text.upper())
    words: dict[str, Winner] = {"FIRST": "first", "SECOND": "second", "TIE": "tie"}
    return words[found[-1]] if found else None


def _turned(winner: Winner | None) -> Winner | None:
    turned: dict[Winner | None, Winner] = {"first": "second", "second": "first"}
    return turned.get(winner, winner)
