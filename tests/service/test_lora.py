"""Loading and unloading as trainers ask vLLM for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from service.errors import AdapterRejected
from tests.service.conftest import Running, Start
from tests.service.parts import SETTINGS, Desk

PATH = "/nfs/run/step-10"


async def load(running: Running, **body: object) -> httpx.Response:
    return await running.http.post("/v1/load_lora_adapter", json=body, headers=running.admin)


async def unload(running: Running, **body: object) -> httpx.Response:
    return await running.http.post("/v1/unload_lora_adapter", json=body, headers=running.admin)


def check_refusal(response: httpx.Response, status: int, says: str, parameter: str | None = None) -> None:
    """vLLM's form, in which the code is the status."""
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, status, parameter), response.text
    assert error["type"] == ("NotFoundError" if status == 404 else "BadRequestError")
    assert says in error["message"]


async def test_a_loaded_adapter_answers_until_it_is_unloaded(running: Running) -> None:
    answer = await load(running, lora_name="policy", lora_path=PATH)
    assert (answer.status_code, answer.text) == (200, "Success: LoRA adapter 'policy' added successfully.")
    first = running.desk.versions["policy"]
    assert (first.state, first.weight) == ("live", 100)
    running.vllm.models.add(first.name)
    assert (await running.ask("hi", model="policy")).headers["x-pointsman-adapter"] == first.name
    check_refusal(
        await load(running, lora_name="policy", lora_path=PATH), 400, "already been loaded", "lora_name"
    )
    answer = await load(running, lora_name="policy", lora_path="/nfs/run/step-20", load_inplace=True)
    assert answer.status_code == 200
    assert running.desk.versions["policy"].version != first.version
    answer = await unload(running, lora_name="policy", lora_int_id=3)
    assert (answer.status_code, answer.text) == (200, "Success: LoRA adapter 'policy' removed successfully.")
    assert (await running.ask("hi", model="policy")).status_code == 404
    check_refusal(await unload(running, lora_name="policy"), 404, "cannot be found")


@pytest.mark.parametrize("name", ["Policy-1", "sql.v2", "run/step10", "my_lora"])
async def test_a_name_as_trainers_choose_it_is_listed_answers_and_is_unloaded(
    running: Running, name: str
) -> None:
    assert (await load(running, lora_name=name, lora_path=PATH)).status_code == 200
    running.vllm.models.add(running.desk.versions[name].name)
    assert name in [one["id"] for one in (await running.http.get("/v1/models")).json()["data"]]
    assert (await running.http.get(f"/v1/models/{name}")).json()["id"] == name
    assert (await running.ask("hi", model=name)).headers["x-pointsman-adapter"].startswith(f"{name}@")
    known = {"version": running.desk.versions[name].version}
    retired = await running.http.post(f"/admin/adapters/{name}/retire", json=known, headers=running.admin)
    assert (retired.status_code, retired.json()["alias"]) == (200, name)
    assert (await unload(running, lora_name=name)).status_code == 200
    check_refusal(await unload(running, lora_name=name), 404, "cannot be found")


@pytest.mark.parametrize("name", ["auto", "pointsman-demo", "a/b@c", "step 10", "../x"])
async def test_a_name_that_can_not_be_one_is_the_names_fault(running: Running, name: str) -> None:
    check_refusal(await load(running, lora_name=name, lora_path=PATH), 400, repr(name), "lora_name")


async def test_a_version_is_unloaded_by_retiring_it(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    retired = []

    async def retire(_: Desk, alias: str, version: str) -> None:
        retired.append((alias, version))

    monkeypatch.setattr(Desk, "retire", retire)
    assert (await unload(running, lora_name="chat@000000000002")).status_code == 200
    assert retired == [("chat", "000000000002")]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"lora_path": PATH}, "lora_name"),
    ({"lora_name": "", "lora_path": PATH}, "lora_name"),
    ({"lora_name": 5, "lora_path": PATH}, "lora_name"),
    ({"lora_name": "policy"}, "lora_path"),
    ({"lora_name": "policy", "lora_path": PATH, "load_inplace": "yes"}, "load_inplace"),
    ({"lora_name": "policy", "lora_path": PATH, "is_3d_lora_weight": True}, "is_3d_lora_weight"),
]


async def test_what_cannot_be_loaded_is_refused_in_vllms_form(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for body, parameter in WRONG:
        check_refusal(await load(running, **body), 400, parameter, parameter)

    async def register(*_: object, **__: object) -> None:
        raise AdapterRejected(["step-10/adapter_config.json: r is 64", "step-10/manifest.json: missing"])

    monkeypatch.setattr(Desk, "register", register)
    refused = await load(running, lora_name="policy", lora_path=PATH)
    check_refusal(refused, 400, "r is 64; step-10/manifest.json: missing", "lora_path")
    assert "policy" not in running.desk.versions


async def test_what_routes_and_settings_need_stays(running: Running) -> None:
    check_refusal(await unload(running, lora_name="support"), 400, "a route answers with 'support'")
    check_refusal(await unload(running, lora_name="pointsman-demo"), 404, "cannot be found")
    check_refusal(await unload(running, lora_name="auto"), 404, "cannot be found")


async def test_a_preloaded_alias_stays(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapters" / "step-1").mkdir(parents=True)
    preloading = SETTINGS.replace("folder: adapters}}", "folder: adapters, preload: {{policy: step-1}}}}")
    monkeypatch.setattr("tests.service.parts.SETTINGS", preloading)
    async with start() as running:
        assert (await load(running, lora_name="policy", lora_path=PATH)).status_code == 200
        check_refusal(await unload(running, lora_name="policy"), 400, "adapters.preload")


async def test_only_the_admin_may(running: Running) -> None:
    for path in ("load_lora_adapter", "unload_lora_adapter"):
        body = {"lora_name": "policy", "lora_path": PATH}
        answer = await running.http.post(f"/v1/{path}", json=body)
        assert answer.status_code == 401
        answer = await running.http.post(f"/v1/{path}", content=b"{", headers=running.admin)
        check_refusal(answer, 400, "not JSON")
    assert "policy" not in running.desk.versions
