"""What operators see and do: models, decisions, metrics, the log line, the admin's calls."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service.conftest import Running, until
from tests.service.parts import ROUTES, Version

TRACK = "where is my parcel"
SUM = "what is 12 plus 30"


async def test_models(running: Running) -> None:
    listed = (await running.http.get("/v1/models")).json()
    assert listed["object"] == "list"
    by_id = {model["id"]: model for model in listed["data"]}
    assert list(by_id) == ["auto", "pointsman-demo", "chat", "math", "support", "all-MiniLM-L6-v2"]
    assert all(
        model["object"] == "model" and isinstance(model["created"], int) and model["owned_by"]
        for model in by_id.values()
    )
    assert by_id["support"]["version"] == "000000000000"
    assert by_id["support"]["base"] == "pointsman-demo"
    assert by_id["support"]["rank"] == 8
    assert (await running.http.get("/v1/models/support")).json() == by_id["support"]
    one = await running.http.get("/v1/models/support@000000000000")
    assert one.json()["id"] == "support@000000000000"


async def test_route_explains_without_generating(running: Running) -> None:
    for body in ({"text": TRACK}, {"input": TRACK}, {"messages": [{"role": "user", "content": TRACK}]}):
        answer = (await running.http.post("/v1/route", json=body)).json()
        assert answer["intent"] == "track_parcel"
        assert answer["abstained"] is False
        assert answer["top"][0] == {"intent": "track_parcel", "confidence": answer["confidence"]}
        assert answer["route"]["chain"] == "direct"
        assert answer["route"]["adapter"] == "support"
        assert answer["route"]["prompt"] == "support@1"
    outside = (await running.http.post("/v1/route", json={"text": "who won the football match"})).json()
    assert outside["abstained"] is True
    assert outside["intent"] is None
    assert outside["route"]["intent"] == "fallback"
    assert running.vllm.requests == []


async def samples(running: Running) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = (await running.http.get("/metrics")).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_count_requests_by_what_was_decided(running: Running) -> None:
    await running.ask(TRACK, stream=True, stream_options={"include_usage": True})
    await running.ask(SUM)
    await running.ask(TRACK, model="nobody")
    await until(lambda: running.gateway.admission.running == 0)
    found = await samples(running)
    track = {"adapter": "support@000000000000", "chain": "direct"}
    support = tuple(sorted({**track, "intent": "track_parcel", "status": "200"}.items()))
    assert found["pointsman_requests_total", support] == 1
    refused = {"adapter": "-", "chain": "-", "intent": "-", "status": "404"}
    assert found["pointsman_requests_total", tuple(sorted(refused.items()))] == 1
    assert found["pointsman_time_to_first_token_seconds_count", tuple(sorted(track.items()))] == 1
    assert found["pointsman_router_seconds_count", ()] == 2
    assert found["pointsman_requests_in_flight", ()] == 0
    assert found["pointsman_queue_waiting", ()] == 0
    assert found["pointsman_engine_restarts_total", ()] == 0
    tokens = (("adapter", "support@000000000000"), ("kind", "completion"))
    assert found["pointsman_tokens_total", tokens] > 0


async def test_numbers_are_written_out_while_others_are_served(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, threads = running.gateway.metrics, list[str]()

    def noted(call: Callable[[], object]) -> object:
        threads.append(threading.current_thread().name)
        return call()

    for name in ("exposition", "by_adapter"):
        monkeypatch.setattr(metrics, name, partial(noted, getattr(metrics, name)))
    assert "pointsman_queue_running" in (await running.http.get("/metrics")).text
    assert (await running.http.get("/admin/releases", headers=running.admin)).status_code == 200
    assert len(threads) == 2
    assert threading.current_thread().name not in threads


async def test_one_log_line_a_request_without_its_text(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pointsman.requests"):
        response = await running.ask(TRACK)
        await until(lambda: bool(caplog.records))
        await running.http.get("/health")
    (record,) = [record for record in caplog.records if record.name == "pointsman.requests"]
    fields = record.__dict__["fields"]
    assert fields["request"] == response.headers["x-request-id"]
    assert fields["intent"] == "track_parcel"
    assert fields["adapter"] == "support@000000000000"
    assert fields["status"] == 200
    assert fields["completion_tokens"] == response.json()["usage"]["completion_tokens"]
    assert fields["duration_ms"] >= fields["ttft_ms"] > 0
    assert "parcel" not in str({**fields, "intent": ""})


async def test_admin_calls_reach_the_adapters(running: Running) -> None:
    async def post(path: str, body: object = None) -> tuple[int, dict[str, object]]:
        response = await running.http.post(f"/admin/adapters{path}", json=body, headers=running.admin)
        return response.status_code, response.json()

    assert (await post("/check", {"folder": "new"}))[0] == 200
    status, version = await post("", {"alias": "new", "folder": "new"})
    assert (status, version["state"]) == (200, "registered")
    status, version = await post("/new/promote", {"version": version["version"], "weight": 30})
    assert (status, version["state"], version["weight"]) == (200, "live", 30)
    status, error = await post("/new/promote", {"version": "0" * 12})
    assert status == 404
    assert (await post("/new/rollback"))[0] == 409
    status, error = await post("", {"alias": "new", "fold": "new"})
    assert status == 400
    assert "fold" in str(error)
    assert (await post("/new/promote", {"version": "x", "weight": 101}))[0] == 400
    listed = await running.http.get("/admin/adapters", headers=running.admin)
    assert {version["alias"] for version in listed.json()["data"]} == {"support", "math", "chat", "new"}


async def test_ready_when_a_request_would_succeed(running: Running) -> None:
    ready = await running.http.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert ready.json()["reasons"] == []
    running.desk.problems = ("math: not preloaded: it is a pickle",)  # the others answer
    ready = await running.http.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["adapters"] == {"problems": list(running.desk.problems)}
    running.desk.ready = False
    ready = await running.http.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["reasons"] == list(running.desk.problems)


async def test_a_route_waits_for_its_adapter_and_holds_up_no_other(running: Running) -> None:
    (running.folder / "routes.yaml").write_text(ROUTES.replace("adapter: math", "adapter: mathx"), "utf-8")
    reloaded = await running.http.post("/admin/routes/reload", headers=running.admin)
    ready = await running.http.get("/ready")
    assert ready.status_code == 200
    (warning,) = (one for one in ready.json()["routes"]["warnings"] if "mathx" in one)
    assert warning.startswith("the route 'arithmetic' is refused: it waits for the adapter 'mathx'")
    assert warning in reloaded.json()["warnings"]
    assert (await running.ask(TRACK)).status_code == 200
    assert (await running.ask(SUM)).status_code == 503
    running.desk.versions["mathx"] = Version("mathx", "0" * 12)  # promoted
    assert (await running.ask(SUM)).headers["x-pointsman-adapter"].startswith("mathx@")
    assert "mathx" not in str((await running.http.get("/ready")).json())


async def test_where_every_route_waits_it_is_not_ready(running: Running) -> None:
    running.desk.versions.clear()
    ready = await running.http.get("/ready")
    assert ready.status_code == 503
    assert [reason.partition(" is refused")[0] for reason in ready.json()["reasons"]] == [
        "the route 'track_parcel'",
        "the route 'arithmetic'",
        "the fallback route",
    ]
