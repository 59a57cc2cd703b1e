"""The engine agrees with the registry again after a restart of either side."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.errors import AdapterConflict, EngineUnavailable
from tests.service.adapters.artefacts import write_base
from tests.service.adapters.conftest import World, build


@asynccontextmanager
async def started(world: World, **preload: str) -> AsyncGenerator[World, None]:
    """The gateway started again in the same folder, with the same engine."""
    found = build(world.folder, world.engine, (), **preload)
    await found.adapters.start()
    try:
        yield found
    finally:
        await found.adapters.stop()


async def test_what_is_live_is_loaded_when_the_engine_comes_back(world: World) -> None:
    support, math = await world.register("support", 1), await world.register("math", 2)
    spare = await world.register("math", 3)
    await world.adapters.promote("support", support)
    await world.adapters.promote("math", math)
    await world.answered_by(f"math@{spare}")
    assert world.ready()
    world.go_down()
    assert not world.ready()
    with pytest.raises(EngineUnavailable, match=r"^the engine is restarting$"):
        await world.answered_by("support")
    await world.bring_up()
    assert world.ready()
    assert set(world.engine.loaded) == {f"support@{support}", f"math@{math}"}
    assert await world.answered_by("support") == support


async def test_a_live_version_that_made_place_for_others_is_no_reason_to_send_them_away(world: World) -> None:
    """Four live versions in three slots, of which one becomes free."""
    for seed, alias in enumerate(("a", "b", "c", "d")):
        await world.adapters.promote(alias, await world.register(alias, seed))
    assert len(world.engine.loaded) == 3
    await world.adapters.withdraw("d")
    assert len(world.engine.loaded) == 2  # of three that are live
    assert world.ready()
    world.go_down()
    assert not world.ready()


async def test_a_lease_from_before_the_restart_ends_quietly(world: World) -> None:
    version = await world.register("support", 1)
    await world.adapters.promote("support", version)
    async with world.adapters.lease("support", "c"):
        world.go_down()
        await world.bring_up()
    assert [info.leases for info in await world.adapters.list()] == [0]


async def test_everything_is_remembered_when_the_gateway_starts_again(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    gone = await world.register("support", 3)
    await world.adapters.promote("support", first)
    await world.adapters.promote("support", second, 25)
    await world.adapters.retire("support", gone)
    before = {info.name: info for info in await world.adapters.list()}
    world.engine.restart()
    async with started(world) as again:
        await again.bring_up()
        assert {info.name: info for info in await again.adapters.list()} == before
        assert set(world.engine.loaded) == {f"support@{first}", f"support@{second}"}
        assert not again.adapters.knows(f"support@{gone}")
        await again.adapters.rollback("support")
        assert await again.answered_by("support") == first


async def test_an_engine_that_outlived_the_gateway_is_taken_over(world: World) -> None:
    live, idle = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", live)
    await world.answered_by(f"support@{idle}")
    unknown = "support@" + "0" * 12
    world.engine.loaded |= {unknown: "ff" * 32, "somebody-elses": "ff" * 32}
    async with started(world) as again:
        await again.bring_up()
        assert again.ready()
        assert await again.answered_by("support") == live
        assert {info.name for info in again.adapters.names() if info.loaded} == {f"support@{live}"}
        assert set(world.engine.loaded) == {f"support@{live}", "somebody-elses"}  # not a name of ours: left
        assert f"unload support@{live}" not in world.engine.history
        assert await again.answered_by(f"support@{idle}") == idle
        world.engine.loaded["support@" + "1" * 12] = "ff" * 32
        await again.adapters._reconciler.correct()
        ours = {f"support@{live}", f"support@{idle}"}
        assert set(world.engine.loaded) == {*ours, "somebody-elses"}


async def test_an_adapter_that_the_engine_lost_is_loaded_again(world: World) -> None:
    version = await world.register("support", 1)
    await world.adapters.promote("support", version)
    world.engine.restart()  # and nobody told us
    await world.adapters._reconciler.correct()
    assert set(world.engine.loaded) == {f"support@{version}"}
    assert world.ready()


async def test_the_first_start_makes_the_preloaded_ones_live(world: World) -> None:
    world.write("first", 1)
    world.write("second", 2)
    async with started(world, support="first", math="second") as again:
        assert not again.ready()
        await again.bring_up()
        assert again.ready()
        assert {info.alias: info.state for info in again.adapters.names()} == {
            "support": "live",
            "math": "live",
        }
        other = await again.register("support", 3)
        await again.adapters.promote("support", other)
    async with started(world, support="first", math="second") as third:
        await third.bring_up()
        assert await third.answered_by("support") == other  # what was promoted since then stays


async def test_a_preloaded_one_that_is_bad_is_named_and_the_others_answer(world: World) -> None:
    world.write("good", 1)
    async with started(world, support="good", math="missing") as again:
        assert not again.ready()  # nothing was tried yet
        await again.bring_up()
        assert again.ready()
        assert any("math" in problem and "missing" in problem for problem in again.adapters.problems)
        await again.answered_by("support")
        again.write("missing", 2)
        await again.adapters._reconciler.correct()
        assert again.ready()
        assert again.adapters.problems == ()
        await again.answered_by("math")


async def test_a_live_version_that_is_spoiled_is_named_and_the_others_answer(world: World) -> None:
    for alias in ("support", "math"):
        await world.adapters.promote(alias, await world.register(alias, 1))
    name = next(info.name for info in world.adapters.names() if info.alias == "math")
    (weights,) = (world.settings.state / "adapters" / name).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    world.engine.restart()
    async with started(world) as again:
        await again.bring_up()
        for _ in range(2):  # as it came up, and half a minute later
            assert again.ready()
            assert [name in problem for problem in again.adapters.problems] == [True]
            await again.answered_by("support")
            with pytest.raises(EngineUnavailable, match="can't be loaded"):
                await again.answered_by("math")
            await again.adapters._reconciler.correct()


async def test_versions_of_another_base_are_not_loaded(world: World) -> None:
    version = await world.register("support", 1)
    await world.adapters.promote("support", version)
    write_base(world.folder / "base", seed=9)
    world.engine.restart()
    async with started(world) as again:
        await again.bring_up()
        assert world.engine.loaded == {}
        assert not again.ready()
        assert "another base" in again.adapters.problems[0]
        with pytest.raises(EngineUnavailable, match="can't be loaded"):
            await again.answered_by("support")


async def test_preloaded_ones_take_the_place_of_versions_of_another_base(world: World) -> None:
    version = await world.register("support", 1)
    await world.adapters.promote("support", version)
    write_base(world.folder / "base", seed=9)
    world.engine.restart()
    world.write("anew", 2)
    async with started(world, support="anew") as again:
        await again.bring_up()
        assert again.ready()
        assert again.adapters.problems == ()
        assert await again.answered_by("support") != version


async def test_two_gateways_on_one_registry_do_not_overwrite_each_other(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    async with started(world) as other:
        await other.bring_up()
        await other.adapters.promote("support", second)
        with pytest.raises(AdapterConflict, match="another process"):
            await world.adapters.promote("support", second, 10)


async def test_the_registry_is_one_file_in_the_state_folder(world: World, tmp_path: Path) -> None:
    await world.register("support", 1)
    assert (tmp_path / "state" / "registry.db").is_file()
