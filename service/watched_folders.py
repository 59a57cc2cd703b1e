"""The folders that chains of the live routes are made of, watched: documents, for instance."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path

from watchfiles import Change, awatch

from chains.events import OfFiles
from service.routes import RouteTable

log = logging.getLogger("pointsman.routes")

_RETRY = 2.0  # seconds until folders that can't be watched are looked for again
_LOOK = 5_000  # milliseconds between two looks whether they are the same folders


class WatchedFolders:
    """What is watched follows the tables in force. Belongs to one event loop."""

    def __init__(self, state: Path) -> None:
        self._state = state  # the gateway's own, which it writes to: nothing in it is a change
        self._chains: list[tuple[str, OfFiles]] = []  # under the titles of their routes
        self._folders: frozenset[Path] = frozenset()
        self._moved = asyncio.Event()  # other folders are to be watched

    def watch(self, tables: Iterable[RouteTable]) -> None:
        """Watch what the chains of ``tables`` are made of, and nothing else."""
        routes = [route for table in tables for route in table.all()]
        self._chains = [(route.title, route.chain) for route in routes if isinstance(route.chain, OfFiles)]
        folders = frozenset(folder for _, chain in self._chains for folder in chain.folders)
        if folders != self._folders:
            self._folders = folders
            self._moved.set()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of their files chains do without."""
        found = [
            f"{problem}; {title} does without" for title, chain in self._chains for problem in chain.unread
        ]
        return tuple(dict.fromkeys(found))

    async def changes(self) -> AsyncGenerator[None]:
        """One for each time that some of the files changed, without an end.

        One more where a folder came to be watched later than it was read: what changed between is seen then.
        """
        late = False
        while True:
            self._moved.clear()
            watched = self._found()
            try:
                if watched:
                    async with aclosing(self._seen(watched)) as seen:
                        async for changed in seen:
                            if changed or late:
                                late = False
                                yield None
                else:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._moved.wait(), _RETRY if self._folders else None)
            except OSError as exc:
                log.warning("the documents can't be watched: %s; trying again", exc)
                await asyncio.sleep(_RETRY)
            late = True

    def may_be(self, _: Change, name: str) -> bool:
        """Whether a change at the path ``name`` may be of what is watched."""
        if Path(os.path.normpath(name)).is_relative_to(self._state):
            return False
        return any(chain.reads(Path(name)) for _, chain in self._chains)

    async def _seen(self, watched: Mapping[Path, tuple[int, int]]) -> AsyncGenerator[bool]:
        """Whether something changed, at each change and at each look, while ``watched`` are all."""
        async with aclosing(
            awatch(
                *watched,
                watch_filter=self.may_be,
                stop_event=self._moved,
                rust_timeout=_LOOK,
                yield_on_timeout=True,
            )
        ) as found:
            async for changes in found:
                yield bool(changes)
                if self._found() != watched:  # one is gone, is back or is another
                    return

    def _found(self) -> dict[Path, tuple[int, int]]:
        """The folders that are there, each with its identity."""
        found: dict[Path, tuple[int, int]] = {}
        for folder in sorted(self._folders):
            with suppress(OSError):
                status = folder.stat()
                found[folder] = status.st_dev, status.st_ino
        return found
