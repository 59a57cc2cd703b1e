"""Several servers: each has adapters of its own, and what is asked for more is on more of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from service.engine import EngineClient
from service.engine.placement import Beginning
from service.errors import EngineUnavailable
from service.sections import EngineSettings
from tests.service.adapters.artefacts import write_base
from tests.service.adapters.conftest import World, build
from tests.service.adapters.engine import FakeEngine
from tests.service.conftest import until

ALIASES = ("a", "b", "c")


class Two:
    """A gateway with two servers, and three live adapters."""

    def __init__(self, folder: Path) -> None:
        write_base(folder / "base")
        (folder / "adapters").mkdir()
        self.engines = [FakeEngine(url="http://one"), FakeEngine(url="http://other")]
        self.world: World = build(folder, self.engines[0])
        self.clients: list[EngineClient] = []

    async def start(self) -> None:
        await self.world.adapters.start()
        for engine in self.engines:
            await self.bring_up(engine)
        for seed, alias in enumerate(ALIASES):
            await self.world.adapters.promote(alias, await self.world.register(alias, seed))

    async def bring_up(self, engine: FakeEngine) -> None:
        client = engine.client()
        await self.world.pool.prepare(client)
        self.world.pool.up(client)
        self.clients.append(client)

    async def ask(self, alias: str, times: int = 1) -> set[str]:
        """The servers that would answer."""
        for _ in range(times):
            async with self.world.adapters.lease(alias, "c") as lease:
                pass
        known = [
            self.world.pool.client(lease.name, Beginning("", f"talk {index}")).url for index in range(20)
        ]
        return set(known)

    def servers_of(self, alias: str) -> int:
        return sum(name.startswith(f"{alias}@") for engine in self.engines for name in engine.loaded)

    async def correct(self) -> None:
        await self.world.adapters._reconciler.correct()


@pytest.fixture
async def two(tmp_path: Path) -> Two:
    found = Two(tmp_path)
    await found.start()
    return found


async def test_each_adapter_lives_on_one_server_until_it_is_asked_for_more(two: Two) -> None:
    assert [two.servers_of(alias) for alias in ALIASES] == [1, 1, 1]
    assert all(engine.loaded for engine in two.engines)
    for alias in ALIASES:
        await two.ask(alias)
    await two.ask("a", times=20)
    await two.correct()
    assert [two.servers_of(alias) for alias in ALIASES] == [2, 1, 1]
    assert len(await two.ask("a")) == 2
    assert len(await two.ask("b")) == 1
    for _ in range(30):  # later nobody asks for it any more
        await two.ask("b", times=3)
        await two.correct()
    assert two.servers_of("a") == 1
    assert two.servers_of("b") == 2
    await two.world.adapters.stop()


async def test_what_a_server_had_is_loaded_on_another_when_it_is_gone(two: Two) -> None:
    lost = two.clients[0]
    two.engines[0].restart()
    two.world.pool.down(lost, "killed")
    assert two.world.pool.state == "ready"
    for alias in ALIASES:
        assert await two.ask(alias) == {"http://other"}
    await two.bring_up(two.engines[0])
    await two.correct()
    for alias in ALIASES:
        assert len(await two.ask(alias)) == 1
    assert all(engine.loaded for engine in two.engines)
    await two.world.adapters.stop()


async def test_a_server_that_does_not_say_what_it_has_keeps_no_other_from_being_compared(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def models() -> set[str]:
        raise EngineUnavailable("http://one has not answered GET /v1/models within 5 s")

    name = next(name for name in two.engines[1].loaded)
    with monkeypatch.context() as patch:
        patch.setattr(two.clients[0], "models", models)
        two.engines[1].restart()
        await two.correct()
    assert two.engines[1].history.count(f"load {name}") == 2
    await two.world.adapters.stop()


async def test_what_was_loaded_on_a_server_that_went_meanwhile_is_loaded_on_another(two: Two) -> None:
    entry = next(entry for entry in two.world.adapters._versions if entry.record.alias == "a")
    assert await two.world.adapters._slots.unload(entry)
    for engine in two.engines:
        engine.loading = asyncio.Event()
    asking = asyncio.create_task(two.ask("a"))
    await until(lambda: any(client.waiting for client in two.clients))
    (lost,) = (client for client in two.clients if client.waiting)
    two.world.pool.down(lost, "one look in vain")
    for engine in two.engines:
        assert engine.loading is not None
        engine.loading.set()
    assert await asking == {client.url for client in two.clients if client is not lost}
    assert entry.loaded_on.isdisjoint({lost})
    await two.world.adapters.stop()


async def test_what_is_taken_out_as_versions_are_spread_stays_out(two: Two) -> None:
    slots = two.world.adapters._slots
    await two.ask("a", times=20)
    entry = next(entry for entry in two.world.adapters._versions if entry.record.alias == "a")
    async with slots._changing:
        unloading = asyncio.create_task(slots.unload(entry))
        await asyncio.sleep(0)
        spreading = asyncio.create_task(slots.spread())
        await asyncio.sleep(0)
    assert await unloading
    await spreading
    assert two.servers_of("a") == 0
    await two.world.adapters.stop()


async def test_a_copy_in_use_is_not_taken_out(two: Two) -> None:
    await two.ask("a", times=20)
    await two.correct()
    assert two.servers_of("a") == 2
    name = next(name for name in two.engines[0].loaded if name.startswith("a@"))
    for client in two.clients:
        client._count({"model": name}, 1)
    for _ in range(30):
        await two.ask("b", times=3)
        await two.correct()
    assert two.servers_of("a") == 2
    for client in two.clients:
        client._count({"model": name}, -1)
    await two.correct()
    assert two.servers_of("a") == 1
    await two.world.adapters.stop()


def test_a_server_can_be_listed_once() -> None:
    with pytest.raises(ValueError, match="http://one is listed twice"):
        EngineSettings(model="/base", model_name="base", urls=("http://one", "http://one"))
