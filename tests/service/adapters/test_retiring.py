"""A version or an alias goes out of service when its last request is done."""

from __future__ import annotations

import pytest

from service.errors import AdapterConflict, AdapterNotFound, ModelNotFound
from tests.service.adapters.conftest import World, build
from tests.service.conftest import until


async def test_retiring_waits_for_the_last_request(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    name = f"support@{first}"
    await world.adapters.promote("support", first)
    with pytest.raises(AdapterConflict, match="is live"):
        await world.adapters.retire("support", first)
    async with world.adapters.lease("support", "c"):
        await world.adapters.promote("support", second)
        assert (await world.adapters.retire("support", first)).state == "draining"
        assert name in world.engine.loaded
        assert not world.adapters.knows(name)
        with pytest.raises(ModelNotFound):
            await world.answered_by(name)
    await until(lambda: name not in world.engine.loaded)
    await until(lambda: not (world.folder / "state" / "adapters" / name).exists())
    assert (await world.states())[name] == "retired"
    with pytest.raises(AdapterConflict, match="is retired"):
        await world.adapters.rollback("support")
    assert await world.answered_by("support") == second
    await world.adapters.register("support", "support-1")
    assert (await world.adapters.rollback("support")).version == first


async def test_an_alias_that_is_withdrawn_answers_no_more_and_may_come_back(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    await world.adapters.promote("support", second, 10)
    async with world.adapters.lease(f"support@{second}", "c") as lease:
        await world.adapters.withdraw("support")
        assert not world.adapters.knows("support")
        assert not world.adapters.knows(lease.name)
        assert set(world.engine.loaded) == {lease.name}  # the other one was free
    await until(lambda: not world.engine.loaded)
    with pytest.raises(AdapterNotFound, match="no live version"):
        await world.adapters.withdraw("support")
    with pytest.raises(AdapterNotFound, match="no live version; those that have one: none"):
        await world.adapters.rollback("support")
    again = build(world.folder, world.engine)  # the gateway was started again
    await again.adapters.start()
    assert not again.adapters.knows("support")
    await again.adapters.stop()
    await world.adapters.register("support", "support-1")
    await world.adapters.promote("support", first)
    assert await world.answered_by("support") == first


async def test_giving_up_on_a_drain_is_loud(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(world.adapters._drains, "_seconds", 0.01)
    version = await world.register("support", 1)
    name = f"support@{version}"
    async with world.adapters.lease(name, "c"):
        await world.adapters.retire("support", version)
        await until(lambda: "still used by 1 requests" in caplog.text)
        assert (await world.states())[name] == "draining"
        await world.adapters._reconciler.correct()
        assert name in world.engine.loaded
    await world.adapters._reconciler.correct()
    assert name not in world.engine.loaded
    assert (await world.states())[name] == "retired"
