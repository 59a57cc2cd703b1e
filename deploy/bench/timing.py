"""How long single calls take, on the clock and in CPU time, which a busy machine lengthens less."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

WARM_UP = 20  # calls that are not counted


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one call: median and 99th percentile."""

    p50: float
    p99: float
    cpu_p50: float
    cpu_p99: float

    def __str__(self) -> str:
        return f"{self.p50:.2f} / {self.p99:.2f} ms (CPU {self.cpu_p50:.2f} / {self.cpu_p99:.2f})"


def latency(call: Callable[[str], object], inputs: Sequence[str]) -> Latency:
    """``call`` on each of ``inputs`` by itself, after ``WARM_UP`` of them."""
    for given in inputs[:WARM_UP]:
        call(given)
    wall, cpu = [], []
    for given in inputs:
        began, began_cpu = time.perf_counter(), time.process_time()
        call(given)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    points = [float(value) * 1_000 for taken in (wall, cpu) for value in np.percentile(taken, [50, 99])]
    return Latency(*points)
