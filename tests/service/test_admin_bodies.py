"""What an admin gets wrong is told by field, value and what is taken, like a client's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Running
from tests.service.refused import check_error

PROMOTE, REGISTER = "/admin/adapters/support/promote", "/admin/adapters"
ONE = "give either folder (in the adapters folder) or upload (the id of one)"
WRONG: list[tuple[str, dict[str, Any], str, str | None]] = [
    (REGISTER, {}, "alias is required", "alias"),
    (REGISTER, {"alias": 5, "folder": "x"}, "alias must be text, found 5", "alias"),
    (REGISTER, {"alias": "a", "folder": ["x"]}, "folder must be text, found a list", "folder"),
    (REGISTER, {"alias": "a", "folder": None}, ONE, None),
    (REGISTER, {"alias": "a", "folder": "x", "upload": "y"}, ONE, None),
    (PROMOTE, {"version": "0", "beside": "1"}, "beside must be a list, found '1'", "beside"),
    (
        REGISTER,
        {"alias": "a", "folder": "x", "wieght": 5},
        "wieght is not taken here: the fields are alias, folder, upload",
        "wieght",
    ),
    (PROMOTE, {"version": "0", "weight": 101}, "weight must be at most 100, found 101", "weight"),
    (PROMOTE, {"version": "0", "weight": -1}, "weight must be at least 0, found -1", "weight"),
    (PROMOTE, {"version": "0", "weight": "half"}, "weight must be a whole number, found 'half'", "weight"),
    (PROMOTE, {"version": "0", "weight": "50"}, "weight must be a whole number, found '50'", "weight"),
    (PROMOTE, {"version": "0", "weight": True}, "weight must be a whole number, found true", "weight"),
    (
        "/admin/adapters/support/moves",
        {"version": "0", "moves": {"switch_cost": False}},
        "moves.switch_cost must be a number, found false",
        "moves.switch_cost",
    ),
    (
        "/admin/adapters/support/moves",
        {"version": "0", "moves": {"examples": [{"text": "\r", "intent": None}]}},
        "moves.examples[0].text must be text that is not blank, found '\\r'",
        "moves.examples[0].text",
    ),
    (REGISTER, {"alias": "a", "folder": ""}, "folder must be text that is not blank, found ''", "folder"),
    (
        "/admin/adapters/support/verdict",
        {"version": "0", "passed": 1, "report": {}},
        "passed must be true or false, found 1",
        "passed",
    ),
    (PROMOTE, {"version": "0", "weight": 0.5}, "weight must be a whole number, found 0.5", "weight"),
    (
        "/admin/adapters/support/verdict",
        {"version": "0", "passed": "perhaps", "report": []},
        "passed must be true or false, found 'perhaps'; report must be an object, found a list",
        "passed",
    ),
]


@pytest.mark.parametrize(("path", "body", "says", "parameter"), WRONG, ids=range(len(WRONG)))
async def test_field_value_and_what_is_taken(
    running: Running, path: str, body: dict[str, Any], says: str, parameter: str | None
) -> None:
    error = check_error(await running.http.post(path, json=body, headers=running.admin), 400)
    assert (error["message"], error["param"]) == (says, parameter)


async def test_a_whole_number_may_be_written_with_a_point(running: Running) -> None:
    """JSON has one kind of number, and its schemas take 50.0 for an integer."""
    version = running.desk.versions["support"].version
    for path, body in (("promote", {"weight": 50.0}), ("shadow", {"share": 0.0})):
        answer = await running.http.post(
            f"/admin/adapters/support/{path}", json={"version": version, **body}, headers=running.admin
        )
        assert answer.status_code == 200, answer.text
    assert running.desk.versions["support"].weight == 50
