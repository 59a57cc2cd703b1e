"""The two ways to have a server: a child that is started again when it dies, and a URL that is asked.

Both say when a server came up, which includes what must happen before it may be used, and when it went.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from service.engine.client import EngineClient
from service.engine.process import EngineFailed, EngineProcess
from service.engine.silence import answers, silent
from service.errors import EngineError

log = logging.getLogger("pointsman.engine")

_LONGEST_PAUSE = 30.0
_STABLE_SECONDS = 60.0  # a child that lived this long does not count as a failed start
_DETAIL_SECONDS = 1.0
_ASK_SECONDS = 1.0


class Listener(Protocol):
    """Who is told: the pool."""

    async def prepare(self, client: EngineClient) -> None:
        """Do what must be done before the server may be used."""
        ...

    def up(self, client: EngineClient) -> None: ...

    def down(self, client: EngineClient, reason: str) -> None: ...

    def failed(self, reason: str) -> None: ...

    def progress(self, detail: str) -> None: ...


async def keep_running(process: EngineProcess, listener: Listener) -> None:
    """Start the child, and again whenever it dies, until cancelled. Leaves nothing running."""
    failures = 0
    try:
        while True:
            began = time.monotonic()
            try:
                reason = await _one_life(process, listener)
                failures = 0 if time.monotonic() - began > _STABLE_SECONDS else failures + 1
                log.error("the engine died: %s; starting it again", reason)
            except EngineFailed as exc:
                failures += 1
                log.error("%s", exc)
                listener.failed(str(exc))
            finally:
                await process.kill()
            if failures > 1:  # the first time: at once
                await asyncio.sleep(min(2.0 ** (failures - 1), _LONGEST_PAUSE))
    finally:
        await process.kill()


async def _one_life(process: EngineProcess, listener: Listener) -> str:
    """From the start to the death; the reason of the death."""
    progress = asyncio.create_task(_tell_progress(process, listener))
    try:
        client = await process.start()
    finally:
        await _cancel(progress)
    return await _served(client, listener, process.died())


async def _served(client: EngineClient, listener: Listener, ending: Coroutine[Any, Any, str]) -> str:
    """From the preparation of a server to its end; the reason of the end."""
    death = asyncio.create_task(ending)
    preparing = asyncio.create_task(listener.prepare(client))
    was_up, reason = False, ""
    try:
        await asyncio.wait({death, preparing}, return_when=asyncio.FIRST_COMPLETED)
        if not death.done():
            try:
                preparing.result()
            except EngineError as exc:
                return f"{client.url} could not be prepared: {exc}"
            listener.up(client)
            was_up = True
        reason = await death
        return reason
    finally:
        try:
            await _cancel(preparing, death)
        finally:
            listener.down(client, reason if was_up else "")


async def _tell_progress(process: EngineProcess, listener: Listener) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_DETAIL_SECONDS)
        step = await asyncio.to_thread(process.step)
        listener.progress(f"{step} ({time.monotonic() - began:.0f} s)")


async def watch(client: EngineClient, listener: Listener, silence: float) -> None:
    """Ask an outside server every second, until cancelled. One that went comes back when it gives a token."""
    went = False
    try:
        while True:
            if not await client.healthy():
                if went and not await client.answers():  # else it ends by itself what it had begun
                    client.cut()
                listener.progress(f"{client.url} does not answer")
            elif went and not await answers(client):
                listener.progress(f"{client.url} gives no token")
            else:
                reason = await _served(client, listener, _gone(client, silence))
                log.warning("a server is out: %s", reason)
                went = True
            await asyncio.sleep(_ASK_SECONDS)
    finally:
        await client.aclose()


async def _gone(client: EngineClient, silence: float) -> str:
    """Wait until an outside server does not answer, or hangs; which of it."""
    hanging = asyncio.create_task(silent(client, silence))
    try:
        while not hanging.done():
            await asyncio.wait({hanging}, timeout=_ASK_SECONDS)
            if not await client.healthy():
                return f"{client.url} does not answer"
        client.cut()
        return f"{client.url}: {hanging.result()}"
    finally:
        await _cancel(hanging)


async def _cancel(*tasks: asyncio.Task[str] | asyncio.Task[None]) -> None:
    """End ``tasks``, whatever comes of them; who is cancelled itself meanwhile ends too."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
