"""Whether an engine hangs behind an API server that says it is well.

vLLM's API server answers ``/health`` for itself: its engine's core may be stopped, or wait in a kernel or for
another card for ever. So what counts is what comes: a token, an answer, a step in the engine's own numbers.
Where nothing does, and something is under way, one token is asked for as well: a request may be slow, or wait
for its grammar, and a prompt may be long, but an engine that works answers somebody or shows a step.
"""

from __future__ import annotations

import asyncio
import contextlib

from service.engine.client import EngineClient
from service.errors import EngineError

_LOOK_SECONDS = 1.0
_PATIENT_SECONDS = 10.0  # of silence before the engine itself is asked
_ANSWER_SECONDS = 30.0
_NO_ANSWER = (EngineError, TimeoutError, ValueError, LookupError, TypeError)  # or none of vLLM's


async def silent(client: EngineClient, seconds: float) -> str:
    """Wait until nothing has come for ``seconds`` of what the server was asked; that, as a sentence's end.

    They are counted by looks, so that time in which the gateway itself stood still is none.
    """
    heard, quiet, numbers = client.heard, 0.0, ""
    asking: asyncio.Task[bool] | None = None
    try:
        while quiet < seconds:
            await asyncio.sleep(_LOOK_SECONDS)
            if client.heard != heard:
                heard, quiet, numbers = client.heard, 0.0, ""
            elif quiet or client.waiting:  # who has hung up since was not answered either
                quiet += _LOOK_SECONDS
            if quiet >= min(_PATIENT_SECONDS, seconds / 2):
                if asking is None or asking.done():
                    asking = asyncio.create_task(_token(client), name=f"ask {client.url}")
                before, numbers = numbers, await _numbers(client)
                if before and numbers and numbers != before:
                    quiet = 0.0
    finally:
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    return f"it says that it is well, and gave nothing for {seconds:g} s though it was asked"


async def answers(client: EngineClient) -> bool:
    """Whether the engine gives a token now."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await _token(client)
    except TimeoutError:
        return False


async def _token(client: EngineClient) -> bool:
    """Ask for one token of the base; whether it came."""
    with contextlib.suppress(*_NO_ANSWER):
        base = (await client.get("/v1/models"))["data"][0]["id"]
        await client.complete("/v1/completions", {"model": base, "prompt": "1", "max_tokens": 1})
        return True
    return False


async def _numbers(client: EngineClient) -> str:
    """What vLLM says of its engine, the same as before where that made no step; nothing if it can't."""
    with contextlib.suppress(*_NO_ANSWER):
        page = await client.text("/metrics")
        return "\n".join(line for line in page.splitlines() if line.startswith("vllm:"))
    return ""
