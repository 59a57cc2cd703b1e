"""The table of releases, as JSON for commands and as a page for a browser."""

from __future__ import annotations

import base64
from dataclasses import replace

import httpx

from tests.service.conftest import Running


def basic(running: Running) -> dict[str, str]:
    key = running.admin["authorization"].removeprefix("Bearer ")
    return {"authorization": "Basic " + base64.b64encode(f"anna:{key}".encode()).decode()}


async def test_live_versions_stand_in_it_with_what_came_of_them(running: Running) -> None:
    support = running.desk.versions["support"]
    running.desk.versions["canary"] = replace(support, version="f" * 12, weight=10, canary=True)
    running.desk.versions["spare"] = replace(support, version="e" * 12, state="loaded", weight=0)
    await running.ask("where is my parcel", stream=True)
    running.vllm.break_after = 1
    await running.ask("track my parcel please", stream=True)
    found = (await running.http.get("/admin/releases", headers=running.admin)).json()
    assert (found["engine"], found["running"], found["waiting"]) == ("ready", 0, 0)
    lines = [line for line in found["data"] if line["alias"] == "support"]
    assert [(line["version"], line["role"], line["weight"]) for line in lines] == [
        ("0" * 12, "live", 100),
        ("f" * 12, "canary", 10),
    ]
    live, canary = lines
    assert (live["requests"], live["failed"], canary["requests"]) == (2, 1, 0)
    assert 0 < live["first_token"] <= live["seconds"]
    assert canary["seconds"] is None


async def test_a_browser_gets_a_page_for_the_admin_key_as_password(running: Running) -> None:
    running.desk.versions["odd"] = replace(running.desk.versions["math"], version="<b>")
    page = await running.http.get("/admin", headers=basic(running))
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert '<meta http-equiv="refresh" content="5">' in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert page.text.count('<tr class="live">') == 4
    assert "<td>&lt;b&gt;</td>" in page.text
    assert (await running.http.get("/admin", headers=running.admin)).status_code == 200


async def test_nobody_else_sees_it_and_the_password_changes_nothing(running: Running) -> None:
    wrong = base64.b64encode(b"anna:guess").decode()
    for header in (None, f"Basic {wrong}", "Basic ===", "Bearer guess", "Basic"):
        headers = {} if header is None else {"authorization": header}
        refused = await running.http.get("/admin", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic realm=")
        assert "support" not in refused.text
    for method, path in (("GET", "/admin/releases"), ("POST", "/admin/adapters/support/rollback")):
        answer: httpx.Response = await running.http.request(method, path, headers=basic(running))
        assert answer.status_code == 401
