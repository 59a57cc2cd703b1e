"""What a chain tells beside its answer, on every path: citations, and with a trace its steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

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


class Told(BaseModel):
    said: str


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


@pytest.mark.parametrize("stream", [False, True])
async def test_each_choice_has_citations_of_its_own(start: Start, tmp_path: Path, stream: bool) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "a.md").write_text("# Parcels\n\nWhere is my parcel: in the van.", "utf-8")
    routes = with_chain("chain: retrieve\n    options: {documents: handbook, threshold: 0.5}")
    async with start(routes=routes) as running:
        running.vllm.answer = lambda _: "In the van [1]."
        body = {"model": "auto", **PATHS["/v1/chat/completions"], "stream": stream, "n": 2}
        found = beside(await running.http.post("/v1/chat/completions", json=body))["citations"]
        assert sorted(found, key=lambda one: one["choice"]) == [
            {"choice": 0, **PASSAGE},
            {"choice": 1, **PASSAGE},
        ]


async def test_what_no_form_can_say_is_a_refusal_on_every_path(start: Start, tmp_path: Path) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "a.md").write_text("# Opening hours\n\nNine to five.", "utf-8")
    routes = with_chain("chain: retrieve\n    options: {documents: handbook, threshold: 0.5}")
    words = "I do not know: nothing in my documents answers this."
    async with start(routes=routes) as running:
        async with AsyncOpenAI(
            base_url=f"{running.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
        ) as client:
            asked: Any = {"model": "auto", "messages": [{"role": "user", "content": PARCEL}]}
            message = (await client.chat.completions.parse(**asked, response_format=Told)).choices[0].message
            assert (message.refusal, message.content, message.parsed) == (words, None, None)
            async with client.chat.completions.stream(**asked, response_format=Told) as events:
                streamed = (await events.get_final_completion()).choices[0].message
            assert (streamed.refusal, streamed.content, streamed.parsed) == (words, None, None)
            again = [*asked["messages"], message.model_dump(exclude={"parsed"}), *asked["messages"]]
            await client.chat.completions.create(model="auto", messages=again)

            part = {"type": "refusal", "refusal": words}
            response = await client.responses.parse(model="auto", input=PARCEL, text_format=Told)
            async with client.responses.stream(model="auto", input=PARCEL, text_format=Told) as changes:
                kinds = [change.type async for change in changes]
                last = await changes.get_final_response()
            for one in (response, last):
                (item,) = one.output
                assert [each.model_dump() for each in item.content] == [part]  # type: ignore[union-attr]
                assert (one.status, one.output_parsed) == ("completed", None)
            assert {"response.refusal.delta", "response.refusal.done"} <= set(kinds)
        body = {"model": "auto", "prompt": PARCEL, "response_format": {"type": "json_object"}}
        text = (await running.http.post("/v1/completions", json=body)).json()["choices"][0]["text"]
        assert text == words
        assert running.vllm.requests == []
