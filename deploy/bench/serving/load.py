"""Sends the traffic: a closed loop (so many clients, each asks again when it is answered) or an open one.

In an open loop requests come at random times whatever the server does, as users do. A request that is sent
late counts from when it should have been, or a server that stalls would look better than it is.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
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

    def times_within(self, seconds: float, seed: Sequence[int]) -> list[float]:
        """The same, of those that come within ``seconds``; at least the first."""
        assert self.rate is not None
        requests = 1 + int(seconds * self.rate)
        while (times := self.times(requests, seed))[-1] <= seconds:
            requests *= 2
        return [time for time in times if time <= seconds] or times[:1]


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
    requests: int | None,
    *,
    seconds: float = math.inf,
    part: int = 0,
    auto: bool = False,
    place: int = 0,
    progress: Callable[[int], object] = lambda _: None,
) -> Run:
    """``requests`` requests, or, if that is None, those of ``seconds``; all answered or failed. An error is a
    result, never an exception.

    ``auto`` says that the endpoint routes, and gets those requests that are to be routed so; ``place`` is
    its own among those that are asked in turn.
    """
    source = asks(mix, names, part, auto=auto, place=place)
    times: list[float] = []
    if pace.rate is not None:
        seed = [mix.seed, part, 1]
        times = pace.times_within(seconds, seed) if requests is None else pace.times(requests, seed)
        requests = len(times)
    ready = [next(source) for _ in range(requests or 0)]  # made before the clock starts, where it is known
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
        endless = takewhile(lambda _: time.perf_counter() - began < seconds, source)
        await _closed(endless if requests is None else iter(ready), pace.concurrency, one)
        lag = 0.0
    else:
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
