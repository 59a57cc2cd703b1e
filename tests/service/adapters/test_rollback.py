"""Shares of an alias's conversations, and the way back from any of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from service.adapters.tables import PromotionRow
from service.errors import AdapterConflict, EngineUnavailable
from tests.service.adapters.conftest import World


@contextmanager
def listening(target: Any, name: str, heard: Callable[..., object]) -> Generator[None]:
    """Have SQLAlchemy call ``heard`` until the exit."""
    event.listen(target, name, heard)
    try:
        yield
    finally:
        event.remove(target, name, heard)


async def test_rollback_goes_back_step_by_step_without_a_load(world: World) -> None:
    versions = [await world.register("support", seed) for seed in (1, 2, 3)]
    for version in versions:
        await world.adapters.promote("support", version)
    loads = len(world.engine.history)
    for version in (versions[1], versions[0]):
        assert (await world.adapters.rollback("support")).version == version
        assert await world.answered_by("support") == version
    assert len(world.engine.history) == loads
    with pytest.raises(AdapterConflict, match=f"@{versions[0]} stays live: there is no earlier version"):
        await world.adapters.rollback("support")
    await world.adapters.promote("support", versions[2])
    assert (await world.adapters.rollback("support")).version == versions[0]


async def test_a_rollback_reads_no_more_for_a_long_history(world: World) -> None:
    versions = [await world.register("support", seed) for seed in (1, 2)]
    for turn in range(60):
        await world.adapters.promote("support", versions[turn % 2])
    read: list[object] = []
    with listening(PromotionRow, "load", lambda row, _: read.append(row)):
        assert (await world.adapters.rollback("support")).version == versions[0]
    assert 0 < len(read) <= 20


async def test_a_canary_gets_its_share_and_conversations_stay(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    await world.adapters.promote("support", second, 30)

    async def who() -> dict[str, str]:
        return {str(n): await world.answered_by("support", str(n)) for n in range(400)}

    at_30 = await who()
    assert at_30 == await who()
    assert 80 < Counter(at_30.values())[second] < 160
    await world.adapters.promote("support", second, 60)
    at_60 = await who()
    assert all(at_60[n] == second for n, version in at_30.items() if version == second)
    weights = {info.version: info.weight for info in world.adapters.names()}
    assert weights == {first: 40, second: 60}
    await world.adapters.promote("support", first)  # ends the canary
    assert set((await who()).values()) == {first}


@pytest.mark.parametrize("shares", [(10,), (10, 50), (10, 50, 100), (100,)])
async def test_one_rollback_takes_a_version_out_whatever_share_it_got(
    world: World, shares: tuple[int, ...]
) -> None:
    first, second, third = [await world.register("support", seed) for seed in (1, 2, 3)]
    await world.adapters.promote("support", first)
    await world.adapters.promote("support", second)
    for share in shares:
        await world.adapters.promote("support", third, share)
    assert (await world.adapters.rollback("support")).version == second
    assert {info.version: info.weight for info in world.adapters.names() if info.weight} == {second: 100}
    assert (await world.adapters.rollback("support")).version == first


async def test_promoting_what_is_live_is_no_step(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    await world.adapters.promote("support", second)
    await world.adapters.promote("support", second)
    assert (await world.adapters.rollback("support")).version == first


async def test_the_way_back_is_open_while_the_engine_is_down(world: World) -> None:
    """A version that brings the engine down can be taken back; it comes up with the one before."""
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    await world.adapters.promote("support", second)
    world.go_down()
    with pytest.raises(EngineUnavailable):
        await world.adapters.promote("support", first)  # what is promoted must be proved
    assert (await world.adapters.rollback("support")).version == first
    await world.bring_up()
    assert f"support@{first}" in world.engine.loaded
    assert await world.answered_by("support") == first
