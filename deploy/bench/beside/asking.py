"""Traffic to both endpoints, and what comes of it as the cells of a row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import numpy as np

from deploy.bench.serving.alternate import Plan, Target, alternate
from deploy.bench.serving.compare import Over, throughput
from deploy.bench.serving.load import Pace, Run, run
from deploy.bench.serving.report import Spread, Summary
from deploy.bench.serving.traffic import Mix
from deploy.bench.serving.wire import Address, Endpoint

_ANSWER_SECONDS = 120.0


@dataclass(frozen=True)
class Sizes:
    """How much is asked, and of how many adapters."""

    words: int  # of a prompt
    tokens: int  # of an answer, exactly
    clients: int
    requests: int  # of one round
    rounds: int
    few: int  # adapters that fit into one batch
    all: int  # adapters in all
    many_clients: int  # that ask for all
    crowd: int  # requests of a round in which they do: a round's end, with few of them left, should not count
    seconds: float  # of an open loop
    overload: float  # seconds of one that is far too much
    learning: float  # seconds in which the number of slots is learned
    narrow: int  # requests that the second gateway lets in at once


@dataclass(frozen=True)
class Row:
    """A line of the table, and all numbers behind it."""

    name: str
    to_reach: str
    plain: str
    ours: str
    ratio: str
    numbers: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Pair:
    """The same requests on both endpoints."""

    ours: Summary
    plain: Summary
    ratio: Over | None

    def numbers(self) -> dict[str, Any]:
        """For a file."""
        return {"ours": asdict(self.ours), "plain": asdict(self.plain), "ratio": self.shown()}

    def shown(self) -> str:
        """The ratio of throughputs with its spread over the rounds."""
        if self.ratio is None:
            return "-"
        return f"{self.ratio.median:.2f} ({self.ratio.lowest:.2f} to {self.ratio.highest:.2f})"


@dataclass(frozen=True)
class Ends:
    """The two endpoints, and how they call an adapter."""

    gateway: str
    engine: str
    sizes: Sizes
    say: Callable[[str], object]

    @staticmethod
    def plain(name: str) -> str:
        """The engine's own name for what the gateway calls ``name``."""
        return f"plain-{name}"

    def mix(self, models: Sequence[str], zipf: float = 0.0) -> Mix:
        """Traffic for ``models``, all of it streamed."""
        words, tokens = self.sizes.words, self.sizes.tokens
        return Mix(tuple(models), zipf, (words, words), (tokens, tokens), stream=1.0, ignore_eos=True)

    def pair(
        self,
        models: Sequence[str],
        pace: Pace,
        *,
        zipf: float = 0.0,
        requests: int | None = None,
        rounds: int | None = None,
        plain: Sequence[str] | None = None,
    ) -> Pair:
        """Ask both in turn; ``plain`` are the engine's names where they are not the usual ones."""
        named = tuple(plain if plain is not None else map(self.plain, models))
        targets = [Target(self.gateway, tuple(models)), Target(self.engine, named)]
        return self.between(targets, models, pace, zipf=zipf, requests=requests, rounds=rounds)

    def between(
        self,
        targets: Sequence[Target],
        models: Sequence[str],
        pace: Pace,
        *,
        zipf: float = 0.0,
        requests: int | None = None,
        rounds: int | None = None,
    ) -> Pair:
        """Ask two targets in turn."""
        named = dict(zip(("Pointsman", "vLLM"), targets, strict=True))
        (pair,) = self.beside(named, models, pace, zipf=zipf, requests=requests, rounds=rounds)
        return pair

    def beside(
        self,
        targets: Mapping[str, Target],
        models: Sequence[str],
        pace: Pace,
        *,
        zipf: float = 0.0,
        requests: int | None = None,
        rounds: int | None = None,
    ) -> list[Pair]:
        """Ask all targets in turn, and give the first beside each other one."""
        plan = Plan(
            self.mix(models, zipf),
            pace,
            requests or self.sizes.requests,
            rounds or self.sizes.rounds,
            warm_up=self.sizes.clients // 4,
            timeout=_ANSWER_SECONDS,
        )
        found = asyncio.run(alternate(list(targets.values()), plan, lambda _: None))
        ours, *others = map(Summary.of, targets, found)
        pairs = [Pair(ours, other, throughput(ours, other)) for other in others]
        for pair in pairs:
            rates = f"{ours.throughput:.1f}/s beside {pair.plain.name}'s {pair.plain.throughput:.1f}"
            self.say(f"{rates}: {pair.shown()} {errors(pair)}")
        return pairs

    def warm(self, url: str, models: Sequence[str]) -> None:
        """Ask with one client, then with more: kernels are compiled at the first batch of a size."""
        clients = 1
        while clients <= self.sizes.many_clients:
            self.alone(url, models, Pace(concurrency=clients), clients)
            clients *= 4

    def alone(self, url: str, models: Sequence[str], pace: Pace, requests: int, part: int = 0) -> Run:
        """One round on one of them; ``models`` as it calls them."""

        async def ask() -> Run:
            endpoint = Endpoint(Address.of(url), _ANSWER_SECONDS)
            found = await run(endpoint, self.mix(models), tuple(models), pace, requests, part=part)
            endpoint.close()
            return found

        return asyncio.run(ask())


def errors(pair: Pair) -> str:
    """What went wrong, if anything did."""
    found = {one.name: one.errors for one in (pair.ours, pair.plain) if one.errors}
    return f"errors: {found}" if found else ""


def answered_per_second(found: Run) -> float:
    """Throughput of one round."""
    return sum(result.error is None for result in found.results) / found.seconds


def first_token_after(begin: Callable[[], None], url: str, model: str, ends: Ends) -> float:
    """Seconds from the call of ``begin`` to the first token of a request that is sent when it returns."""
    began = time.perf_counter()
    begin()
    waited = time.perf_counter() - began
    found = ends.alone(url, [model], Pace(concurrency=1), 1).results[0]
    if found.first is None:
        raise RuntimeError(f"{model} at {url} did not answer: {found.error}")
    return waited + found.first


def post(url: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any] | str:
    """The answer to a POST, which must succeed."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = httpx.post(url, json=body, headers=headers, timeout=_ANSWER_SECONDS, trust_env=False)
    if answer.is_error:
        raise RuntimeError(f"{url}: {answer.status_code} {answer.text[:500]}")
    return answer.json() if answer.headers.get("content-type") == "application/json" else answer.text


def milliseconds(spread: Spread | None) -> str:
    """p50 / p99."""
    return "-" if spread is None else f"{spread.p50:.0f} / {spread.p99:.0f} ms"


def shown_spread(values: Sequence[float], digits: int = 2) -> str:
    """Median, least and most."""
    return f"{np.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
