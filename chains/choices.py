"""Several choices of a chain that makes each as if it were alone, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

from chains.events import Engine, Finish, Reason, Usage
from chains.form import Cost
from chains.purpose import Meant

T = TypeVar("T")


async def merged(sources: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    """The items of all ``sources``; raises what one raises. All are closed on the way out."""
    given: asyncio.Queue[tuple[T | None, Exception | None]] = asyncio.Queue(1)

    async def feed(source: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(source) as items:
                async for item in items:
                    await given.put((item, None))
        except Exception as exc:
            await given.put((None, exc))
        else:
            await given.put((None, None))

    tasks = [asyncio.create_task(feed(source), name="choice") for source in sources]
    try:
        left = len(tasks)
        while left:
            item, error = await given.get()
            if error is not None:
                raise error
            if item is None:
                left -= 1
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def seeded(parameters: Mapping[str, Any], choice: int) -> dict[str, Any]:
    """``parameters`` of one of several choices: a client's seed is that of the first, as at the engine."""
    seed = parameters.get("seed")
    return {**parameters, "seed": seed + choice} if isinstance(seed, int) else dict(parameters)


def choosing(engine: Engine, choice: int, choices: int) -> Engine:
    """``engine`` for one of several choices, which its calls name."""
    return engine if choices == 1 else Meant(engine, f"choice {choice}")


def finish_of(costs: Sequence[Cost]) -> Finish:
    """The last event of choices that cost so much; their one prompt counts once, as the engine counts it."""
    reasons: list[Reason] = ["length" if cost.cut else "stop" for cost in costs]
    usage = sum((cost.usage for cost in costs), Usage())
    again = sum(cost.prompt for cost in costs[1:])
    usage = replace(usage, prompt_tokens=usage.prompt_tokens - again)
    return Finish(reasons[0], usage, tuple(reasons[1:]))
