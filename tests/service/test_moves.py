"""What moves with a version, over the admin API: tried and refused before it is entered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Running

VERSION = "0" * 12


async def posted(running: Running, what: str, body: dict[str, Any]) -> tuple[int, Any]:
    response = await running.http.post(
        f"/admin/adapters/support/{what}", json={"version": VERSION, **body}, headers=running.admin
    )
    return response.status_code, response.json()


async def test_what_can_t_be_used_is_refused_with_every_problem(running: Running) -> None:
    moves = {"routes": {"track_parcel": {"prompt": "nowhere", "chain": "cott"}}}
    status, said = await posted(running, "moves", {"moves": moves})
    assert status == 422
    problems = said["error"]["problems"]
    assert any("nowhere" in problem for problem in problems)
    assert any("no chain 'cott'" in problem for problem in problems)
    assert (await running.ask("where is my parcel")).status_code == 200


async def test_what_can_be_used_is_entered_and_nothing_is_in_force(running: Running) -> None:
    before = running.gateway.routes.live
    status, said = await posted(running, "moves", {"moves": {"routes": {"track_parcel": {"chain": "cot"}}}})
    assert (status, said["alias"]) == (200, "support")
    assert running.gateway.routes.live is before
    assert (await posted(running, "moves", {"moves": None}))[0] == 200


async def test_texts_are_decided_one_by_one(running: Running) -> None:
    texts = ["where is my parcel", "what is 12 plus 30", "who won the football match last night"]
    status, said = await posted(running, "route", {"texts": texts})
    assert status == 200
    assert [one["intent"] for one in said["data"]] == ["track_parcel", "arithmetic", None]


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("moves", {}),
        ("moves", {"moves": {}}),
        ("moves", {"moves": {"route": {}}}),
        ("moves", {"moves": {"routes": {"track_parcel": {"adapter": "math"}}}}),
        ("moves", {"moves": {"wrong_cost": 1e9}}),
        ("route", {"texts": []}),
        ("route", {"texts": [1]}),
    ],
)
async def test_bodies_that_can_t_be_are_the_client_s_fault(
    running: Running, what: str, body: dict[str, Any]
) -> None:
    status, said = await posted(running, what, body)
    assert status == 400, said
    assert said["error"]["param"] is not None
