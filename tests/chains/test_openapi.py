"""Operations of an OpenAPI file as tools, against a server on loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from chains.errors import ChainOptionsError
from chains.events import Content, Step
from chains.http_tool import HttpTool
from chains.openapi import http_tools
from chains.react import React
from chains.registry import chain_with
from chains.testing import Said, ScriptedEngine, asked, content, events_of
from tests.chains.orders_api import API, DOCUMENT, source, without
from tests.service.loopback import serving


@pytest.fixture
async def tools(tmp_path: Path) -> AsyncGenerator[dict[str, HttpTool], None]:
    (tmp_path / "keys.yaml").write_text("Authorization: Bearer secret", "utf-8")
    async with serving(API) as url:
        found = http_tools(source(tmp_path, url=f"{url}/v1", headers=tmp_path / "keys.yaml"))
        yield {tool.name: tool for tool in found}


def test_the_model_reads_what_the_file_says(tmp_path: Path) -> None:
    tools = {tool.name: tool for tool in http_tools(source(tmp_path))}
    assert list(tools) == ["show_order", "change_order", "away", "large", "slow", "broken", "get_gone"]
    show, change = tools["show_order"], tools["change_order"]
    assert show.url == "https://orders.example/v1/orders/{order}"
    assert show.schema["function"]["description"] == "Show an order."
    assert show.schema["function"]["parameters"]["required"] == ["order"]
    schema = DOCUMENT["components"]["schemas"]["Change"]
    assert change.schema["function"]["parameters"]["properties"] == {
        "order": {"type": "string"},
        "body": schema,
    }
    assert [tool.name for tool in http_tools(source(tmp_path, operations=["away"]))] == ["away"]


async def test_arguments_go_where_the_file_says(tools: dict[str, HttpTool]) -> None:
    given: dict[str, Any] = {"order": "../a b/订?x", "fields": ["city", "day"], "X-Language": "zh"}
    result = await tools["show_order"].call(given, 10, 1_000)
    assert json.loads(result.text) == {
        "method": "GET",
        "path": "/v1/orders/..%2Fa%20b%2F%E8%AE%A2%3Fx",
        "query": "fields=city&fields=day",
        "x-language": "zh",
        "authorization": "Bearer secret",
        "body": "",
    }
    result = await tools["change_order"].call({"order": "7", "body": {"city": "罗马"}}, 10, 1_000)
    assert json.loads(json.loads(result.text)["body"]) == {"city": "罗马"}


@pytest.mark.parametrize(
    ("name", "arguments", "said", "mendable"),
    [
        ("show_order", {}, "error: wrong arguments for show_order: 'order' is a required property", True),
        (
            "show_order",
            {"order": 7},
            "error: wrong arguments for show_order: $.order: 7 is not of type",
            True,
        ),
        (
            "show_order",
            {"order": "7", "url": "http://x"},
            "error: wrong arguments for show_order: Additional",
            True,
        ),
        ("show_order", {"order": ".."}, "error: order can't be '..'", False),
        (
            "change_order",
            {"order": "7", "body": {}},
            "error: wrong arguments for change_order: $.body: 'city'",
            True,
        ),
        ("away", {}, "error: away failed: the server answered 307, a redirect, which is not followed", True),
        ("get_gone", {}, "error: the server answered 404: Not Found", False),
        ("broken", {}, "error: broken failed: the server answered 503", True),
    ],
)
async def test_what_fails_is_told(
    tools: dict[str, HttpTool], name: str, arguments: Any, said: str, mendable: bool
) -> None:
    result = await tools[name].call(arguments, 10, 1_000)
    assert result.text.startswith(said)
    assert (result.failed, result.mendable) == (True, mendable)


@pytest.mark.parametrize("stream", [True, False])
async def test_only_a_no_to_what_was_asked_for_is_an_answer(tmp_path: Path, stream: bool) -> None:
    status = 0

    async def no(_: Request) -> Response:
        return PlainTextResponse("no such order", status)

    file = {"file": source(tmp_path).file.name, "operations": ["show_order"]}
    call = Said(calls=[("show_order", '{"order": "7"}')], reason="tool_calls")
    request = asked(stream, "Where is order 7?")
    async with serving(Starlette(routes=[Route("/{path:path}", no)])) as url:
        chain = chain_with("react", {"openapi": [{**file, "url": url}]}, tmp_path)
        for status in (400, 404, 409, 410, 422):
            engine = ScriptedEngine([call, Said(["There is no", " such order."])])
            events = await events_of(chain, request, engine)
            assert content(events) == "There is no such order."
            assert engine.bodies[1]["messages"][-1]["content"] == (
                f"error: the server answered {status}: no such order"
            )
        for status in (301, 304, 401, 402, 403, 405, 407, 408, 425, 426, 429, 451, 499, 500, 503):
            engine = ScriptedEngine([call, call, Said(["It was", " delivered."])])
            events = await events_of(chain, request, engine)
            assert content(events) == "Sorry, I could not do this: show_order failed twice."
            told = [body["messages"][-1]["content"] for body in engine.bodies[1:]]
            redirect = ", a redirect, which is not followed" if status < 400 else ""
            failed = f"error: show_order failed: the server answered {status}{redirect}. "
            assert told[0] == failed + "Mend this and call once more, or say plainly what could not be done."
            assert told[1].startswith(f"{failed}This is the second time")


async def test_what_a_broken_server_says_is_for_the_log_and_not_for_the_model(
    tools: dict[str, HttpTool], caplog: pytest.LogCaptureFixture
) -> None:
    result = await tools["broken"].call({}, 10, 1_000)
    assert result.text == "error: broken failed: the server answered 503"
    assert "tool broken failed: the server answered 503: out of order" in caplog.text


async def test_time_and_size_are_bounded(tools: dict[str, HttpTool]) -> None:
    result = await tools["slow"].call({}, 0.05, 100)
    assert result.text == "error: slow did not answer within 0.05 s"
    result = await tools["large"].call({}, 10, 100)
    assert result.text.startswith("x" * 100 + " ... (cut, ")
    assert len(result.text) < 200


async def test_a_server_that_is_gone_is_told(tmp_path: Path) -> None:
    (tool,) = http_tools(source(tmp_path, url="http://127.0.0.1:1", operations=["away"]))
    told = "error: away failed: the server gave no whole answer (ConnectError)"
    assert (await tool.call({}, 10, 1_000)).text == told


BODY = {"required": True, "content": {"multipart/form-data": {}}}
LOOP = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Change"}}}


@pytest.mark.parametrize(
    ("document", "options", "said"),
    [
        ([], {}, "api.yaml is no mapping"),
        (DOCUMENT | {"servers": [{"url": "/v1"}]}, {}, "names no server by a whole http.s. URL: give url"),
        (DOCUMENT, {"operations": ["nope"]}, "no operation 'nope'; it has: show_order, change_order"),
        (DOCUMENT, {"url": "ftp://x"}, "url"),
        (DOCUMENT, {"url": "http://user:pass@x"}, "url"),
        (
            without("/away", "get", operationId="large"),
            {},
            "GET /large: another operation is named 'large' too",
        ),
        (without("/orders/{order}", "put", requestBody=BODY), {}, "only application/json is sent"),
        (
            without("/away", "get", parameters=[{"name": "c", "in": "cookie", "required": True}]),
            {},
            "is in cookie",
        ),
        (without("/away", "get", parameters=[{"$ref": "#/nowhere"}]), {}, "'#/nowhere' names nothing"),
        (without("/away", "get", parameters=[{"$ref": "http://x/y"}]), {}, "names nothing in this file"),
        (
            DOCUMENT | {"components": {**DOCUMENT["components"], "schemas": {"Change": LOOP}}},
            {},
            "refers to itself",
        ),
        (DOCUMENT | {"paths": {"/{id}": {"get": {}}}}, {}, "the path's {id} is no parameter"),
        (DOCUMENT | {"paths": {".example.org/x": {"get": {}}}}, {}, "a path begins with /"),
        (DOCUMENT | {"paths": {"/x?y=1": {"get": {}}}}, {}, "has neither . nor #"),
        (
            without("/away", "get", servers=[{"url": "/v2"}]),
            {},
            "GET /away: it names no server by a whole http.s. URL: give url",
        ),
        (
            without("/away", "get", servers=[{"url": "https://{region}.example"}]),
            {},
            "GET /away: it names no server",
        ),
        (
            without("/away", "get", parameters=[{"name": "c", "in": "query", "style": "matrix"}]),
            {},
            "api.yaml: GET /away: the parameter 'c' has the style 'matrix'",
        ),
        (without("/away", "get", parameters=[{"name": "c"}]), {}, "GET /away: a parameter has no 'in'"),
        ({"swagger": "2.0", "paths": {}}, {}, "api.yaml is no OpenAPI 3.0 or 3.1: its openapi is 'None'"),
        (DOCUMENT | {"openapi": "3.2.0"}, {}, "its openapi is '3.2.0'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, document: Any, options: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        source(tmp_path, document, **options)


async def test_a_route_calls_them(tmp_path: Path) -> None:
    async with serving(API) as url:
        (tmp_path / "api.yaml").write_text(yaml.safe_dump(DOCUMENT), "utf-8")
        options = {"openapi": [{"file": "api.yaml", "url": f"{url}/v1", "operations": ["show_order"]}]}
        chain = chain_with("react", options, tmp_path)
        assert isinstance(chain, React)
        engine = ScriptedEngine([Said(calls=[("show_order", '{"order": "7"}')]), Said(["Sent."])])
        events = await events_of(chain, asked(False), engine)
        assert [tool["function"]["name"] for tool in engine.bodies[0]["tools"]] == ["show_order"]
        (step,) = [event for event in events if isinstance(event, Step)]
        assert json.loads(step.result or "")["path"] == "/v1/orders/7"
        assert content(events) == "Sent."
        assert isinstance(events[1], Content)


def test_options_are_told_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(ChainOptionsError, match=r"openapi: 0: file: no such file in .* found 'gone.yaml'"):
        chain_with("react", {"openapi": [{"file": "gone.yaml"}]}, tmp_path)
    with pytest.raises(ChainOptionsError, match="mcp: 0: give either command or url"):
        chain_with("react", {"mcp": [{}]}, tmp_path)
