"""Whether memory grows with what is done: a straight line through what was seen, and how sure its slope is.

What a process holds jumps, and a sample is much like the one before it. So the samples are put together to
blocks before the line is fitted, and the interval is that of least squares (Student's t) over the blocks.
What fills up and then stays has a slope too, so that of the last half and the levels on the way are told.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import psutil
from numpy.typing import NDArray
from scipy import stats

from deploy.proof.served import Served

BLOCKS = 20
_FIRST = 1 / 3  # of the samples: caches fill, and nothing is said of them
_LEVELS = 10  # that are told, each of as many samples
_MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """What was held at one moment."""

    operations: int  # done by then
    gateway: float  # MiB
    engine: float | None  # with its children; None: it was down


@dataclass(frozen=True)
class Slope:
    """MiB for every 1,000 operations, and where that lies 19 times of 20."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        ends = f"{self.low:+.1f} to {self.high:+.1f}"
        return f"{self.value:+.1f} MiB per 1,000 operations ({ends})"


@dataclass(frozen=True)
class Growth:
    """How what is held went over a run."""

    settled: Slope  # after the first third
    last_half: Slope
    levels: tuple[float, ...]  # MiB: the means of the first tenth of the samples, of the second, ...

    def __str__(self) -> str:
        levels = ", ".join(f"{level:.0f}" for level in self.levels)
        return f"{self.settled}, in the last half {self.last_half}; MiB by tenths of the run: {levels}"


def growth(points: Sequence[tuple[int, float]]) -> Growth | None:
    """How MiB went over operations; None: too few points to say it."""
    samples = np.array(points, dtype=float).reshape(-1, 2)
    settled, half = slope(samples[int(len(samples) * _FIRST) :]), slope(samples[len(samples) // 2 :])
    if settled is None or half is None:
        return None
    return Growth(
        settled, half, tuple(float(tenth[:, 1].mean()) for tenth in np.array_split(samples, _LEVELS))
    )


def slope(samples: NDArray[np.float64]) -> Slope | None:
    """The slope of MiB over operations, (n, 2); None: too few of them."""
    if len(samples) < 2 * BLOCKS or np.ptp(samples[:, 0]) == 0:
        return None
    x, y = (np.array([part.mean() for part in np.array_split(samples[:, axis], BLOCKS)]) for axis in (0, 1))
    fitted = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, BLOCKS - 2) * fitted.stderr)
    value = 1_000 * float(fitted.slope)
    half = 1_000 * half if math.isfinite(half) else math.inf
    return Slope(value, value - half, value + half)


async def watch(
    served: Served, operations: Callable[[], int], samples: list[Sample], stopped: asyncio.Event
) -> None:
    """Take a sample twice a second until ``stopped``."""
    while not stopped.is_set():
        samples.append(await asyncio.to_thread(_sample, served, operations()))
        await asyncio.sleep(0.5)


def _sample(served: Served, operations: int) -> Sample:
    gateway = held(served.gateway)
    engine = served.engine
    try:
        family = [engine, *engine.children(recursive=True)] if engine is not None else []
        theirs = sum(map(held, family)) or None
    except psutil.Error:
        theirs = None
    return Sample(operations, gateway, theirs)


def held(process: psutil.Process) -> float:
    """MiB of a process's own; pages of files are not, which the kernel takes away and gives back."""
    found = process.memory_info()
    return float(found.rss - found.shared) / _MIB
