"""The gateway alone: in front of an engine that answers at once, on one core, beside that engine itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from deploy.bench.beside import peers, processes
from deploy.bench.beside.asking import Row
from deploy.bench.beside.world import BASE, DEMO, World, write_gateway
from deploy.bench.serving.load import Pace, Run, run
from deploy.bench.serving.traffic import Mix
from deploy.bench.serving.wire import Address, Endpoint

_TOKENS = 128
_CLIENTS = 32
_STREAMS = 128
_EVERY = 0.005  # seconds between tokens of a stream: more than the gateway is to do in that time
_START_SECONDS = 180.0


def measure(
    folder: Path, logs: Path, repeats: int, say: Callable[[str], object], litellm: Path | None = None
) -> list[Row]:
    """Rows on requests/s, tokens/s, added time and memory; unstreamed of LiteLLM's proxy too, if it is named.

    The gateway gets a core of its own, if there are two. CPU seconds of it tell more than the clock where
    others use the machine too.
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
            log = logs / "instant.log"
            with processes.instant(log, BASE, _TOKENS, every, other) as engine:
                config = write_gateway(world, engine.url, 1, admission)
                with processes.gateway(config, logs / "gateway-alone.log", _START_SECONDS, ours) as gateway:
                    rows += (
                        _streams(engine, gateway, repeats, say)
                        if every
                        else _requests(engine, gateway, repeats, say)
                    )
                if litellm is not None and not every:  # it ends a stream of the stand-in before its end
                    try:
                        with peers.litellm(litellm, engine.url, BASE, logs / "litellm.log", ours) as peer:
                            say("LiteLLM's proxy")
                            found = _requests(engine, peer, repeats, say, requests=400)
                    except processes.NotStarted as exc:  # the gateway's own rows are worth having
                        say(f"LiteLLM's proxy: {exc}")
                        continue
                    rows += [replace(one, name=one.name.replace("gateway", "LiteLLM")) for one in found[:2]]
    finally:
        os.sched_setaffinity(0, set(cores))
    return rows


def _requests(
    engine: processes.Running,
    gateway: processes.Running,
    repeats: int,
    say: Callable[[str], object],
    *,
    requests: int = 4_000,
) -> list[Row]:
    rates, by_cpu, added, direct = [], [], [], []
    _ask(gateway.url, 0.0, 8, requests // 10)
    for part in range(repeats):
        before = gateway.cpu_seconds()
        found = _ask(gateway.url, 0.0, _CLIENTS, requests, part)
        by_cpu.append(requests / (gateway.cpu_seconds() - before))
        rates.append(len(found.results) / found.seconds)
        times = [
            float(np.median([result.seconds for result in _ask(url, 0.0, 1, requests // 8, part).results]))
            for url in (gateway.url, engine.url)
        ]
        added.append((times[0] - times[1]) * 1_000)
        direct.append(times[1] * 1_000)
        say(f"{rates[-1]:.0f} requests/s, {by_cpu[-1]:.0f} by CPU second; {added[-1]:.2f} ms added")
    return [
        Row(
            f"gateway alone, one core, {_CLIENTS} clients, unstreamed",
            "1,500 requests/s",
            "-",
            f"{np.median(rates):.0f} requests/s; {np.median(by_cpu):.0f} by CPU second",
            f"{min(rates):.0f} to {max(rates):.0f}; {min(by_cpu):.0f} to {max(by_cpu):.0f}",
            {"rates": rates, "by_cpu": by_cpu},
        ),
        Row(
            "the same, one client: added at p50",
            "1 ms",
            f"{np.median(direct):.2f} ms",
            f"{np.median(added):+.2f} ms",
            f"{min(added):.2f} to {max(added):.2f}",
            {"added_ms": added, "direct_ms": direct},
        ),
    ]


def _streams(
    engine: processes.Running,
    gateway: processes.Running,
    repeats: int,
    say: Callable[[str], object],
) -> list[Row]:
    memory = gateway.memory_mb()  # of the second gateway, which finds the encoder's export made
    rates, by_cpu = [], []
    _ask(gateway.url, 1.0, 8, 32)
    for part in range(repeats):
        before = gateway.cpu_seconds()
        found = _ask(gateway.url, 1.0, _STREAMS, 6 * _STREAMS, part)
        used = gateway.cpu_seconds() - before
        tokens = sum(result.tokens for result in found.results)
        rates.append(tokens / found.seconds)
        by_cpu.append(tokens / used)
        pieces = sum(len(result.gaps) + 1 for result in found.results)
        say(f"{rates[-1]:.0f} tokens/s, {by_cpu[-1]:.0f} by CPU second; {tokens / pieces:.1f} tokens a piece")
    return [
        Row(
            f"gateway alone, one core, {_STREAMS} streams, each token sent by itself",
            "60,000 tokens/s",
            "-",
            f"{np.median(rates):.0f} tokens/s; {np.median(by_cpu):.0f} by CPU second",
            f"{min(rates):.0f} to {max(rates):.0f}; {min(by_cpu):.0f} to {max(by_cpu):.0f}",
            {"rates": rates, "by_cpu": by_cpu},
        ),
        Row("idle memory, router fitted", "350 MB", "-", f"{memory:.0f} MB", "", {"mb": memory}),
    ]


def _ask(url: str, stream: float, clients: int, requests: int, part: int = 0) -> Run:
    mix = Mix((BASE,), prompt_words=(100, 100), max_tokens=(_TOKENS, _TOKENS), stream=stream)

    async def ask() -> Run:
        endpoint = Endpoint(Address.of(url, None), 60.0)
        found = await run(endpoint, mix, (BASE,), Pace(concurrency=clients), requests, part=part)
        endpoint.close()
        return found

    found = asyncio.run(ask())
    if wrong := {result.error for result in found.results if result.error is not None}:
        raise RuntimeError(f"{url}: {wrong}")
    return found
