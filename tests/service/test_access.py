"""Who may ask: keys, and how often."""

from __future__ import annotations

from service.keys import digest
from tests.service.conftest import Start
from tests.service.refused import check_error


async def test_keys(start: Start) -> None:
    key = "pm-test-key"
    async with start(f"gateway: {{api_keys: [{'a' * 64}, {digest(key)}]}}\n") as running:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": key}, running.admin):
            response = await running.http.post("/v1/chat/completions", content=b"x", headers=headers)
            check_error(response, 401)
            assert response.headers["www-authenticate"] == "Bearer"
            check_error(await running.http.get("/v1/models", headers=headers), 401)
        mine = {"authorization": f"Bearer {key}"}
        assert (await running.http.get("/v1/models", headers=mine)).status_code == 200
        check_error(await running.http.get("/admin/adapters", headers=mine), 403)
        check_error(await running.http.get("/admin/adapters"), 401)
        assert (await running.http.get("/admin/adapters", headers=running.admin)).status_code == 200
        assert (await running.http.get("/health")).status_code == 200
        assert (running.folder / "state" / "admin.key").stat().st_mode & 0o777 == 0o600


async def test_rate_limit(start: Start) -> None:
    async with start("gateway: {rate_limit_per_minute: 2}\n") as running:
        for _ in range(2):
            assert (await running.http.get("/v1/models")).status_code == 200
        response = await running.http.get("/v1/models")
        check_error(response, 429)
        assert 0 < int(response.headers["retry-after"]) <= 30
