"""From a folder to live, while requests go on."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.adapters.conftest import World
from tests.service.conftest import until


async def test_a_version_is_loaded_before_it_is_promoted(world: World) -> None:
    info = await world.adapters.register("support", world.write("a", 1))
    await until(lambda: info.name in world.engine.loaded)
    assert not world.adapters.knows("support")
    await world.adapters.promote("support", info.version)
    assert world.engine.history == [f"load {info.name}"]


async def test_what_is_in_the_engine_makes_no_room_for_what_nobody_asked_for(world: World) -> None:
    for seed in range(3):
        await world.adapters.promote("abc"[seed], await world.register("abc"[seed], seed))
    before = list(world.engine.history)
    version = await world.register("d", 4)
    assert world.engine.history == before
    await world.adapters.promote("d", version)
    assert f"d@{version}" in world.engine.loaded


async def test_a_version_is_named_by_its_content(world: World) -> None:
    world.go_down()
    info = await world.adapters.register("support", world.write("a", 1))
    again = await world.adapters.register("support", world.write("b", 1))
    assert info.name == f"support@{info.version}"
    assert again == info  # other folder, same bytes: the same version, unchanged
    assert (info.state, info.weight, info.rank, info.base) == ("registered", 0, 4, "pointsman-demo")
    assert info.metrics == {"eval_loss": 1.5}
    assert not world.adapters.knows("support")
    assert world.adapters.knows(info.name)


async def test_the_next_request_is_answered_by_what_was_promoted(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    assert await world.answered_by("support") == first
    info = await world.adapters.promote("support", second)
    assert (info.state, info.weight, info.version) == ("live", 100, second)
    assert info.live_since is not None
    assert await world.answered_by("support") == second
    assert await world.states() == {f"support@{first}": "loaded", f"support@{second}": "live"}


async def test_a_stream_that_had_begun_stays_on_its_version(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    async with world.adapters.lease("support", "c") as lease:
        await world.adapters.promote("support", second)
        assert await world.answered_by("support") == second
        assert lease.version == first
        assert lease.name in world.engine.loaded
        assert (await world.states())[lease.name] == "draining"
    assert (await world.states())[lease.name] == "loaded"


async def test_training_into_the_same_folder_leaves_the_live_version_alone(world: World) -> None:
    first = (await world.adapters.register("support", world.write("support", 1))).version
    await world.adapters.promote("support", first)
    second = (await world.adapters.register("support", world.write("support", 2))).version
    await world.adapters.promote("support", second)
    world.go_down()
    await world.bring_up()
    assert (await world.adapters.rollback("support")).version == first
    assert await world.answered_by("support") == first


async def test_a_change_is_finished_though_nobody_waits_for_it(world: World) -> None:
    version = await world.register("support", 1)
    world.engine.loading = asyncio.Event()
    asking = asyncio.create_task(world.adapters.promote("support", version))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    world.engine.loading.set()
    await until(lambda: world.adapters.knows("support"))
    assert await world.answered_by("support") == version


async def test_many_at_once(world: World) -> None:
    """Promotions, leases and rollbacks interleaved: every lease holds a version that is loaded."""
    versions = [await world.register("support", seed) for seed in range(5)]
    await world.adapters.promote("support", versions[0])

    async def request(n: int) -> None:
        async with world.adapters.lease("support", str(n)) as lease:
            for _ in range(3):
                assert lease.name in world.engine.loaded
                await asyncio.sleep(0)

    async def change() -> None:
        for version in versions * 2:
            await world.adapters.promote("support", version)
        await world.adapters.rollback("support")

    await asyncio.gather(change(), *(request(n) for n in range(200)))
    assert sum(info.leases for info in await world.adapters.list()) == 0
    assert len(world.engine.loaded) <= 3


async def test_the_same_bytes_under_two_aliases_are_two_versions(world: World) -> None:
    version = await world.register("support", 1)
    assert (await world.adapters.register("other", "support-1")).version == version
    await world.adapters.promote("support", version)
    await world.adapters.promote("other", version)
    assert set(world.engine.loaded) == {f"support@{version}", f"other@{version}"}
