"""The options that a route gives its chain: refused with their line, and what they do to a request."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from chains.cot import Cot
from chains.events import ChainRequest, Content, Engine, Event, Finish, Note, Usage
from chains.registry import GROUP
from chains.resources import Resources
from service.errors import RoutesRejected
from service.routes import load_table
from service.sections import LimitSettings
from tests.service.conftest import Start
from tests.service.parts import ROUTES, write_settings

CHAIN = "    chain: direct\n    adapter: support\n"


class Parcel(BaseModel):
    """What a route is to be answered with."""

    weight: float


def with_chain(lines: str) -> str:
    return ROUTES.replace(CHAIN, f"    {lines}\n    adapter: support\n")


STRUCTURED = with_chain("chain: structured\n    options: {model: tests.service.test_chain_options:Parcel}")


def test_options_that_cannot_be_used_are_told_with_their_line(tmp_path: Path) -> None:
    routes = with_chain("chain: structured\n    options:\n      schema: gone.json\n      sample: 3")
    settings = write_settings(tmp_path, "http://127.0.0.1:1", routes=routes)
    with pytest.raises(RoutesRejected) as caught:
        load_table(settings.router.routes, settings.prompts, LimitSettings())
    line = routes[: routes.index("schema: gone")].count("\n") + 1
    file, place = tmp_path / "routes.yaml", "routes.0.options"
    assert caught.value.problems == [
        f"{file}:{line}: {place}.schema: no such file in {tmp_path}, found 'gone.json'",
        f"{file}:{line + 1}: {place}.sample: no such option; known: model, schema",
    ]


def test_a_chain_without_options_takes_none(tmp_path: Path) -> None:
    routes = with_chain("chain: direct\n    options: {steps: 3}")
    settings = write_settings(tmp_path, "http://127.0.0.1:1", routes=routes)
    with pytest.raises(RoutesRejected, match=r"routes\.0\.options\.steps: this chain has no options"):
        load_table(settings.router.routes, settings.prompts, LimitSettings())


def objects(response: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream, or the one body."""
    chunks = [chunk.removeprefix("data: ") for chunk in response.text.split("\n\n")]
    return [json.loads(chunk) for chunk in chunks if chunk not in ("", "[DONE]")]


def told(found: list[dict[str, Any]]) -> str:
    said = [choice.get("delta") or choice.get("message") or {} for f in found for choice in f["choices"]]
    return "".join(message.get("content") or "" for message in said)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_held_to_the_schema_of_the_route(start: Start, stream: bool) -> None:
    async with start(routes=STRUCTURED) as running:
        answers = iter(["{}", '{"weight": 2}', "{}", "{}"])
        running.vllm.answer = lambda _: next(answers)
        headers = {"x-pointsman-trace": "1"}
        body = {"model": "auto", "messages": [{"role": "user", "content": "where is my parcel"}]}
        path = "/v1/chat/completions"
        response = await running.http.post(path, json={**body, "stream": stream}, headers=headers)
        assert response.headers["x-pointsman-chain"] == "structured"
        assert running.vllm.requests[0]["response_format"]["json_schema"]["name"] == "Parcel"
        found = objects(response)
        assert told(found) == '{"weight": 2}'
        notes = [note for f in found for note in f.get("pointsman", {}).get("notes", [])]
        assert notes == [{"note": "repair", "problem": "'weight' is a required property", "answer": "{}"}]
        refused = await running.ask("where is my parcel", stream=stream)
        assert (refused.status_code, refused.json()["error"]["code"]) == (502, "invalid_answer")
        assert "'weight' is a required property" in refused.json()["error"]["message"]


async def test_several_choices_come_in_the_form_of_openai(start: Start) -> None:
    async with start(routes=STRUCTURED) as running:
        running.vllm.answer = lambda body: json.dumps({"weight": body["seed"]})
        (whole,) = objects(await running.ask("where is my parcel", n=2, seed=4))
        assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in whole["choices"]] == [
            (0, '{"weight": 4}', "stop"),
            (1, '{"weight": 5}', "stop"),
        ]
        chunks = objects(await running.ask("where is my parcel", n=2, seed=4, stream=True))
        for index in (0, 1):
            parts = [c for chunk in chunks for c in chunk["choices"] if c["index"] == index]
            said = "".join(part["delta"].get("content") or "" for part in parts)
            assert said == whole["choices"][index]["message"]["content"]
            assert [part["finish_reason"] for part in parts] == [None, None, "stop"]
            assert parts[0]["delta"]["role"] == "assistant"


async def test_a_request_names_its_chain(start: Start) -> None:
    async with start() as running:
        running.vllm.answer = lambda _: "<think>\nhm\n</think>\n\nHere."
        path, body = "/v1/chat/completions", {"messages": [{"role": "user", "content": "where is my parcel"}]}
        for model, intent in (("auto", "track_parcel"), ("support", "-")):
            answer = await running.http.post(
                path, json={**body, "model": model}, headers={"x-pointsman-chain": "cot"}
            )
            assert answer.headers["x-pointsman-chain"] == "cot"
            assert answer.headers["x-pointsman-intent"] == intent
            assert answer.json()["choices"][0]["message"]["content"] == "Here."
        asked = {"model": "auto", "input": "where is my parcel"}
        answer = await running.http.post("/v1/responses", json=asked, headers={"x-pointsman-chain": "cot"})
        assert [item["type"] for item in answer.json()["output"]] == ["reasoning", "message"]
        asked = {"model": "auto", "prompt": "where is my parcel"}
        answer = await running.http.post("/v1/completions", json=asked, headers={"x-pointsman-chain": "cot"})
        assert answer.json()["choices"][0]["text"] == "Here."


async def test_a_route_keeps_the_options_of_the_chain_that_is_named(start: Start) -> None:
    async with start(routes=STRUCTURED) as running:
        running.vllm.answer = lambda _: '{"weight": 2}'
        body = {"model": "auto", "messages": [{"role": "user", "content": "where is my parcel"}]}
        headers = {"x-pointsman-chain": "structured"}
        answer = await running.http.post("/v1/chat/completions", json=body, headers=headers)
        assert answer.status_code == 200
        assert running.vllm.requests[0]["response_format"]["json_schema"]["name"] == "Parcel"


@pytest.mark.parametrize(
    ("path", "model", "chain", "said"),
    [
        ("/v1/chat/completions", "auto", "retrieve", "documents: is required; these are a route's to give"),
        ("/v1/chat/completions", "support", "retrieve", "documents: is required"),
        ("/v1/responses", "auto", "recat", "no chain 'recat'; known: cot, direct"),
        ("/v1/chat/completions", "auto", "", "no chain ''; known: cot, direct"),
        ("/v1/chat/completions", "support", "", "no chain ''; known: cot, direct"),
        ("/v1/responses", "pointsman-demo", "", "no chain ''; known: cot, direct"),
        ("/v1/completions", "auto", "retrieve", "documents: is required"),
        ("/v1/completions", "support", "", "no meaning for a text that 'support' continues"),
        ("/v1/completions", "support", "cot", "no meaning for a text that 'support' continues"),
    ],
)
async def test_a_chain_that_cannot_be_named_is_refused(
    start: Start, path: str, model: str, chain: str, said: str
) -> None:
    async with start() as running:
        messages = [{"role": "user", "content": "where is my parcel"}]
        body = {"model": model, "messages": messages, "input": "where is my parcel", "prompt": "hi"}
        kept = {"/v1/chat/completions": "messages", "/v1/responses": "input", "/v1/completions": "prompt"}[
            path
        ]
        answer = await running.http.post(
            path, json={"model": model, kept: body[kept]}, headers={"x-pointsman-chain": chain}
        )
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (400, "x-pointsman-chain")
        assert said in error["message"]
        assert running.vllm.requests == []


async def test_an_engine_that_refuses_the_schema_is_asked_once_without(start: Start) -> None:
    async with start(routes=STRUCTURED) as running:
        running.vllm.refuse = (400, "response_format is not supported")
        response = await running.ask("where is my parcel")
        assert (response.status_code, response.json()["error"]["code"]) == (400, "engine_refused")
        assert ["response_format" in body for body in running.vllm.requests] == [True, False]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_from_documents_brings_its_citations(
    start: Start, tmp_path: Path, stream: bool
) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "a.md").write_text("# Parcels\n\nWhere is my parcel: in the van.", "utf-8")
    routes = with_chain("chain: retrieve\n    options: {documents: handbook, threshold: 0.5}")
    async with start(routes=routes) as running:
        running.vllm.answer = lambda _: "In the van [1]."
        found = objects(await running.ask("where is my parcel", stream=stream))
        assert told(found) == "In the van [1]."
        passage = {
            "number": 1,
            "document": "a.md",
            "heading": "Parcels",
            "text": "Where is my parcel: in the van.",
        }
        assert [f["pointsman"] for f in found if "pointsman" in f] == [{"citations": [passage]}]
        system = running.vllm.requests[-1]["messages"][0]["content"]
        assert system.startswith("support of Northway\n\nAnswer from these passages only")
        assert system.endswith("[1] a.md · Parcels\nWhere is my parcel: in the van.")
        (tmp_path / "handbook" / "a.md").write_text("# Opening hours\n\nNine to five.", "utf-8")
        await running.http.post("/admin/routes/reload", headers=running.admin)
        asked = len(running.vllm.requests)
        found = objects(await running.ask("where is my parcel", stream=stream))
        assert told(found).startswith("I do not know")
        assert [f["pointsman"] for f in found if "pointsman" in f] == [{"citations": []}]
        found = objects(await running.ask("where is my parcel", stream=stream, max_tokens=10))
        assert told(found) == "I do not k"  # of the fake engine each letter is a token
        assert [r for f in found for c in f["choices"] if (r := c["finish_reason"])] == ["length"]
        assert len(running.vllm.requests) == asked


async def test_documents_that_cannot_be_read_keep_the_live_routes(start: Start, tmp_path: Path) -> None:
    async with start() as running:
        (tmp_path / "handbook").mkdir()
        (tmp_path / "handbook" / "a.md").write_bytes(b"caf\xe9")
        routes = with_chain("chain: retrieve\n    options: {documents: handbook}")
        (tmp_path / "routes.yaml").write_text(routes, "utf-8")
        refused = await running.http.post("/admin/routes/reload", headers=running.admin)
        assert refused.status_code == 422
        assert "a.md is not UTF-8" in refused.json()["error"]["problems"][0]
        assert (await running.ask("where is my parcel")).headers["x-pointsman-chain"] == "direct"


async def test_an_mcp_server_that_is_down_holds_up_its_own_route_alone(start: Start, tmp_path: Path) -> None:
    routes = with_chain('chain: react\n    options: {mcp: [{url: "http://127.0.0.1:1/mcp"}]}')
    async with start(routes=routes) as running:
        refused = await running.ask("where is my parcel")
        assert refused.status_code == 503
        assert "http://127.0.0.1:1/mcp can't be reached" in refused.json()["error"]["message"]
        assert int(refused.headers["retry-after"]) > 0
        assert (await running.ask("what is 2 plus 2")).status_code == 200
        (warning,) = (await running.http.get("/ready")).json()["routes"]["warnings"]
        assert warning.startswith(
            "the route 'track_parcel' is refused: the MCP server http://127.0.0.1:1/mcp"
        )


class Hasty:
    """A chain that forgets its last event."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        yield Content("half an ans")

    def warm(self, resources: Resources) -> None:
        pass


class Silent(Hasty):
    """One that forgets all but a note."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        yield Note("draft", {})


class Plain(Hasty):
    """One that takes text for an event."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Any, None]:
        yield Content("half an ans")
        yield "wer"
        yield Finish("stop", Usage())


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        (Hasty, 200, "the chain ended without a Finish"),
        (Silent, 500, "the chain ended without a Finish"),
        (Plain, 200, "the chain gave 'str', which is no event"),
    ],
)
async def test_a_chain_that_does_not_say_how_it_ended_is_no_answer(
    start: Start, monkeypatch: pytest.MonkeyPatch, kind: type, status: int, said: str
) -> None:
    ours = [*entry_points(group=GROUP), EntryPoint(kind.__name__, f"{__name__}:{kind.__name__}", GROUP)]
    monkeypatch.setattr("chains.registry.entry_points", lambda group: ours)
    body = {"model": "support", "messages": [{"role": "user", "content": "hi"}]}
    paths: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": body,
        "/v1/responses": {"model": "support", "input": "hi"},
        "/v1/completions": {"model": "auto", "prompt": "where is my parcel"},
    }
    async with start() as running:
        for path, asked in paths.items():
            for stream in (False, True):
                answer = await running.http.post(
                    path, json={**asked, "stream": stream}, headers={"x-pointsman-chain": kind.__name__}
                )
                assert answer.status_code == (status if stream else 500), path
                assert '"code":"chain_error"' in answer.text, path
                assert said in answer.text, path
                assert "[DONE]" not in answer.text
                assert "response.completed" not in answer.text


class Noting(Hasty):
    """One that notes something before another chain passes the engine's bytes on, as `retrieve` does."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        yield Note("search", {})
        async with aclosing(Cot().run(request, engine)) as events:
            async for event in events:
                yield event


async def test_a_note_may_stand_before_the_engines_own_bytes(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = [*entry_points(group=GROUP), EntryPoint("Noting", f"{__name__}:Noting", GROUP)]
    monkeypatch.setattr("chains.registry.entry_points", lambda group: ours)
    tools = [{"type": "function", "function": {"name": "f"}}]
    user = {"role": "user", "content": "hi"}
    async with start() as running:
        running.vllm.answer = lambda _: "Here."
        for path, asked in (
            ("/v1/chat/completions", {"messages": [user], "tools": tools}),
            ("/v1/responses", {"input": "hi", "tools": [{"type": "function", "name": "f"}]}),
        ):
            body = {"model": "support", "stream": True, **asked}
            answer = await running.http.post(path, json=body, headers={"x-pointsman-chain": "Noting"})
            assert (answer.status_code, 'error":{' in answer.text) == (200, False), answer.text
            assert "Here." in answer.text


@pytest.mark.parametrize("trace", ["0", "1"])
async def test_what_the_engine_refuses_behind_a_note_is_a_400(
    start: Start, monkeypatch: pytest.MonkeyPatch, trace: str
) -> None:
    ours = [*entry_points(group=GROUP), EntryPoint("Noting", f"{__name__}:Noting", GROUP)]
    monkeypatch.setattr("chains.registry.entry_points", lambda group: ours)
    headers = {"x-pointsman-chain": "Noting", "x-pointsman-trace": trace}
    said = "where is my parcel"
    async with start() as running:
        for path, asked in (
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": said}]}),
            ("/v1/completions", {"prompt": said}),
            ("/v1/completions", {"prompt": [said, said]}),
            ("/v1/responses", {"input": said}),
        ):
            body: dict[str, Any] = {"model": "auto", "stream": True, **asked}
            running.vllm.error_event = None
            answer = await running.http.post(path, json=body, headers=headers)
            assert answer.status_code == 200, answer.text
            assert ('"note":"search"' in answer.text) is (trace == "1"), path
            running.vllm.error_event = (400, "no")
            answer = await running.http.post(path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["error"]["message"]) == (400, "no"), path
