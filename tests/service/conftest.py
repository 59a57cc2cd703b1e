"""A running gateway in front of a running fake vLLM, both on loopback."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from service import live
from service.app import create_app
from service.engine import EnginePool
from service.gateway import Gateway
from service.protocol import Protocol
from tests.service.fake_vllm import FakeVLLM
from tests.service.loopback import serving
from tests.service.parts import ROUTES, Desk, SpellingEncoder, write_settings


@dataclass
class Running:
    """Everything that a test may look at or break."""

    url: str
    http: httpx.AsyncClient
    vllm: FakeVLLM
    gateway: Gateway
    folder: Path

    @property
    def pool(self) -> EnginePool:
        assert isinstance(self.gateway.engine, EnginePool)
        return self.gateway.engine

    @property
    def desk(self) -> Desk:
        assert isinstance(self.gateway.adapters, Desk)
        return self.gateway.adapters

    @property
    def admin(self) -> dict[str, str]:
        """The header that lets the admin in."""
        key = (self.folder / "state" / "admin.key").read_text("utf-8").strip()
        return {"authorization": f"Bearer {key}"}

    async def ask(self, text: str, **parameters: object) -> httpx.Response:
        """One question, routed."""
        body = {"model": "auto", "messages": [{"role": "user", "content": text}], **parameters}
        return await self.http.post("/v1/chat/completions", json=body)


Start = Callable[..., AbstractAsyncContextManager[Running]]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds; pytest's timeout is the bound."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.005)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the router that one test fitted waits for the next."""
    return tmp_path_factory.mktemp("fitted") / "router"


@pytest.fixture
def start(tmp_path: Path, fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Start, None, None]:
    """``async with start(extra): ...`` runs a gateway with these further lines of settings."""
    monkeypatch.setattr(live, "Encoder", SpellingEncoder)
    state = tmp_path / "state" / "router"
    if fitted.is_dir():
        shutil.copytree(fitted, state)

    @asynccontextmanager
    async def begin(extra: str = "", routes: str = ROUTES) -> AsyncGenerator[Running, None]:
        vllm, desk = FakeVLLM(), Desk()
        vllm.models |= {version.name for version in desk.versions.values()}
        desk.loaded = vllm.models
        async with serving(vllm.app) as engine_url:
            settings = write_settings(tmp_path, engine_url, extra, routes)
            engine = EnginePool.from_settings(settings.engine, settings.state)
            gateway = Gateway(settings, engine, desk)
            app = create_app(settings, lambda _: gateway)
            async with (
                serving(app, lifespan=True, http=Protocol) as url,
                httpx.AsyncClient(base_url=url, timeout=30) as http,
            ):
                await until(lambda: gateway.routes.live is not None and engine.state == "ready")
                yield Running(url, http, vllm, gateway, tmp_path)

    yield begin
    if state.is_dir() and not fitted.is_dir():
        shutil.copytree(state, fitted)


@pytest.fixture
async def running(start: Start) -> AsyncGenerator[Running, None]:
    """A gateway with the settings of the tests."""
    async with start() as found:
        yield found
