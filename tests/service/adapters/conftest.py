"""Adapters over a real registry and a fake engine, and what the checks look at."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.adapters import Adapters
from service.adapters.base import Base, read_base
from service.engine import EngineClient, EnginePool
from service.sections import AdapterSettings, EngineSettings, RouterSettings
from service.settings import Settings
from tests.service.adapters.artefacts import write_adapter, write_base
from tests.service.adapters.engine import BASE, FakeEngine


@dataclass
class World:
    """Everything that a test may look at or break."""

    folder: Path
    settings: Settings
    engine: FakeEngine
    pool: EnginePool
    adapters: Adapters
    client: EngineClient | None = None

    def write(self, name: str, seed: int = 0) -> str:
        """A good artefact in the adapters folder."""
        write_adapter(self.folder / "adapters" / name, self.folder / "base", seed=seed)
        return name

    async def register(self, alias: str, seed: int) -> str:
        """A new version; its version."""
        return (await self.adapters.register(alias, self.write(f"{alias}-{seed}", seed))).version

    def ready(self) -> bool:
        """What ``/ready`` asks."""
        return self.adapters.ready

    async def bring_up(self) -> None:
        """The engine came up, empty or not."""
        self.client = self.engine.client()
        await self.pool.prepare(self.client)
        self.pool.up(self.client)

    def go_down(self) -> None:
        """The engine died, with all that it had loaded."""
        assert self.client is not None
        self.engine.restart()
        self.pool.down(self.client, "killed")

    async def answered_by(self, model: str, conversation: str = "c") -> str:
        """The version that a request would get; it is loaded while it is leased."""
        async with self.adapters.lease(model, conversation) as lease:
            assert lease.name in self.engine.loaded
            return lease.version

    async def states(self) -> dict[str, str]:
        """State of every version by name."""
        return {info.name: info.state for info in await self.adapters.list()}


def build(folder: Path, engine: FakeEngine, trusted: tuple[str, ...] = (), **preload: str) -> World:
    """A gateway's adapters in ``folder``; building again is starting the gateway again."""
    settings = Settings(
        state=folder / "state",
        engine=EngineSettings(model=str(folder / "base"), model_name=BASE, max_loras=3, max_cpu_loras=3),
        router=RouterSettings(routes=folder / "routes.yaml"),
        prompts=folder,
        adapters=AdapterSettings(folder=folder / "adapters", preload=preload, trusted_keys=trusted),
    )
    pool = EnginePool()
    return World(folder, settings, engine, pool, Adapters(settings, pool))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World, None]:
    """An empty registry and an engine that is up."""
    write_base(tmp_path / "base")
    (tmp_path / "adapters").mkdir()
    found = build(tmp_path, FakeEngine())
    await found.adapters.start()
    await found.bring_up()
    yield found
    await found.adapters.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The adapters folder, empty."""
    folder = tmp_path / "adapters"
    folder.mkdir()
    return folder


@pytest.fixture
def base_folder(tmp_path: Path) -> Path:
    """A base without adapters."""
    return write_base(tmp_path / "base")


@pytest.fixture
def base(base_folder: Path, tmp_path: Path) -> Base:
    """What the checks compare with."""
    return read_base(EngineSettings(model=str(base_folder), model_name="demo"), tmp_path / "state")
