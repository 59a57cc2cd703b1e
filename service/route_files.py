"""The files that routes are made of, watched: routes.yaml, the rows beside it, and the templates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

from watchfiles import Change, awatch

log = logging.getLogger("pointsman.routes")

_RETRY = 2.0  # seconds until a folder that can't be watched is tried again


async def changes(routes: Path, prompts: Path) -> AsyncGenerator[None]:
    """One for each time that some of them changed, without an end."""

    def ours(_: Change, name: str) -> bool:
        path = Path(name)
        if path.parent == routes.parent and path.suffix == ".jsonl":  # example files
            return True
        return path == routes or (path.parent == prompts and path.suffix == ".yaml")

    while True:
        try:
            async for _ in awatch(routes.parent, prompts, watch_filter=ours, recursive=False):
                yield None
        except OSError as exc:
            log.warning("the routes can't be watched: %s; trying again", exc)
        await asyncio.sleep(_RETRY)
