"""Whether memory grows with what is done: a straight line through what was seen, and how sure its slope is.

What a process holds jumps, and a sample is much like the one before it. So the samples are put together to
blocks before the line is fitted, and the interval is that of least squares (Student's t) over the blocks.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import psutil
from scipy import stats

from deploy.proof.served import Served

BLOCKS = 20
_FIRST = 1 / 3  # of the samples: caches fill, and nothing is said of them
_MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """What was held at one moment."""

    operations: int  # done by then
    gateway: float  # MiB, resident
    engine: float | None  # with its children; None: it was down


@dataclass(frozen=True)
class Slope:
    """MiB for every 1,000 operations, and where that lies 19 times of 20."""

    value: float
    low: float
    high: float
    last: float  # MiB at the end

    def __str__(self) -> str:
        ends = f"{self.low:+.1f} to {self.high:+.1f}"
        return f"{self.value:+.1f} MiB per 1,000 operations ({ends}), {self.last:.0f} MiB at the end"


def slope(points: Sequence[tuple[int, float]]) -> Slope | None:
    """The slope of MiB over operations, of what comes after the first third; None: too few points."""
    after = np.array(points[int(len(points) * _FIRST) :], dtype=float)
    if len(after) < 2 * BLOCKS or np.ptp(after[:, 0]) == 0:
        return None
    x, y = (np.array([block.mean() for block in np.array_split(after[:, axis], BLOCKS)]) for axis in (0, 1))
    fitted = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, BLOCKS - 2) * fitted.stderr)
    value = 1_000 * float(fitted.slope)
    half = 1_000 * half if math.isfinite(half) else math.inf
    return Slope(value, value - half, value + half, float(after[-1, 1]))


async def watch(
    served: Served, operations: Callable[[], int], samples: list[Sample], stopped: asyncio.Event
) -> None:
    """Take a sample twice a second until ``stopped``."""
    while not stopped.is_set():
        samples.append(await asyncio.to_thread(_sample, served, operations()))
        await asyncio.sleep(0.5)


def _sample(served: Served, operations: int) -> Sample:
    gateway = served.gateway.memory_info().rss / _MIB
    engine = served.engine
    try:
        family = [engine, *engine.children(recursive=True)] if engine is not None else []
        held = sum(one.memory_info().rss for one in family) / _MIB or None
    except psutil.Error:
        held = None
    return Sample(operations, gateway, held)
