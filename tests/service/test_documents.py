"""The documents of a ``retrieve`` route change under the running gateway."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from watchfiles import Change

from service import watched_folders
from service.routes import load_table
from service.sections import LimitSettings
from service.watched_folders import WatchedFolders
from tests.service.conftest import Running, Start
from tests.service.parts import ROUTES, write_settings
from tests.service.refused import check_error

ASK = "where is my parcel"
HANDBOOK = ROUTES.replace(
    "    chain: direct\n    adapter: support",
    "    chain: retrieve\n    options: {documents: prompts/../docs, threshold: -1, answer: quote}\n"
    "    adapter: support",
)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("Where a parcel is, the depot knows.", "utf-8")
    return folder


async def answer(running: Running) -> str:
    response = await running.ask(ASK)
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


async def warnings(running: Running) -> list[str]:
    found: list[str] = (await running.http.get("/ready")).json()["routes"]["warnings"]
    return [warning for warning in found if "docs" in warning]


async def comes(running: Running, wanted: str, change: Callable[[], object] = lambda: None) -> None:
    """Make ``change``, then wait until the answer is ``wanted``; pytest's timeout is the bound."""
    change()
    while await answer(running) != wanted:  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("temperature", 9, "at least 0 and at most 2"),
        ("top_p", 0, "above 0 and at most 1"),
        ("thinking_token_budget", -2, "at least -1"),
    ],
)
@pytest.mark.usefixtures("docs")
async def test_bounds_are_held_to_where_no_engine_is_asked(
    start: Start, name: str, value: float, taken: str
) -> None:
    async with start(routes=HANDBOOK) as running:
        error = check_error(await running.ask(ASK, **{name: value}), 400)
        assert (error["param"], error["message"]) == (name, f"{name} must be {taken}, found {value}")
        assert (await running.ask(ASK, temperature=2, top_p=1)).status_code == 200


async def test_an_edit_is_taken_up_without_being_asked(start: Start, docs: Path) -> None:
    async with start(routes=HANDBOOK) as running:
        assert await answer(running) == "Where a parcel is, the depot knows. [1]"
        text = "Where a parcel is, the map shows."
        await comes(running, f"{text} [1]", lambda: (docs / "a.md").write_text(text, "utf-8"))


async def test_a_folder_that_is_put_in_place_of_another_is_watched(start: Start, docs: Path) -> None:
    async with start(routes=HANDBOOK) as running:
        new = docs.with_name("new")
        new.mkdir()
        (new / "b.md").write_text("Where a parcel is, nobody says.", "utf-8")
        shutil.rmtree(docs)
        await comes(running, "Where a parcel is, nobody says. [1]", lambda: new.rename(docs))
        text = "Where a parcel is, the driver says."
        await comes(running, f"{text} [1]", lambda: (docs / "b.md").write_text(text, "utf-8"))


async def test_a_folder_of_changed_routes_is_watched(start: Start, docs: Path) -> None:
    async with start() as running:
        (running.folder / "routes.yaml").write_text(HANDBOOK, "utf-8")
        response = await running.http.post("/admin/routes/reload", headers=running.admin)
        assert response.status_code == 200
        text = "Where a parcel is, the map shows."
        await comes(running, f"{text} [1]", lambda: (docs / "a.md").write_text(text, "utf-8"))


async def test_a_document_that_cannot_be_read_is_named_and_the_rest_is_served(
    start: Start, docs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (docs / "broken.txt").write_bytes(b"Where a parcel is, caf\xe9")
    with caplog.at_level(logging.WARNING):
        async with start(routes=HANDBOOK) as running:
            assert await answer(running) == "Where a parcel is, the depot knows. [1]"
            (warning,) = await warnings(running)
            assert "broken.txt is not UTF-8: " in warning
            assert warning.endswith("at byte 22; the route 'track_parcel' does without")
            (docs / "broken.txt").write_text("where is my parcel", "utf-8")
            await comes(running, "where is my parcel [1]")
            assert await warnings(running) == []
    assert "broken.txt is not UTF-8: " in caplog.text


async def test_documents_of_which_none_can_be_read_leave_the_live_set(start: Start, docs: Path) -> None:
    async with start(routes=HANDBOOK) as running:
        (docs / "a.md").write_bytes(b"caf\xe9")
        response = await running.http.post("/admin/routes/reload", headers=running.admin)
        assert response.status_code == 422
        (problem,) = response.json()["error"]["problems"]
        assert "no document in " in problem
        assert await answer(running) == "Where a parcel is, the depot knows. [1]"


def test_what_the_gateway_writes_is_no_change(tmp_path: Path, docs: Path) -> None:
    settings = write_settings(tmp_path, "http://127.0.0.1:1", routes=HANDBOOK.replace("../docs", ".."))
    folders = WatchedFolders(settings.state)
    folders.watch([load_table(settings.router.routes, settings.prompts, LimitSettings())])
    inside = f"{tmp_path}/prompts/.."
    assert folders.may_be(Change.modified, f"{inside}/docs/a.md")
    assert not folders.may_be(Change.modified, f"{inside}/state/notes.md")


async def test_what_changed_before_a_folder_was_watched_is_seen(
    tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_folders, "_LOOK", 50)
    settings = write_settings(tmp_path, "http://127.0.0.1:1", routes=HANDBOOK)
    folders = WatchedFolders(settings.state)
    async with aclosing(folders.changes()) as changes:
        change = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        folders.watch([load_table(settings.router.routes, settings.prompts, LimitSettings())])
        await change
