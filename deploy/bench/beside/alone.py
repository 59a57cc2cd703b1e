"""The gateway alone: in front of an engine that answers at once, on one core, beside that engine itself.

Other proxies that are named stand in front of the same engine on the same core, and are asked in turn with
it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from deploy.bench.beside import processes
from deploy.bench.beside.asking import Row
from deploy.bench.beside.peers import Peer
from deploy.bench.beside.world import BASE, DEMO, World, write_gateway
from deploy.bench.serving.load import Pace, Run, run
from deploy.bench.serving.traffic import Mix
from deploy.bench.serving.wire import Address, Endpoint

_TOKENS = 128
_CLIENTS = 32
_STREAMS = 128
_EVERY = 0.005  # seconds between tokens of a stream: more than the gateway is to do in that time
_START_SECONDS = 180.0
_OURS = "gateway"
_FEWER = {"LiteLLM": 10}  # what is slow is asked a part of the requests

Say = Callable[[str], object]


def measure(
    folder: Path, logs: Path, repeats: int, say: Say, proxies: Mapping[str, Peer] | None = None
) -> list[Row]:
    """Rows on requests/s, tokens/s, added time and memory.

    The gateway gets a core of its own, if there are two. CPU seconds of it tell more than the clock where
    others use the machine too, and of streams they alone tell what it can carry: 128 streams are asked for
    25,600 tokens/s at most, and with more of them engine and generator, on the other core, made 70,000.
    """
    cores = sorted(os.sched_getaffinity(0))
    ours, other = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
    if other is not None:
        os.sched_setaffinity(0, {other})  # the generator, beside the engine
    world = World(folder, DEMO / "base", (), 16)
    admission = {"max_concurrent": 512, "max_queue": 1_000}
    rows: list[Row] = []
    try:
        for every in (0.0, _EVERY):
            with ExitStack() as held:
                log = logs / "instant.log"
                engine = held.enter_context(processes.instant(log, BASE, _TOKENS, every, other))
                config = write_gateway(world, engine.url, 1, admission)
                log = logs / "gateway-alone.log"
                asked = {_OURS: held.enter_context(processes.gateway(config, log, _START_SECONDS, ours))}
                memory = asked[_OURS].memory_mb()
                for name, start in (proxies or {}).items():
                    try:
                        peer = start(engine.url, BASE, logs / f"{name.lower()}.log", ours)
                        asked[name] = held.enter_context(peer)
                    except processes.NotStarted as exc:  # the gateway's own rows are worth having
                        say(f"{name}: {exc}")
                if every:  # the second gateway, which finds the encoder's export made
                    rows += _streams(asked, repeats, say)
                    shown = f"{memory:.0f} MB"
                    rows.append(Row("idle memory, router fitted", "350 MB", "-", shown, "", {"mb": memory}))
                else:
                    rows += _requests(engine, asked, repeats, say)
    finally:
        os.sched_setaffinity(0, set(cores))
    return rows


class _Found(dict[str, dict[str, list[float]]]):
    """Numbers by proxy and kind, one for each round."""

    def add(self, proxy: str, **numbers: float) -> None:
        for kind, number in numbers.items():
            self.setdefault(proxy, {}).setdefault(kind, []).append(number)


def _requests(
    engine: processes.Running, asked: Mapping[str, processes.Running], repeats: int, say: Say
) -> list[Row]:
    found = _Found()
    for name, proxy in asked.items():
        _ask(proxy.url, 0.0, 8, 400 // _FEWER.get(name, 1))
    for part in range(repeats):
        for name, proxy in asked.items():
            requests = 4_000 // _FEWER.get(name, 1)
            answered, used = _round(proxy, 0.0, _CLIENTS, requests, part)
            rate, by_cpu = requests / answered.seconds, requests / used
            alone = [_ask(url, 0.0, 1, max(requests // 8, 100), part) for url in (proxy.url, engine.url)]
            through, direct = ([result.seconds * 1_000 for result in one.results] for one in alone)
            p50 = _added(through, direct, 50)
            found.add(name, rate=rate, by_cpu=by_cpu, direct=float(np.median(direct)))
            found.add(name, p50=p50, p99=_added(through, direct, 99))
            say(f"{name}: {rate:.0f} requests/s, {by_cpu:.0f} by CPU second; {p50:.2f} ms added")
    rows = []
    for name, numbers in found.items():
        goal = ("1,500 requests/s", "1 ms") if name == _OURS else ("", "")
        rows += [
            _rates(f"{name} alone, one core, {_CLIENTS} clients, unstreamed", goal[0], "requests/s", numbers),
            Row(
                f"{name}, one client: added at p50 / p99",
                goal[1],
                f"{np.median(numbers['direct']):.2f} ms",
                f"{np.median(numbers['p50']):+.2f} / {np.median(numbers['p99']):+.2f} ms",
                f"{min(numbers['p50']):.2f} to {max(numbers['p50']):.2f}",
                numbers,
            ),
        ]
    return rows


def _streams(asked: Mapping[str, processes.Running], repeats: int, say: Say) -> list[Row]:
    found = _Found()
    for name, proxy in asked.items():
        _ask(proxy.url, 1.0, 8, 32 // _FEWER.get(name, 1))
    for part in range(repeats):
        for name, proxy in asked.items():
            streams = 6 * _STREAMS // _FEWER.get(name, 1)
            answered, used = _round(proxy, 1.0, _STREAMS, streams, part)
            tokens = sum(result.tokens for result in answered.results)
            rate, by_cpu = tokens / answered.seconds, tokens / used
            per_piece = tokens / sum(len(result.gaps) + 1 for result in answered.results)
            found.add(name, rate=rate, by_cpu=by_cpu, per_piece=per_piece)
            say(f"{name}: {rate:.0f} tokens/s, {by_cpu:.0f} by CPU second; {per_piece:.2f} a piece")
    return [
        _rates(
            f"{name} alone, one core, {_STREAMS} streams, each token sent by itself",
            "60,000 tokens/s" if name == _OURS else "",
            "tokens/s",
            numbers,
        )
        for name, numbers in found.items()
    ]


def _round(
    proxy: processes.Running, stream: float, clients: int, requests: int, part: int
) -> tuple[Run, float]:
    """One round on a proxy, and its CPU seconds."""
    before = proxy.cpu_seconds()
    found = _ask(proxy.url, stream, clients, requests, part)
    return found, proxy.cpu_seconds() - before


def _added(through: list[float], direct: list[float], percentile: int) -> float:
    return float(np.percentile(through, percentile) - np.percentile(direct, percentile))


def _rates(name: str, goal: str, unit: str, numbers: Mapping[str, list[float]]) -> Row:
    rates, by_cpu = numbers["rate"], numbers["by_cpu"]
    return Row(
        name,
        goal,
        "-",
        f"{np.median(rates):.0f} {unit}; {np.median(by_cpu):.0f} by CPU second",
        f"{min(rates):.0f} to {max(rates):.0f}; {min(by_cpu):.0f} to {max(by_cpu):.0f}",
        dict[str, Any](numbers),
    )


def _ask(url: str, stream: float, clients: int, requests: int, part: int = 0) -> Run:
    mix = Mix((BASE,), prompt_words=(100, 100), max_tokens=(_TOKENS, _TOKENS), stream=stream)

    async def ask() -> Run:
        endpoint = Endpoint(Address.of(url), 60.0)
        found = await run(endpoint, mix, (BASE,), Pace(concurrency=clients), requests, part=part)
        endpoint.close()
        return found

    found = asyncio.run(ask())
    if wrong := {result.error for result in found.results if result.error is not None}:
        raise RuntimeError(f"{url}: {wrong}")
    return found
