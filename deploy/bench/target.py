"""The learned target in front of modelled engines; ``python -m deploy.bench.target`` draws it."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path

from deploy.bench.engine_model import H200
from service.admission.learned import Learned, Look

_SECONDS = 400
_NOISE = 0.03  # of the tokens of a second


def climb(
    learned: Learned,
    step: Callable[[int], float],
    *,
    seats: int = 10_000,
    cache: float = 1e9,
    asked: int = 10_000,
    looks: int = 600,
) -> list[int]:
    """Targets over time, one a second, of an engine whose step takes ``step(batch)`` seconds.

    It runs at most ``seats`` requests and has a cache for ``cache``; ``asked`` are there at any time.
    """
    tokens, targets = 0.0, []
    for second in range(looks):
        at_engine = min(learned.target, asked)
        running = min(at_engine, seats)
        tokens += running / step(running)
        look = Look(
            float(second), running, at_engine - running, running / cache, tokens, max(0, asked - at_engine)
        )
        targets.append(learned.look(look))
    return targets


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description="The learned target over time.")
    parser.add_argument("--out", type=Path, default=Path("docs/scheduling-target.png"))
    given = parser.parse_args()
    from matplotlib.figure import Figure

    noise = random.Random(0)

    def full_at(batch: int) -> float:
        return 0.01 * max(1.0, batch / 48) * noise.uniform(1 - _NOISE, 1 + _NOISE)

    def h200(batch: int) -> float:
        return H200.step(batch, 4, 0) * noise.uniform(1 - _NOISE, 1 + _NOISE)

    runs = {
        "no more tokens from 48 requests on": climb(Learned(), full_at, looks=_SECONDS),
        "H200, 128 seats": climb(Learned(), h200, seats=128, looks=_SECONDS),
        "H200, a cache for 100": climb(Learned(), h200, cache=100, looks=_SECONDS),
        "20 clients": climb(Learned(), h200, asked=20, looks=_SECONDS),
    }
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axis = figure.subplots()
    for name, targets in runs.items():
        axis.plot(targets, label=name)
    axis.set(xlabel="seconds", ylabel="requests at once", ylim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(given.out, dpi=110)


if __name__ == "__main__":
    main()
