"""A gateway that is killed in the middle of a change has made it or not, and the same commands go on.

Killed at every effect that a release has on disk, database and engine, before it and after it; the engine
goes down with it, or outlives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pointsman.artefact import version_of
from pointsman.moves import Moves
from service.errors import AdapterConflict
from tests.service.adapters.artefacts import write_base
from tests.service.adapters.conftest import World, build
from tests.service.adapters.engine import FakeEngine
from tests.service.adapters.killing import Killed, Killer, abandon, check_whole, restarted
from tests.training.releasing import findings, recipe
from training.release.journal import Journal, opened
from training.release.recipe import ReleaseRecipe
from training.release.release import Release

_DONE = ("is not the newest", "is retired", "has no live version")
Step = Callable[[World], Awaitable[object]]


class GatewayGone(Exception):
    """What a client sees of a gateway that was killed."""


@asynccontextmanager
async def served(folder: Path) -> AsyncGenerator[tuple[World, str], None]:
    """A gateway with one live version of ``support``, and its version."""
    write_base(folder / "base")
    (folder / "adapters").mkdir()
    world = build(folder, FakeEngine())
    await world.adapters.start()
    await world.bring_up()
    old = await world.register("support", 1)
    await world.adapters.promote("support", old)
    yield world, old


class Admin:
    """The gateway's admin as a release, which runs in a thread of its own, asks it."""

    def __init__(self, world: World, loop: asyncio.AbstractEventLoop) -> None:
        self._adapters, self._folder, self._loop = world.adapters, world.folder / "adapters", loop
        self.seconds = 0.0

    def _ask(self, change: Any) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(change, self._loop).result()
        except (Killed, AdapterConflict) as exc:
            raise GatewayGone(str(exc)) from exc

    def versions(self) -> list[dict[str, Any]]:
        return [info.model_dump() for info in self._ask(self._adapters.list())]

    def register(self, alias: str, artefact: Path) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._ask(self._adapters.register(alias, artefact.name)).model_dump()
        return found

    def carry(self, alias: str, version: str, moves: Moves | None) -> object:
        return self._ask(self._adapters.carry(alias, version, moves))

    def route(self, alias: str, version: str, texts: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        raise NotImplementedError  # the recipe asks for none

    def load(self, alias: str, version: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._ask(self._adapters.load(alias, version)).model_dump()
        return found

    def judge(self, alias: str, version: str, *, passed: bool, report: Mapping[str, Any]) -> object:
        return self._ask(self._adapters.judge(alias, version, passed=passed, report=report))

    def promote(self, alias: str, version: str, weight: int, beside: Sequence[str]) -> object:
        return self._ask(self._adapters.promote(alias, version, weight, beside=beside))

    def rollback(self, alias: str, version: str) -> object:
        return self._ask(self._adapters.rollback(alias, version))

    def shadow(self, alias: str, version: str, share: int) -> Mapping[str, Any]:
        raise NotImplementedError  # the recipe asks for none

    def metrics(self) -> str:
        self.seconds += 10
        return "# EOF"


async def released(asked: ReleaseRecipe, world: World, *, undo: bool = False) -> Journal:
    admin = Admin(world, asyncio.get_running_loop())

    def run() -> Journal:
        with opened(asked, world.folder / "runs") as journal:
            release = Release(
                asked,
                journal,
                admin,
                train=lambda path: path,
                fetch=Path,
                evaluate=lambda models: findings(models, 0.9),
                report=lambda _: None,
                pause=lambda: None,
                clock=lambda: admin.seconds,
            )
            return release.undo() if undo else release.run()

    return await asyncio.to_thread(run)


def plan(world: World) -> tuple[ReleaseRecipe, str]:
    """A release of a new artefact with a canary of two steps, and its version."""
    folder = world.folder / "adapters" / world.write("new", 2)
    steps = [{"weight": 10, "seconds": 1}, {"weight": 50, "seconds": 1}]
    return recipe(folder, canary={"steps": steps}, moves={"wrong_cost": 2}), version_of(folder)


async def shares(world: World) -> dict[str, int]:
    return {info.version: info.weight for info in await world.adapters.list() if info.weight}


async def killed_release(folder: Path, at: int, *, after: bool, engine_lives: bool, undo: bool) -> bool:
    """A release whose gateway is killed; whether there was an effect to kill it at."""
    async with served(folder) as (world, old):
        asked, new = plan(world)
        killer = Killer(at, after)
        with killer.watching():
            try:
                await released(asked, world)
            except GatewayGone:
                assert killer.dead
            await abandon(world)
        again = await restarted(world, engine_lives=engine_lives)
        await check_whole(again)
        assert await shares(again) in ({old: 100}, {old: 90, new: 10}, {old: 50, new: 50}, {new: 100})
        journal = await released(asked, again, undo=undo)
        assert journal.state == ("undone" if undo else "promoted")
        assert await shares(again) == ({old: 100} if undo else {new: 100})
        moved = [mover.name for mover in again.adapters.moving().stable]
        assert moved == ([] if undo else [f"support@{new}"])
        await check_whole(again)
        assert await again.answered_by("support") == (old if undo else new)
        await again.adapters.stop()
        return killer.dead


@pytest.mark.parametrize("undo", [True, False])
@pytest.mark.parametrize("after", [True, False])
async def test_a_release_whose_gateway_is_killed_anywhere_goes_on_or_is_undone(
    tmp_path: Path, after: bool, undo: bool
) -> None:
    at, there_was = 0, True
    while there_was:
        at += 1
        there_was = await killed_release(
            tmp_path / str(at), at, after=after, engine_lives=bool(at % 2) == after, undo=undo
        )
    assert at > 8  # three files are copied, entered, loaded, judged, and three times promoted


class _DoneAlready(Exception):
    """It was done before the gateway was killed."""


async def _asked(step: Step, world: World) -> None:
    try:
        await step(world)
    except AdapterConflict as exc:
        if not any(why in str(exc) for why in _DONE):
            raise
        raise _DoneAlready from exc


async def _going_back(world: World, old: str, new: str) -> None:
    """A canary is taken back and both are taken out: each step as an operator would ask for it again."""
    steps: tuple[Step, ...] = (
        lambda w: w.adapters.promote("support", new, 20),
        lambda w: w.adapters.rollback("support", new),
        lambda w: w.adapters.retire("support", new),
        lambda w: w.adapters.withdraw("support") if w.adapters.knows("support") else asyncio.sleep(0),
    )
    for step in steps:
        with suppress(_DoneAlready):
            await _asked(step, world)


@pytest.mark.parametrize("after", [True, False])
async def test_a_gateway_that_is_killed_while_versions_go_lets_go_of_them(
    tmp_path: Path, after: bool
) -> None:
    at, there_was = 0, True
    while there_was:
        at += 1
        async with served(tmp_path / str(at)) as (world, old):
            new = await world.register("support", 2)
            killer = Killer(at, after)
            with killer.watching():
                try:
                    await _going_back(world, old, new)
                except Killed:
                    assert killer.dead
                await abandon(world)
            again = await restarted(world, engine_lives=bool(at % 2))
            if not again.adapters.knows("support"):
                assert world.engine.loaded == {}
            await _going_back(again, old, new)
            assert set((await again.states()).values()) == {"retired"}
            assert world.engine.loaded == {}
            assert list((world.folder / "state" / "adapters").iterdir()) == []
            await again.adapters.stop()
            there_was = killer.dead
    assert at > 8
