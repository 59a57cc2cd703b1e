"""Shadow traffic: a candidate answers along, nobody sees it, and its answers are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.service.conftest import Running, Start, until
from tests.service.parts import Version
from tests.service.refused import check_error

CANDIDATE = Version("support", "c" * 12, "loaded", 0)
KEEP = "feedback: {keep: texts}\n"


def answer(body: dict[str, Any]) -> str:
    """The candidate says something else to what has a question mark."""
    text = body["messages"][-1]["content"]
    return f"not {text}" if body["model"] == CANDIDATE.name and "?" in text else str(text)


async def shadow(running: Running, share: int) -> Any:
    running.vllm.answer = answer
    running.vllm.models.add(CANDIDATE.name)
    running.desk.others[CANDIDATE.name] = CANDIDATE
    body = {"version": CANDIDATE.version, "share": share}
    return await running.http.post("/admin/adapters/support/shadow", json=body, headers=running.admin)


async def told(running: Running) -> dict[str, Any]:
    found = await running.http.get("/admin/adapters/support/shadow", headers=running.admin)
    report: dict[str, Any] = found.json()
    return report


async def say(running: Running, text: str, **more: object) -> str:
    body = {"model": "support", "messages": [{"role": "user", "content": text}], **more}
    found = await running.http.post("/v1/chat/completions", json=body)
    assert found.headers["x-pointsman-adapter"] == running.desk.versions["support"].name
    return found.text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_candidate_is_compared_and_never_shown(start: Start, stream: bool) -> None:
    async with start(KEEP) as running:
        assert (await shadow(running, 100)).json()["share"] == 100
        asked = len(running.vllm.requests)
        for text in ("the same", "where is it?"):
            assert "not" not in await say(running, text, stream=stream)
        await until(lambda: len(running.vllm.requests) == asked + 4)
        await until(lambda: not running.gateway.shadows.busy)
        report = await told(running)
        assert (report["same"], report["different"], report["failed"]) == (1, 1, 0)
        [difference] = report["differences"]
        assert difference["texts"]["live"]["content"] == "where is it?"
        assert difference["texts"]["candidate"]["content"] == "not where is it?"
        assert running.desk.held == 0
        metrics = (await running.http.get("/metrics")).text
        outcome = f'pointsman_shadowed_total{{adapter="{CANDIDATE.name}",outcome="different"}} 1.0'
        assert outcome in metrics
        requests = [one for one in metrics.splitlines() if one.startswith("pointsman_requests_total")]
        assert not any(CANDIDATE.name in one for one in requests)


async def test_a_candidate_that_fails_fails_nobody(running: Running) -> None:
    await shadow(running, 100)
    running.desk.others[CANDIDATE.name] = replace(CANDIDATE, alias="gone")  # the lease is refused
    await say(running, "the same")
    await until(lambda: not running.gateway.shadows.busy)
    report = await told(running)
    assert (report["same"], report["failed"]) == (0, 1)


async def test_without_a_share_nothing_is_asked(running: Running) -> None:
    assert (
        await running.http.get("/admin/adapters/support/shadow", headers=running.admin)
    ).status_code == 404
    await shadow(running, 0)
    asked = len(running.vllm.requests)
    await say(running, "the same")
    assert len(running.vllm.requests) == asked + 1
    assert not running.gateway.shadows.busy


async def test_texts_are_left_out_where_none_are_kept(running: Running) -> None:
    await shadow(running, 100)
    await say(running, "where is it?")
    await until(lambda: not running.gateway.shadows.busy)
    [difference] = (await told(running))["differences"]
    assert "texts" not in difference
    assert difference["live"] == running.desk.versions["support"].name


async def test_a_share_of_a_version_that_is_not_there_is_refused(running: Running) -> None:
    for share, status in ((0, 404), (False, 400), (101, 400)):
        body = {"version": "ffffffffffff", "share": share}
        answer = await running.http.post("/admin/adapters/nobody/shadow", json=body, headers=running.admin)
        check_error(answer, status)
