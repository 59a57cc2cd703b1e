"""The two ways to have a server: a child that is started again when it dies, and a URL that is asked.

Both say when a server came up, which includes what must happen before it may be used, and when it went.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Protocol

from service.engine.client import EngineClient
from service.engine.process import EngineFailed, EngineProcess
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
    death = asyncio.create_task(process.died())
    preparing = asyncio.create_task(listener.prepare(client))
    was_up, reason = False, ""
    try:
        await asyncio.wait({death, preparing}, return_when=asyncio.FIRST_COMPLETED)
        if not death.done():
            try:
                preparing.result()
            except EngineError as exc:
                return f"it could not be prepared: {exc}"
            listener.up(client)
            was_up = True
        reason = await death
        return reason
    finally:
        await _cancel(preparing)
        await _cancel(death)
        listener.down(client, reason if was_up else "")


async def _tell_progress(process: EngineProcess, listener: Listener) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_DETAIL_SECONDS)
        step = await asyncio.to_thread(process.step)
        listener.progress(f"{step} ({time.monotonic() - began:.0f} s)")


async def watch(client: EngineClient, listener: Listener) -> None:
    """Ask an outside server every second, until cancelled."""
    is_up = False
    try:
        while True:
            healthy = await client.healthy()
            if healthy and not is_up:
                try:
                    await listener.prepare(client)
                except EngineError as exc:
                    log.warning("%s: %s", client.url, exc)
                else:
                    listener.up(client)
                    is_up = True
            elif is_up and not healthy:
                is_up = False
                listener.down(client, f"{client.url} does not answer")
            elif not healthy:
                listener.progress(f"{client.url} does not answer")
            await asyncio.sleep(_ASK_SECONDS)
    finally:
        if is_up:
            listener.down(client, "the gateway stops")
        await client.aclose()


async def _cancel(task: asyncio.Task[object] | asyncio.Task[str] | asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task
