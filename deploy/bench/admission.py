"""What the queue costs the gateway, in CPU time a request: ``python -m deploy.bench.admission``.

A request is checked, let in, counted in the metrics and let out; nothing else happens. Idle: one at a time.
Queued: 256 at once for 64 slots, so that three of four wait for a future of the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import uvloop

from service.admission import Admission
from service.metrics import Metrics
from service.sections import AdmissionSettings

_REQUESTS = 20_000
_REPEATS = 5


async def idle(admission: Admission, adapters: int) -> None:
    """One request after the other."""
    for index in range(_REQUESTS):
        admission.check("caller")
        async with admission.slot(f"adapter-{index % adapters}", "caller"):
            pass


async def queued(admission: Admission, adapters: int) -> None:
    """256 at once; each gives the loop its turn while it holds a slot."""

    async def client(number: int) -> None:
        for index in range(_REQUESTS // 256):
            admission.check("caller")
            async with admission.slot(f"adapter-{(number + index) % adapters}", "caller"):
                await asyncio.sleep(0)

    await asyncio.gather(*(client(number) for number in range(256)))


def main() -> None:
    """Print the least of some repeats: what else the machine does can only add."""
    cases: tuple[tuple[str, Callable[[Admission, int], Awaitable[None]], int], ...] = (
        ("idle, 1 adapter", idle, 1),
        ("queued, 1 adapter", queued, 1),
        ("queued, 16 adapters", queued, 16),
        ("queued, 64 adapters", queued, 64),
    )

    async def seconds(case: Callable[[Admission, int], Awaitable[None]], adapters: int) -> float:
        admission = Admission(AdmissionSettings(max_queue=1_000), 16, Metrics())
        began = time.process_time()
        await case(admission, adapters)
        return time.process_time() - began

    for name, case, adapters in cases:
        least = min(uvloop.run(seconds(case, adapters)) for _ in range(_REPEATS))
        print(f"{name}: {least / _REQUESTS * 1e6:.1f} µs")


if __name__ == "__main__":
    main()
