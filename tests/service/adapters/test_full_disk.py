"""A disk or a database that takes nothing more: told as such, nothing half entered, no candidate's fault."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from service.errors import AdapterRejected, RegistryUnavailable, StoreUnavailable
from tests.service.adapters.conftest import World


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
async def test_an_artefact_that_finds_no_room_is_not_entered_and_not_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    world.write("new", 1)

    def full(source: Any, target: Any) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(code, os.strerror(code), str(source))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(StoreUnavailable, match=f"{os.strerror(code)}; nothing was entered. Make room"):
            await world.adapters.register("support", "new")
    assert await world.adapters.list() == []
    assert list((world.folder / "state" / "adapters").iterdir()) == []
    await world.adapters.register("support", "new")


async def test_a_source_that_can_not_be_read_is_its_own_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("new", 1)

    def gone(source: Any, target: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(source))

    monkeypatch.setattr(shutil, "copyfile", gone)
    with pytest.raises(AdapterRejected, match="new: can't be copied: No such file"):
        await world.adapters.register("support", "new")


@contextmanager
def restricted(pragma: str, restricts: str, frees: str) -> Iterator[None]:
    """SQLite itself takes nothing more on any connection."""

    def restrict(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA {pragma}={restricts}")

    def free(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA {pragma}={frees}")

    event.listen(Engine, "checkout", restrict)
    event.listen(Engine, "checkin", free)
    try:
        yield
    finally:
        event.remove(Engine, "checkout", restrict)
        event.remove(Engine, "checkin", free)


async def test_a_read_only_registry_leaves_all_as_it_is(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first)
    world.write("third", 3)
    before, loaded = await world.states(), set(world.engine.loaded)
    with restricted("query_only", "ON", "OFF"):
        for change in (
            world.adapters.register("support", "third"),
            world.adapters.judge("support", second, passed=False, report={}),
            world.adapters.promote("support", second),
            world.adapters.promote("support", second, 10),
            world.adapters.retire("support", second),
            world.adapters.withdraw("support"),
        ):
            with pytest.raises(RegistryUnavailable, match=r"readonly database; nothing was changed.*Make"):
                await change
        assert (await world.states(), set(world.engine.loaded)) == (before, loaded)
        assert await world.answered_by("support") == first
    await world.adapters.promote("support", second)
    with restricted("query_only", "ON", "OFF"), pytest.raises(RegistryUnavailable):
        await world.adapters.rollback("support")
    assert await world.answered_by("support") == second


async def test_a_database_whose_disk_is_full_keeps_what_it_has(world: World) -> None:
    version = await world.register("support", 1)
    with (
        restricted("max_page_count", "1", "1000000"),
        pytest.raises(RegistryUnavailable, match="disk is full; nothing was changed"),
    ):
        await world.adapters.judge("support", version, passed=False, report={"long": "x" * 100_000})
    assert (await world.adapters.show("support", version)).verdict is None
    await world.adapters.promote("support", version)
