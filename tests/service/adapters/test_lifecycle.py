"""From a folder to live and back again, while requests go on."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from service.adapters.registry import Registry
from service.errors import (
    AdapterConflict,
    AdapterNotFound,
    AdapterRejected,
    EngineUnavailable,
    InvalidRequest,
    ModelNotFound,
    RegistryUnavailable,
)
from tests.service.adapters.conftest import World, build
from tests.service.conftest import until


async def test_a_version_is_named_by_its_content(world: World) -> None:
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


async def test_rollback_goes_back_step_by_step_without_a_load(world: World) -> None:
    versions = [await world.register("support", seed) for seed in (1, 2, 3)]
    for version in versions:
        await world.adapters.promote("support", version)
    loads = len(world.engine.history)
    for version in (versions[1], versions[0]):
        assert (await world.adapters.rollback("support")).version == version
        assert await world.answered_by("support") == version
    assert len(world.engine.history) == loads
    with pytest.raises(AdapterConflict, match="no earlier version"):
        await world.adapters.rollback("support")
    await world.adapters.promote("support", versions[2])
    assert (await world.adapters.rollback("support")).version == versions[0]


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


async def test_what_can_not_be_promoted(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    with pytest.raises(AdapterNotFound, match=f"it has {first}, {second}"):
        await world.adapters.promote("support", "0" * 12)
    with pytest.raises(AdapterNotFound, match="no version of it is registered"):
        await world.adapters.promote("other", first)
    with pytest.raises(AdapterConflict, match="use weight 100"):
        await world.adapters.promote("support", second, 10)
    with pytest.raises(InvalidRequest, match="weight is 101"):
        await world.adapters.promote("support", second, 101)
    await world.adapters.promote("support", first)
    with pytest.raises(AdapterConflict, match="a canary must be another one"):
        await world.adapters.promote("support", first, 10)


async def test_promoting_what_is_live_is_no_step(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    await world.adapters.promote("support", second)
    await world.adapters.promote("support", second)
    assert (await world.adapters.rollback("support")).version == first


async def test_an_adapter_without_effect_is_refused_and_taken_out(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    world.engine.without_effect.add("support")
    with pytest.raises(AdapterRejected, match="no effect"):
        await world.adapters.promote("support", second)
    assert await world.answered_by("support") == first
    assert set(world.engine.loaded) == {f"support@{first}"}


async def test_the_engines_refusal_is_told(world: World) -> None:
    version = await world.register("support", 1)
    world.engine.refuses["support"] = "LoRA rank 64 is greater than max_lora_rank 16."
    with pytest.raises(AdapterRejected, match="rank 64 is greater"):
        await world.adapters.promote("support", version)
    assert not world.adapters.knows("support")


async def test_bytes_that_changed_after_the_registration_are_not_loaded(world: World) -> None:
    version = await world.register("support", 1)
    stored = world.folder / "state" / "adapters" / f"support@{version}" / "adapter_model.safetensors"
    stored.write_bytes(stored.read_bytes()[:-1] + b"\x01")
    with pytest.raises(AdapterRejected, match="were changed"):
        await world.adapters.promote("support", version)
    assert world.engine.loaded == {}
    await world.adapters.register("support", "support-1")  # its folder is as it was
    await world.adapters.promote("support", version)


async def test_training_into_the_same_folder_leaves_the_live_version_alone(world: World) -> None:
    first = (await world.adapters.register("support", world.write("support", 1))).version
    await world.adapters.promote("support", first)
    second = (await world.adapters.register("support", world.write("support", 2))).version
    await world.adapters.promote("support", second)
    world.go_down()
    await world.bring_up()
    assert (await world.adapters.rollback("support")).version == first
    assert await world.answered_by("support") == first


async def test_a_database_that_fails_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    before = dict(world.engine.loaded)

    def fail(*_: object) -> None:
        raise RegistryUnavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "switch", fail)
        with pytest.raises(RegistryUnavailable):
            await world.adapters.promote("support", second)
    assert world.engine.loaded == before
    assert await world.answered_by("support") == first
    await world.adapters.promote("support", second)
    assert await world.answered_by("support") == second


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
    with pytest.raises(AdapterConflict, match="no earlier version"):
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
    monkeypatch.setattr(world.adapters._lifecycle, "_drain_seconds", 0.01)
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


async def test_what_is_not_registered(world: World) -> None:
    for model in ("support", "support@" + "0" * 12, "", "../x", "a@b@c"):
        assert not world.adapters.knows(model)
        with pytest.raises(ModelNotFound):
            await world.answered_by(model)


async def test_the_same_bytes_under_two_aliases_are_two_versions(world: World) -> None:
    version = await world.register("support", 1)
    assert (await world.adapters.register("other", "support-1")).version == version
    await world.adapters.promote("support", version)
    await world.adapters.promote("other", version)
    assert set(world.engine.loaded) == {f"support@{version}", f"other@{version}"}


async def test_a_bad_artefact_is_not_entered(world: World) -> None:
    world.write("bad")
    (world.folder / "adapters" / "bad" / "model.pkl").touch()
    with pytest.raises(AdapterRejected):
        await world.adapters.register("support", "bad")
    with pytest.raises(AdapterRejected):
        await world.adapters.check("bad")
    assert await world.adapters.list() == []
    assert build(world.folder, world.engine)  # and nothing keeps a new gateway from starting
