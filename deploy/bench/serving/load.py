"""Sends the traffic: a closed loop (so many clients, each asks again when it is answered) or an open one.

In an open loop requests come at random times whatever the server does, as users do. A request that is sent
late counts from when it should have been, or a server that stalls would look better than it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deploy.bench.serving.result import Result, result_of
from deploy.bench.serving.traffic import Ask, Mix, asks
from deploy.bench.serving.wire import Endpoint, WireError

Send = Callable[[Ask, float], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Pace:
    """How requests come: exactly one of the first two is set."""

    concurrency: int | None = None  # clients of a closed loop
    rate: float | None = None  # requests/s of an open loop, on average
    burst: float = (
        1.0  # coefficient of variation of its gaps: 0 is an even beat, 1 Poisson, more comes in bursts
    )

    def times(self, requests: int, seed: Sequence[int]) -> list[float]:
        """When the requests of an open loop come, in seconds: gaps of a Gamma distribution, as vLLM's bench
        has them, whose ``burstiness`` is 1 / ``burst`` squared."""
        assert self.rate is not None
        if not self.burst:
            return [(count + 1) / self.rate for count in range(requests)]
        random, shape = np.random.default_rng(seed), 1 / self.burst**2
        return [float(time) for time in random.gamma(shape, 1 / (self.rate * shape), requests).cumsum()]


@dataclass(frozen=True)
class Run:
    """One round on one endpoint."""

    seconds: float  # from the first request to the last answer
    results: tuple[Result, ...]
    lag: float  # seconds that the generator itself was late, at the 99th percentile; 0 in a closed loop
    began: float = 0.0  # time.perf_counter() at the first request


async def run(
    endpoint: Endpoint,
    mix: Mix,
    names: Sequence[str],
    pace: Pace,
    requests: int,
    *,
    part: int = 0,
    auto: bool = False,
    place: int = 0,
    progress: Callable[[int], object] = lambda _: None,
) -> Run:
    """``requests`` requests, all answered or failed. An error is a result, never an exception.

    ``auto`` says that the endpoint routes, and gets those requests that are to be routed so; ``place`` is
    its own among those that are asked in turn.
    """
    source = asks(mix, names, part, auto=auto, place=place)
    ready = [next(source) for _ in range(requests)]  # made before the clock starts
    results: list[Result] = []

    async def one(ask: Ask, due: float) -> None:
        try:
            answer = await endpoint.ask(ask.body, ask.caller, headed=ask.headed)
        except WireError as exc:
            found = Result(ask.model, time.perf_counter() - due, error=str(exc))
        else:
            ended = answer.chunks[-1][0] if answer.chunks else time.perf_counter()
            found = result_of(ask, answer, due, ended)
        results.append(replace(found, at=due - began, caller=ask.caller))
        progress(len(results))

    began = time.perf_counter()
    if pace.concurrency is not None:
        await _closed(iter(ready), pace.concurrency, one)
        lag = 0.0
    else:
        times = pace.times(requests, [mix.seed, part, 1])
        lag = await _open(ready, [began + after for after in times], one)
    return Run(time.perf_counter() - began, tuple(results), lag, began)


async def _closed(ready: Iterator[Ask], clients: int, one: Send) -> None:
    async def client() -> None:
        for ask in ready:
            await one(ask, time.perf_counter())

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())


async def _open(ready: Sequence[Ask], times: Sequence[float], one: Send) -> float:
    late = []
    async with asyncio.TaskGroup() as group:
        for ask, due in zip(ready, times, strict=True):
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            late.append(time.perf_counter() - due)
            group.create_task(one(ask, due))
    return float(np.percentile(late, 99))
