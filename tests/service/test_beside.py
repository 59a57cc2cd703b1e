"""What a chain tells beside its answer, on every path: citations, and with a trace its steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from tests.service.conftest import Start
from tests.service.parts import ROUTES
from tests.service.test_chain_options import STRUCTURED, with_chain

PARCEL = "where is my parcel"
TRACE = "x-pointsman-trace"
PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": PARCEL}]},
    "/v1/completions": {"prompt": PARCEL},
    "/v1/responses": {"input": PARCEL},
}
PASSAGE = {
    "number": 1,
    "document": "a.md",
    "heading": "Parcels",
    "text": "Where is my parcel: in the van.",
}


def beside(response: httpx.Response) -> dict[str, Any]:
    """All that stands under ``pointsman``, streamed or not."""
    lines = [line.removeprefix("data: ") for line in response.text.splitlines()]
    found: dict[str, Any] = {}
    for line in lines:
        if line.startswith("{"):
            one = json.loads(line)
            for name, told in (one.get("response") or one).get("pointsman", {}).items():
                found[name] = found.get(name, []) + told
    return found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
async def test_citations_come_on_every_path(start: Start, tmp_path: Path, path: str, stream: bool) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "a.md").write_text("# Parcels\n\nWhere is my parcel: in the van.", "utf-8")
    routes = with_chain("chain: retrieve\n    options: {documents: handbook, threshold: 0.5}")
    async with start(routes=routes) as running:
        running.vllm.answer = lambda _: "In the van [1]."
        body = {"model": "auto", **PATHS[path], "stream": stream}
        assert beside(await running.http.post(path, json=body)) == {"citations": [PASSAGE]}


async def test_citations_are_annotations_of_a_response(start: Start, tmp_path: Path) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "a.md").write_text("# Parcels\n\nWhere is my parcel: in the van.", "utf-8")
    routes = with_chain("chain: retrieve\n    options: {documents: handbook, threshold: 0.5}")
    known = {"type": "file_citation", "file_id": "a.md", "filename": "a.md", "index": 11}
    async with (
        start(routes=routes) as running,
        AsyncOpenAI(
            base_url=f"{running.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
        ) as client,
    ):
        running.vllm.answer = lambda _: "In the van [1]."
        whole = await client.responses.create(model="auto", input=PARCEL)
        async with client.responses.stream(model="auto", input=PARCEL) as stream:
            events = [event async for event in stream]
            final = await stream.get_final_response()
        for response in (whole, final):
            (part,) = response.model_dump()["output"][0]["content"]
            assert part["annotations"] == [known]
        kinds = [event.type for event in events]
        (added,) = [one for one in events if one.type == "response.output_text.annotation.added"]
        assert (added.model_dump()["annotation"], added.annotation_index) == (known, 0)
        assert kinds.index(added.type) < kinds.index("response.output_text.done")
        running.vllm.answer = lambda _: "In the van."
        whole = await client.responses.create(model="auto", input=PARCEL)
        assert whole.model_dump()["output"][0]["content"][0]["annotations"] == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_trace_is_shown_on_every_path_to_who_asks(start: Start, path: str, stream: bool) -> None:
    note = {"note": "repair", "problem": "'weight' is a required property", "answer": "{}"}
    async with start(routes=STRUCTURED) as running:
        for value, shows in (("1", True), ("True", True), ("0", False), ("FALSE", False), ("", False)):
            answers = iter(["{}", '{"weight": 2}'])
            running.vllm.answer = lambda _, answers=answers: next(answers)  # type: ignore[misc]
            body = {"model": "auto", **PATHS[path], "stream": stream}
            told = beside(await running.http.post(path, json=body, headers={TRACE: value}))
            assert told.get("notes", []) == ([note] if shows else [])
            assert "steps" not in told or shows


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", ["yes", "2", "on"])
async def test_a_trace_that_is_neither_on_nor_off_is_refused(start: Start, path: str, value: str) -> None:
    async with start(routes=ROUTES) as running:
        body = {"model": "auto", **PATHS[path]}
        refused = await running.http.post(path, json=body, headers={TRACE: value})
        error = refused.json()["error"]
        assert (refused.status_code, error["param"]) == (400, TRACE)
        assert error["message"] == f"{TRACE} must be 1 or true, 0 or false, found {value!r}"
        assert running.vllm.requests == []
