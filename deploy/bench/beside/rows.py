"""The rows that need an engine. Each asks, and says what came of it beside what is to be reached."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from deploy.bench.beside.asking import (
    Ends,
    Pair,
    Row,
    answered_per_second,
    first_token_after,
    milliseconds,
    post,
    shown_spread,
)
from deploy.bench.beside.world import BASE, World
from deploy.bench.serving.alternate import Target
from deploy.bench.serving.load import Pace
from deploy.bench.serving.report import Spread

_PROMOTIONS = 5
_LOAD_SECONDS = 30.0
_LENGTH = 3  # rounds' lengths of one, where both ends are nearly alike: an engine has fast and slow seconds


def base(ends: Ends) -> tuple[Row, Pair]:
    """The base alone: what a gateway in between costs."""
    sizes = ends.sizes
    pace = Pace(concurrency=sizes.clients)
    pair = ends.pair([BASE], pace, requests=_LENGTH * sizes.requests, plain=[BASE])
    return _row(f"base, {sizes.clients} clients", "0.98 of plain", pair), pair


def one_adapter(ends: Ends, adapter: str) -> Row:
    """One adapter at the same load."""
    sizes = ends.sizes
    pair = ends.pair([adapter], Pace(concurrency=sizes.clients))
    return _row(f"one adapter, {sizes.clients} clients", "0.98 of plain", pair)


def proxies(ends: Ends, behind: str, named: Mapping[str, str]) -> list[Row]:
    """The base through the gateway, from the engine ``behind`` it, and through other proxies in front of that
    engine, all in turn; a row for each of the others."""
    clients = ends.sizes.clients
    urls = {"Pointsman": ends.gateway, "plain vLLM": behind, **named}
    targets = {name: Target(url, (BASE,)) for name, url in urls.items()}
    found = []
    for pair in ends.beside(targets, [BASE], Pace(concurrency=clients)):
        first = [milliseconds(one.times.first_token) for one in (pair.ours, pair.plain)]
        more = f"; first token {first[0]} for {first[1]}"
        found.append(_row(f"base, {clients} clients, beside {pair.plain.name}", "", pair, more))
    return found


def mixed(ends: Ends, adapters: Sequence[str], alone: Pair | None, note: str = "") -> tuple[Row, Pair]:
    """Adapters in equal shares, as many as fit into one batch."""
    sizes = ends.sizes
    pair = ends.pair(adapters, Pace(concurrency=sizes.clients))
    by_base = (
        "" if alone is None else f"; {pair.ours.throughput / alone.plain.throughput:.2f} of plain's base"
    )
    name = f"{len(adapters)} adapters alike, {sizes.clients} clients{note}"
    return _row(name, "1.3 of plain; 0.8 of base", pair, by_base), pair


def crowded(ends: Ends, adapters: Sequence[str], slots: int, note: str = "") -> Row:
    """More adapters than fit into one batch."""
    sizes = ends.sizes
    pair = ends.pair(
        adapters,
        Pace(concurrency=sizes.many_clients),
        zipf=1.0,
        requests=sizes.crowd,
        rounds=max(1, sizes.rounds // 2),
    )
    waits = [milliseconds(one.times.first_token) for one in (pair.ours, pair.plain)]
    name = f"{len(adapters)} adapters by Zipf 1.0, {slots} in a batch, {sizes.many_clients} clients{note}"
    return _row(name, "1.5 of plain, p99 not worse", pair, f"; first token {waits[0]} for {waits[1]}")


def open_loop(ends: Ends, adapters: Sequence[str], capacity: float) -> Row:
    """Requests that come when they come, at 80 % of what the slower of the two serves."""
    rate = 0.8 * capacity
    pair = ends.pair(adapters, Pace(rate=rate), requests=max(20, int(rate * ends.sizes.seconds)))
    ours, plain = pair.ours.times.end_to_end, pair.plain.times.end_to_end
    ratio = "-" if ours is None or plain is None else f"p99 {ours.p99 / plain.p99:.2f}"
    return Row(
        f"open loop, {rate:.0f} requests/s (80 %): end to end, p50 / p99",
        "p99 at most plain's",
        milliseconds(plain),
        milliseconds(ours),
        ratio,
        pair.numbers(),
    )


def promotion(ends: Ends, world: World, fresh: Sequence[str], key: str) -> Row:
    """From the call that makes an adapter live to the first token of an answer by it.

    The gateway has loaded it by then, as it does with what is registered; plain vLLM has no such step.
    """
    ours, plain = [], []
    for alias in fresh[:_PROMOTIONS]:
        version = post(f"{ends.gateway}/admin/adapters", {"alias": alias, "folder": alias}, key)
        assert isinstance(version, dict)
        call = {"version": version["version"]}
        _wait_until_loaded(f"{ends.gateway}/admin/adapters", str(version["name"]), key)
        ours.append(
            first_token_after(
                lambda alias=alias, call=call: _do(  # type: ignore[misc]
                    f"{ends.gateway}/admin/adapters/{alias}/promote", call, key
                ),
                ends.gateway,
                alias,
                ends,
            )
        )
        body = {"lora_name": ends.plain(alias), "lora_path": str(world.artefact(alias))}
        plain.append(
            first_token_after(
                lambda body=body: _do(f"{ends.engine}/v1/load_lora_adapter", body),  # type: ignore[misc]
                ends.engine,
                ends.plain(alias),
                ends,
            )
        )
    cells = [f"{shown_spread([1_000 * one for one in found], 0)} ms" for found in (plain, ours)]
    ends.say(f"promotion: {cells}")
    numbers = {"ours": ours, "plain": plain}
    return Row("promoted to first token", "150 ms", cells[0], cells[1], "", numbers)


def many(ends: Ends, note: str = "", learning: float = 0.0) -> Row:
    """The base with many clients, after so many seconds in which a gateway may learn how much goes in."""
    pace, asked = Pace(concurrency=ends.sizes.many_clients), 2 * ends.sizes.many_clients
    if learning:
        rate = answered_per_second(ends.alone(ends.gateway, [BASE], pace, asked))
        ends.alone(ends.gateway, [BASE], pace, int(rate * learning), part=1)
    pair = ends.pair([BASE], pace, requests=asked, plain=[BASE])
    return _row(f"base, {ends.sizes.many_clients} clients{note}", "-", pair)


def routed(ends: Ends, adapter: str) -> Row:
    """``auto`` beside the adapter that it finds."""
    targets = [Target(ends.gateway, ("auto",)), Target(ends.gateway, (adapter,))]
    pace, requests = Pace(concurrency=ends.sizes.clients), _LENGTH * ends.sizes.requests
    pair = ends.between(targets, [adapter], pace, requests=requests)
    cells = [f"{one.throughput:.1f}/s" for one in (pair.plain, pair.ours)]
    name = "auto (right) by named (left)"
    return Row(name, "0.97", cells[0], cells[1], pair.shown(), pair.numbers())


def overload(ends: Ends, adapter: str, capacity: float) -> Row:
    """Three times what is served."""
    rate = 3 * capacity
    seconds = ends.sizes.overload
    found = ends.alone(ends.gateway, [adapter], Pace(rate=rate), max(30, int(rate * seconds)))
    refused = Spread.of(result.seconds for result in found.results if result.error == "HTTP 429")
    good = answered_per_second(found)
    others = [result.error for result in found.results if result.error not in (None, "HTTP 429")]
    share = sum(result.error == "HTTP 429" for result in found.results) / len(found.results)
    numbers = {"rate": rate, "goodput": good, "refused": share, "others": len(others), "lag": found.lag}
    ours = f"{good:.1f}/s; {share:.0%} refused, {milliseconds(refused)}; other errors {len(others)}"
    ends.say(f"overload: {ours}")
    return Row(
        f"overload, {rate:.0f} requests/s (3 ×) for {seconds:.0f} s",
        "0.95 of capacity; 429 within 50 ms",
        f"capacity {capacity:.1f}/s",
        ours,
        f"{good / capacity:.2f}",
        numbers,
    )


def _row(name: str, to_reach: str, pair: Pair, more: str = "") -> Row:
    cells = [f"{one.throughput:.1f}/s" for one in (pair.plain, pair.ours)]
    return Row(name, to_reach, cells[0], cells[1], pair.shown() + more, pair.numbers())


def _do(url: str, body: dict[str, Any], key: str | None = None) -> None:
    post(url, body, key)


def _wait_until_loaded(url: str, name: str, key: str) -> None:
    headers, deadline = {"authorization": f"Bearer {key}"}, time.monotonic() + _LOAD_SECONDS
    while time.monotonic() < deadline:
        listed = httpx.get(url, headers=headers, trust_env=False).json()["data"]
        if any(version["name"] == name and version["loaded"] for version in listed):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{name} was not loaded within {_LOAD_SECONDS:g} s")
