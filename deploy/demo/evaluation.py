"""How good the demo is: held-out cases sent through a running gateway with ``model: "auto"``, and scored.

Nothing is looked into but the answer and its headers: the same request that any client sends, except that
``x-pointsman-trace`` asks for the tool calls that were made. ``pointsman eval demo`` shows the report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from deploy.demo.cases.cases import load
from deploy.demo.scoring import Answer, Call, faults
from deploy.demo.text.corpus import held_out
from deploy.demo.text.sample import Intent, Language, Message, Sample

if TYPE_CHECKING:
    from openai import AsyncOpenAI

INTENTS: tuple[Intent, ...] = get_args(Intent)
LANGUAGES: tuple[Language, ...] = get_args(Language)
BARRED: frozenset[Intent] = frozenset(
    ("track_parcel", "change_address", "complaint", "arithmetic", "order_json")
)
BARS: dict[Language, float] = {"en": 0.95, "zh": 0.90}  # of the barred intents' cases that must be right
ABSTAINED = "fallback"  # what the gateway calls the intent of a request that belongs to no route
SECONDS = 120.0  # for one answer


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case."""

    sample: Sample
    text: str  # of the answer, "" where there was none
    routed: str | None  # the intent that the gateway found; None where it said none
    faults: tuple[str, ...]

    @property
    def routed_right(self) -> bool:
        """Whether the intent is the sample's; a case out of scope belongs to the fallback."""
        wanted = ABSTAINED if self.sample.intent == "out_of_scope" else self.sample.intent
        return self.routed == wanted


@dataclass(frozen=True, slots=True)
class Score:
    """The cases of one intent in one language."""

    intent: Intent
    language: Language
    cases: int
    done: int
    routed: int
    bar: float | None  # share of the cases that must be done

    @property
    def below(self) -> bool:
        """Whether the bar is missed."""
        return self.bar is not None and self.done < self.bar * self.cases


def cases(
    count: int,
    seed: int,
    languages: Iterable[Language] = LANGUAGES,
    intents: Iterable[Intent] = INTENTS,
    file: Path | None = None,
) -> list[Sample]:
    """``count`` held-out cases of each intent in each language, or all that ``file`` has of them.

    Raises:
        ValueError: ``file`` has bad lines, each of which is named.
        OSError: it can't be read.
    """
    wanted = [(intent, language) for intent in intents for language in languages]
    if file is not None:
        given = load(file)
        return [sample for key in wanted for sample in given if (sample.intent, sample.language) == key]
    return [sample for intent, language in wanted for sample in held_out(intent, language, count, seed)]


def scores(outcomes: Sequence[Outcome]) -> list[Score]:
    """Counted by intent and language, in the order in which they first come."""
    groups: dict[tuple[Intent, Language], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.sample.intent, outcome.sample.language), []).append(outcome)
    return [
        Score(
            intent,
            language,
            cases=len(group),
            done=sum(not outcome.faults for outcome in group),
            routed=sum(outcome.routed_right for outcome in group),
            bar=BARS[language] if intent in BARRED else None,
        )
        for (intent, language), group in groups.items()
    ]


async def evaluate(
    url: str,
    samples: Sequence[Sample],
    concurrency: int = 8,
    api_key: str | None = None,
    done: Callable[[], object] = lambda: None,
) -> list[Outcome]:
    """Ask the gateway at ``url`` every case, ``concurrency`` at a time; ``done`` is called after each.

    An error of the gateway is a fault of its case; so is no answer within ``SECONDS``.
    """
    from openai import AsyncOpenAI

    places = asyncio.Semaphore(concurrency)
    client = AsyncOpenAI(
        base_url=url.rstrip("/") + "/v1", api_key=api_key or "none", timeout=SECONDS, max_retries=0
    )

    async def one(sample: Sample) -> Outcome:
        async with places:
            outcome = await _ask(client, sample)
        done()
        return outcome

    async with client:
        return list(await asyncio.gather(*(one(sample) for sample in samples)))


async def _ask(client: AsyncOpenAI, sample: Sample) -> Outcome:
    from openai import OpenAIError

    try:
        response = await client.chat.completions.with_raw_response.create(
            model="auto",
            messages=question(sample),  # type: ignore[arg-type]
            extra_headers={"x-pointsman-trace": "1"},
        )
        completion = response.parse()
    except (OpenAIError, ValueError) as exc:
        return Outcome(sample, "", None, (f"{type(exc).__name__}: {exc}",))
    steps: list[dict[str, Any]] = (completion.model_extra or {}).get("pointsman", {}).get("steps", [])
    calls = [Call(step["tool"], step["arguments"]) for step in steps if "tool" in step]
    text = completion.choices[0].message.content or ""
    routed = response.headers.get("x-pointsman-intent")
    return Outcome(sample, text, routed, tuple(faults(sample.expect, Answer(text, calls))))


def question(sample: Sample) -> list[Message]:
    """The conversation up to its last request."""
    last = max(i for i, message in enumerate(sample.messages) if message["role"] == "user")
    return list(sample.messages[: last + 1])
