"""Rounds on one endpoint, or on several in turn, so that what else the machine does falls on both alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deploy.bench.serving.load import Pace, Run, run
from deploy.bench.serving.traffic import Mix
from deploy.bench.serving.wire import Address, Endpoint

_WARM_UP_CLIENTS = 8


@dataclass(frozen=True)
class Target:
    """An endpoint, and what it calls the models of the mix, in their order."""

    url: str
    models: tuple[str, ...]
    auto: bool = False  # whether it routes who asks for ``auto``
    keys: tuple[str, ...] = field(
        default=(), repr=False
    )  # one for each caller of the mix, one for all, or none
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # more, names and values


@dataclass(frozen=True)
class Plan:
    """How much is asked, and how."""

    mix: Mix
    pace: Pace
    requests: int | None  # of one round; None: as many as come in ``seconds``
    rounds: int
    warm_up: int  # requests to each endpoint that are not counted
    timeout: float  # seconds that an answer may take
    seconds: float | None = None  # in which a round asks; what is not answered then is waited for


async def alternate(
    targets: Sequence[Target], plan: Plan, report: Callable[[str], object]
) -> list[list[Run]]:
    """The rounds of each target. In a round all get requests of the same kind, each in made-up words of its
    own (:func:`deploy.bench.serving.traffic.asks`); who begins changes each time, and each begins as often.

    Raises:
        ValueError: a target's URL is none.
    """
    endpoints = [
        Endpoint(Address.of(target.url), plan.timeout, target.keys, target.headers) for target in targets
    ]
    runs: list[list[Run]] = [[] for _ in targets]
    for place, (endpoint, target) in enumerate(zip(endpoints, targets, strict=True)):
        report(f"warming up {target.url}")
        await run(
            endpoint,
            plan.mix,
            target.models,
            Pace(concurrency=_WARM_UP_CLIENTS),
            plan.warm_up,
            part=plan.rounds,
            auto=target.auto,
            place=place,
        )
    for part in range(plan.rounds):
        for turn in range(len(targets)):
            index = (part + turn) % len(targets)
            target = targets[index]
            where = f"round {part + 1} of {plan.rounds} on {target.url}"
            often = max(1, (plan.requests or 500) // 50)
            wanted = "" if plan.requests is None else f" of {plan.requests}"

            def progress(done: int, where: str = where, often: int = often, wanted: str = wanted) -> None:
                if done % often == 0:
                    report(f"{where}: {done}{wanted} answered")

            runs[index].append(
                await run(
                    endpoints[index],
                    plan.mix,
                    target.models,
                    plan.pace,
                    plan.requests,
                    seconds=math.inf if plan.seconds is None else plan.seconds,
                    part=part,
                    auto=target.auto,
                    place=index,
                    progress=progress,
                )
            )
    for endpoint in endpoints:
        endpoint.close()
    return runs
