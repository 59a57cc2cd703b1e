"""A gateway that is killed at one of its effects: from then on nothing that it does has any."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.adapters.registry import Registry
from service.engine import EngineClient
from tests.service.adapters.conftest import World, build

EFFECTS: tuple[tuple[Any, str], ...] = (
    *((EngineClient, name) for name in ("load_adapter", "unload_adapter")),
    *((Registry, name) for name in ("put", "carry", "judge", "switch", "undo", "retire", "withdraw")),
    *((shutil, name) for name in ("copyfile", "rmtree")),
    (os, "rename"),
)


class Killed(BaseException):
    """The process ended here: no cleaning up of its own has an effect."""


@dataclass
class Killer:
    """Kills at the ``at``-th effect: before it is had (of a copy, half of it), or right after."""

    at: int
    after: bool
    count: int = 0
    dead: bool = False

    def _due(self) -> bool:
        if self.dead:
            raise Killed
        self.count += 1
        return self.count == self.at

    def _die(self) -> None:
        self.dead = True
        raise Killed

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        """``effect``, which may be the last."""
        if inspect.iscoroutinefunction(effect):

            @functools.wraps(effect)
            async def awaited(*words: Any, **named: Any) -> Any:
                due = self._due()
                if due and not self.after:
                    self._die()
                found = await effect(*words, **named)
                if due:
                    self._die()
                return found

            return awaited

        @functools.wraps(effect)
        def called(*words: Any, **named: Any) -> Any:
            due = self._due()
            if due and not self.after:
                if effect.__name__ == "copyfile":
                    content = Path(words[0]).read_bytes()
                    Path(words[1]).write_bytes(content[: len(content) // 2])
                self._die()
            found = effect(*words, **named)
            if due:
                self._die()
            return found

        return called

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within it every effect is one of those that are counted."""
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in EFFECTS:
                patch.setattr(owner, name, self.around(getattr(owner, name)))
            yield


async def restarted(world: World, *, engine_lives: bool) -> World:
    """The gateway started again in the same folder, with an engine that kept its adapters or is new too."""
    if not engine_lives:
        world.engine.restart()
    found = build(world.folder, world.engine)
    await found.adapters.start()
    await found.bring_up()
    return found


async def check_whole(world: World) -> None:
    """Whatever happened: what is live answers, the engine has nothing else's, every copy is whole."""
    assert world.ready()
    infos = await world.adapters.list()
    kept = {info.name for info in infos if info.state != "retired"}
    assert set(world.engine.loaded) <= kept
    for info in infos:
        if info.state == "live":
            assert info.name in world.engine.loaded
        if info.state != "retired":
            await world.adapters.load(info.alias, info.version)
    copies = {path.name for path in (world.folder / "state" / "adapters").iterdir()}
    assert kept <= copies
    assert not {name for name in copies if name.startswith(".new-")}
    assert all(info.leases == 0 for info in infos)


async def abandon(world: World) -> None:
    """End the tasks of a gateway that was killed, which a real one takes with it."""
    try:
        await world.adapters.stop()
    except Killed:
        await asyncio.sleep(0)
