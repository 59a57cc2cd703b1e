"""One evaluation: a plan's parts, asked of one or more served models.

``pointsman eval model support --against pointsman-demo``

A part that can't be measured takes no other with it: the rest is measured, what is missing has its reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from training.errors import EndpointError, PartsMissing, RequestRefused, TrainingError
from training.evaluation.measures import Measure
from training.evaluation.part import Part
from training.served.endpoint import Endpoint

Report = Callable[[str], None]

_ENDED = (
    "It answered until then. vLLM's CPU build ends as a whole when it is asked for the log-probabilities of "
    "a prompt while lm_head may have an adapter: start it with --lora-target-modules and the layers that "
    "yours have, such as q_proj k_proj v_proj o_proj gate_proj up_proj down_proj"
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured on one model."""

    model: str
    versions: tuple[str, ...]  # adapter versions that answered, where the server names them
    measures: Mapping[str, Measure]  # "loss.support.nats_per_token" → ...
    details: Sequence[Mapping[str, Any]]  # one a row, with its part and model
    missing: Mapping[str, TrainingError] = field(default_factory=dict)  # part → why it could not be measured


def names(findings: Sequence[Findings]) -> list[str]:
    """Of all measures of any model."""
    return list(dict.fromkeys(name for found in findings for name in found.measures))


def refuse_gaps(findings: Sequence[Findings]) -> None:
    """Make sure that every part was measured on every model.

    Raises:
        PartsMissing: with the parts that were not, and why.
    """
    gaps = [f"{name} of {one.model}: {why}" for one in findings for name, why in one.missing.items()]
    if gaps:
        raise PartsMissing(gaps)


def evaluate(
    parts: Sequence[Part],
    models: Sequence[str],
    *,
    url: str,
    api_key: str | None,
    concurrency: int,
    report: Report,
) -> list[Findings]:
    """Ask every model all parts, ``concurrency`` requests at a time; ``report`` is told how far it is.

    Raises:
        EndpointError: the server is away or does not know a model.
        TrainingError: no part of any model could be measured; the first one's.
    """

    async def all_models() -> list[Findings]:
        async with AsyncExitStack() as stack:
            endpoints = [
                await stack.enter_async_context(
                    Endpoint(url, model, api_key=api_key, concurrency=concurrency)
                )
                for model in models
            ]
            for endpoint in endpoints:  # a wrong name of the second is said before the first is asked
                await endpoint.check()
            return [await _one(parts, endpoint, report) for endpoint in endpoints]

    findings = asyncio.run(all_models())
    if not names(findings):
        raise next(why for found in findings for why in found.missing.values())
    return findings


async def _one(parts: Sequence[Part], endpoint: Endpoint, report: Report) -> Findings:
    measures: dict[str, Measure] = {}
    details: list[dict[str, Any]] = []
    missing: dict[str, TrainingError] = {}
    away = await _away(endpoint)
    for part in parts:
        if away:
            missing[part.name] = away
            continue
        asked = 0
        total = f" of {part.requests}" if part.requests else ""

        def done(name: str = part.name, total: str = total) -> None:
            nonlocal asked
            asked += 1
            report(f"{endpoint.model}, {name}: {asked}{total} requests")

        report(f"{endpoint.model}, {part.name}: 0{total} requests")
        try:
            result = await part.ask(endpoint, done)
        except TrainingError as exc:
            away = await _away(endpoint)
            gone = away and isinstance(exc, EndpointError) and not isinstance(exc, RequestRefused)
            missing[part.name] = EndpointError(f"{exc} {_ENDED}") if gone else exc
            continue
        measures |= {f"{part.name}.{name}": measure for name, measure in result.measures.items()}
        details += [{"model": endpoint.model, "part": part.name, **row} for row in result.details]
    return Findings(endpoint.model, tuple(sorted(endpoint.answered_by)), measures, details, missing)


async def _away(endpoint: Endpoint) -> EndpointError | None:
    """Why it is no use to ask for more parts, if it is none."""
    try:
        await endpoint.check()
    except EndpointError as exc:
        return EndpointError(f"not asked any more: {exc}")
    return None
