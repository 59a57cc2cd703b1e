"""What is refused, or fails half-way, leaves the live version and the engine as they were."""

from __future__ import annotations

import pytest

from service.adapters.registry import Registry
from service.engine import EngineClient
from service.errors import (
    AdapterConflict,
    AdapterNotFound,
    AdapterRejected,
    InvalidRequest,
    ModelNotFound,
    RegistryUnavailable,
)
from tests.service.adapters.conftest import World, build


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


async def test_an_adapter_without_effect_is_refused_and_taken_out(world: World) -> None:
    first = await world.register("support", 1)
    await world.adapters.promote("support", first)
    world.engine.without_effect.add("support")
    second = await world.register("support", 2)
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


async def test_bytes_that_change_while_the_engine_reads_them_are_taken_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await world.register("support", 1)
    stored = world.folder / "state" / "adapters" / f"support@{version}" / "adapter_model.safetensors"
    load = EngineClient.load_adapter

    async def changed_meanwhile(client: EngineClient, name: str, path: str) -> None:
        stored.write_bytes(stored.read_bytes()[:-1] + b"\x01")
        await load(client, name, path)

    monkeypatch.setattr(EngineClient, "load_adapter", changed_meanwhile)
    with pytest.raises(AdapterRejected, match="were changed"):
        await world.adapters.promote("support", version)
    assert world.engine.history == [f"load support@{version}", f"unload support@{version}"]
    assert not world.adapters.knows("support")


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


async def test_what_is_not_registered(world: World) -> None:
    for model in ("support", "support@" + "0" * 12, "", "../x", "a@b@c"):
        assert not world.adapters.knows(model)
        with pytest.raises(ModelNotFound):
            await world.answered_by(model)


async def test_a_bad_artefact_is_not_entered(world: World) -> None:
    world.write("bad")
    (world.folder / "adapters" / "bad" / "model.pkl").touch()
    with pytest.raises(AdapterRejected):
        await world.adapters.register("support", "bad")
    with pytest.raises(AdapterRejected):
        await world.adapters.check("bad")
    assert await world.adapters.list() == []
    assert build(world.folder, world.engine)  # and nothing keeps a new gateway from starting


async def test_what_was_compared_with_others_replaces_no_others(world: World) -> None:
    first, second, third = [await world.register("support", seed) for seed in (1, 2, 3)]
    with pytest.raises(AdapterConflict, match=f"live for 'support' is nothing, not support@{second}"):
        await world.adapters.promote("support", first, beside=[second])
    await world.adapters.promote("support", first, beside=[])
    await world.adapters.promote("support", second, 10, beside=[first])
    with pytest.raises(AdapterConflict, match=f"is support@{first}, support@{second}, not support@{first}:"):
        await world.adapters.promote("support", third, 10, beside=[first])
    with pytest.raises(AdapterConflict, match=f"is not the newest .*: support@{second} is"):
        await world.adapters.rollback("support", first)
    assert await world.answered_by("support") == first
    await world.adapters.promote("support", second, beside=[first, second])
    await world.adapters.rollback("support", second)
    assert await world.answered_by("support") == first
