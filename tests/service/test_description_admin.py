"""What the OpenAPI document says of an admin's requests is what is checked."""

from __future__ import annotations

from service.api.description import described
from service.sections import GatewaySettings
from tests.service.conftest import Running
from tests.service.described import schema_of
from tests.service.refused import check_error


async def test_what_an_admin_sends_is_described_as_it_is_checked(running: Running) -> None:
    found = (await running.http.get("/openapi.json")).json()
    adapters = schema_of(found, "/admin/adapters", "post", None)
    for wrong in ({"alias": "a"}, {"alias": "a", "folder": ""}, {"alias": "a", "folder": "f", "upload": "u"}):
        assert not adapters.is_valid(wrong)
        answer = await running.http.post("/admin/adapters", json=wrong, headers=running.admin)
        check_error(answer, 400)
    assert adapters.is_valid({"alias": "a", "folder": "f"})
    moves = {"version": "000000000001", "moves": {}}
    assert not schema_of(found, "/admin/adapters/{alias}/moves", "post", None).is_valid(moves)
    answer = await running.http.post("/admin/adapters/chat/moves", json=moves, headers=running.admin)
    assert "moves nothing; give routes" in check_error(answer, 400)["message"]
    upload = {"files": {"x": {"sha256": "0" * 64, "size": 1}}}
    assert not schema_of(found, "/admin/uploads", "post", None).is_valid(upload)
    check_error(await running.http.post("/admin/uploads", json=upload, headers=running.admin), 400)


def test_the_numbers_of_an_admin_have_their_bounds() -> None:
    found = described(GatewaySettings())
    size = {"sha256": "0" * 64, "size": 5}
    files = {"adapter_model.safetensors": size, "adapter_config.json": size, "manifest.json": size}
    for path, good, wrong in (
        ("/admin/adapters/{alias}/promote", {"version": "0", "weight": 100.0}, {"weight": 101}),
        ("/admin/adapters/{alias}/shadow", {"version": "0", "share": 0}, {"share": -1}),
        (
            "/admin/adapters/{alias}/moves",
            {"version": "0", "moves": {"switch_cost": 1}},
            {"moves": {"switch_cost": 2}},
        ),
        (
            "/admin/adapters/{alias}/moves",
            {"version": "0", "moves": {"examples": [{"text": " hi", "intent": None}]}},
            {"moves": {"examples": [{"text": "\r", "intent": None}]}},
        ),
        ("/admin/uploads", {"files": files}, {"files": {**files, "manifest.json": {**size, "size": 2**40}}}),
        ("/v1/feedback", {"id": "x", "score": 0.5}, {"score": 1.5}),
    ):
        schema = schema_of(found, path, "post", None)
        schema.validate(good)
        assert not schema.is_valid({**good, **wrong}), path
