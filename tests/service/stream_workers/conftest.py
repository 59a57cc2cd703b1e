"""A gateway whose streams another process carries."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from service.engine import carried as carried_module
from service.engine.wire import Lent, Outlet
from tests.service.conftest import Running, Start, until


@pytest.fixture
async def carried(start: Start) -> AsyncGenerator[Running, None]:
    """A gateway with one stream worker."""
    async with start("gateway: {stream_workers: 1}\n") as running:
        await until(lambda: running.gateway.workers.alive == 1)
        yield running


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of events were pending each time a connection was lent."""
    found: list[int] = []
    lend = carried_module._lent

    async def noted(outlet: Outlet) -> Lent | None:
        if (given := await lend(outlet)) is not None:
            found.append(len(given.rest))
        return given

    monkeypatch.setattr(carried_module, "_lent", noted)
    return found
