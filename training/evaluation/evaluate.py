"""One evaluation: a plan's parts, asked of one or more served models.

``pointsman eval model support --against pointsman-demo``
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from training.evaluation.measures import Measure
from training.evaluation.part import Part
from training.served.endpoint import Endpoint

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured on one model."""

    model: str
    versions: tuple[str, ...]  # adapter versions that answered, where the server names them
    measures: Mapping[str, Measure]  # "loss.support.nats_per_token" → ...
    details: Sequence[Mapping[str, Any]]  # one a row, with its part and model


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
        EndpointError: the server is away, does not know a model, or answers in another form.
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

    return asyncio.run(all_models())


async def _one(parts: Sequence[Part], endpoint: Endpoint, report: Report) -> Findings:
    measures: dict[str, Measure] = {}
    details: list[dict[str, Any]] = []
    for part in parts:
        asked = 0
        total = f" of {part.requests}" if part.requests else ""

        def done(name: str = part.name, total: str = total) -> None:
            nonlocal asked
            asked += 1
            report(f"{endpoint.model}, {name}: {asked}{total} requests")

        report(f"{endpoint.model}, {part.name}: 0{total} requests")
        result = await part.ask(endpoint, done)
        measures |= {f"{part.name}.{name}": measure for name, measure in result.measures.items()}
        details += [{"model": endpoint.model, "part": part.name, **row} for row in result.details]
    return Findings(endpoint.model, tuple(sorted(endpoint.answered_by)), measures, details)
