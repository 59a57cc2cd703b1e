"""What loads and unloads of an adapter cost those who are answered meanwhile.

Both endpoints are asked in turn by a closed loop. While it runs, adapters come and go for some seconds, then
nothing does for as many, and so on: what else slows the machine slows both kinds of seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from deploy.bench.beside.asking import Ends, Row, post
from deploy.bench.beside.world import World
from deploy.bench.serving.load import Pace, Run

_EVERY = 0.25  # seconds from one load or unload to the next
_LENGTH = 8  # rounds' lengths of one: some windows with changes, and one more without


@dataclass(frozen=True)
class Window:
    """A stretch of time, ``time.perf_counter()``."""

    began: float
    ended: float
    changes: int  # loads and unloads in it


def row(ends: Ends, world: World, used: Sequence[str], other: str, key: str, *, seconds: float = 3.0) -> Row:
    """``used`` are asked while ``other`` comes and goes in windows of ``seconds``, as each is told to.

    Raises:
        RuntimeError: a load or an unload was refused, or a round ended before its second window.
    """
    sizes, loaded = ends.sizes, {"lora_name": "churn"}
    loads = {**loaded, "lora_path": str(world.artefact(other))}
    costs: dict[str, list[float]] = {"ours": [], "plain": []}
    rates: dict[str, list[float]] = {"ours": [], "plain": []}
    for part in range(sizes.rounds):
        for name, url, models, given in (
            ("ours", ends.gateway, list(used), key),
            ("plain", ends.engine, list(map(ends.plain, used)), None),
        ):

            def change(step: int, url: str = url, given: str | None = given) -> None:
                way, body = ("unload", loaded) if step % 2 else ("load", loads)
                post(f"{url}/v1/{way}_lora_adapter", body, given)

            stop = threading.Event()
            with ThreadPoolExecutor(1) as beside:
                changing = beside.submit(_windows, stop, change, seconds)
                try:
                    pace = Pace(concurrency=sizes.clients)
                    found = ends.alone(url, models, pace, _LENGTH * sizes.requests, part)
                finally:
                    stop.set()
            cost, rate = _cost(found, changing.result())
            costs[name].append(cost)
            rates[name].append(rate)
            ends.say(f"churn, {name}: {cost:.1%} at {rate:.1f} changes a second")
    shown = {
        name: f"{np.median(found):.1%} ({min(found):.1%} to {max(found):.1%})"
        for name, found in costs.items()
    }
    beside_them = ", ".join(f"{np.median(rates[name]):.1f}/s" for name in ("plain", "ours"))
    title = "loaded and unloaded 4 times a second: cost"
    return Row(title, "5 %", shown["plain"], shown["ours"], beside_them, {"costs": costs, "rates": rates})


def _windows(stop: threading.Event, change: Callable[[int], None], seconds: float) -> list[Window]:
    """Without changes and with them in turn, until ``stop``; each pair of a load and an unload is whole."""
    found = []
    while not stop.is_set():
        began = time.perf_counter()
        stop.wait(seconds)
        found.append(Window(began, began := time.perf_counter(), 0))
        step = 0
        while not stop.is_set() and (time.perf_counter() - began < seconds or step % 2):
            change(step)
            step += 1
            stop.wait(max(0.0, began + step * _EVERY - time.perf_counter()))
        if step % 2:
            change(step)
            step += 1
        found.append(Window(began, time.perf_counter(), step))
    return found


def _cost(found: Run, windows: Sequence[Window]) -> tuple[float, float]:
    """The share of tokens a second that is lost while there are changes, and changes a second.

    Windows count that end before the last request was sent: from there on there are fewer clients.
    """
    last = found.began + max(result.at for result in found.results)
    whole = [window for window in windows if window.ended <= last]
    quiet = [window for window in whole if not window.changes]
    busy = [window for window in whole if window.changes]
    if not busy:
        raise RuntimeError("a round had no whole window with changes: it needs more requests")
    cost = 1 - _tokens_per_second(found, busy) / _tokens_per_second(found, quiet)
    return cost, sum(one.changes for one in busy) / sum(one.ended - one.began for one in busy)


def _tokens_per_second(found: Run, windows: Sequence[Window]) -> float:
    """Over all windows; an answer's tokens are spread evenly from its first to its last."""
    good = [one for one in found.results if one.error is None and one.first is not None]
    tokens = np.array([one.tokens for one in good], dtype=float)
    first = np.array([found.began + one.at + (one.first or 0.0) for one in good])
    last = np.array([found.began + one.at + one.seconds for one in good])
    length = np.maximum(last - first, 1e-9)
    inside = 0.0
    for window in windows:
        overlap = np.minimum(last, window.ended) - np.maximum(first, window.began)
        inside += float(np.sum(tokens * np.clip(overlap / length, 0.0, 1.0)))
    return inside / sum(window.ended - window.began for window in windows)
