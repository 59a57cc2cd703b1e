"""docs/api.md has every path, every code of an error and every field that is refused."""

from __future__ import annotations

import re
from pathlib import Path

from service.api.errors import TABLE
from service.body.known import CHAT, RESPONSE
from tests.service.conftest import Running

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_codes_stand_beside_their_statuses() -> None:
    for row in TABLE.values():
        assert re.search(rf"^\|.*\b{row.status}\b.*\|.*`{row.code}`", PAGE, re.MULTILINE), row


def test_the_fields_that_are_refused_are_named() -> None:
    for field in {*CHAT.refused, *RESPONSE.refused}:
        assert f"`{field}`" in PAGE, field


async def test_the_paths_are_named(running: Running) -> None:
    for path in (await running.http.get("/openapi.json")).json()["paths"]:
        assert path in PAGE, path
