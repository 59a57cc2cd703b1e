"""More versions than the engine has slots for: which one goes, and which never does."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import EngineUnavailable
from tests.service.adapters.conftest import World


async def test_more_versions_than_slots(world: World) -> None:
    """Three slots: the coldest idle one goes, a live one only where all others are live or in use."""
    a1, a2 = await world.register("a", 1), await world.register("a", 2)
    await world.adapters.promote("a", a1)
    await world.adapters.promote("a", a2)
    b, c = await world.register("b", 3), await world.register("c", 4)
    await world.adapters.promote("b", b)
    await world.adapters.promote("c", c)
    assert set(world.engine.loaded) == {f"a@{a2}", f"b@{b}", f"c@{c}"}
    assert await world.answered_by(f"a@{a1}") == a1  # loaded on first use, in place of the coldest live one
    assert set(world.engine.loaded) == {f"a@{a1}", f"b@{b}", f"c@{c}"}
    assert await world.answered_by("a") == a2


async def test_nothing_in_use_is_pushed_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = [await world.register("a", seed) for seed in range(4)]
    names = [f"a@{version}" for version in versions]
    async with (
        world.adapters.lease(names[0], "c"),
        world.adapters.lease(names[1], "c"),
        world.adapters.lease(names[2], "c") as last,
    ):
        waiting = asyncio.create_task(world.answered_by(names[3]))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        monkeypatch.setattr("service.adapters.slots._ROOM_SECONDS", 0.05)
        with pytest.raises(EngineUnavailable, match="all 3 slots"):
            await world.answered_by(names[3])
        assert set(world.engine.loaded) == set(names[:3])
    assert await waiting == versions[3]
    assert last.name not in world.engine.loaded or len(world.engine.loaded) == 3


async def test_an_unload_that_fails_keeps_the_slot(world: World, caplog: pytest.LogCaptureFixture) -> None:
    versions = [await world.register("a", seed) for seed in range(4)]
    names = [f"a@{version}" for version in versions]
    for name in names[:3]:
        await world.answered_by(name)
    world.engine.keeps.add(names[0])
    await world.answered_by(names[3])
    assert "can't be unloaded and keeps its slot" in caplog.text
    assert set(world.engine.loaded) == {names[0], names[2], names[3]}
