"""Operations of an OpenAPI file as tools, against a server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from chains.errors import ChainOptionsError
from chains.events import Content, Step
from chains.http_tool import HttpTool
from chains.openapi import OpenApiSource, http_tools
from chains.react import React
from chains.registry import chain_with
from chains.testing import Said, ScriptedEngine, asked, content, events_of
from tests.service.loopback import serving

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://orders.example/v1"}],
    "paths": {
        "/orders/{order}": {
            "parameters": [{"$ref": "#/components/parameters/order"}],
            "get": {
                "operationId": "show_order",
                "summary": "Show an order.",
                "parameters": [
                    {
                        "name": "fields",
                        "in": "query",
                        "schema": {"type": "array", "items": {"type": "string"}},
                    },
                    {"name": "X-Language", "in": "header", "schema": {"enum": ["en", "zh"]}},
                ],
            },
            "put": {
                "operationId": "change_order",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}},
                },
            },
        },
        "/away": {"get": {"operationId": "away"}},
        "/large": {"get": {"operationId": "large"}},
        "/slow": {"get": {"operationId": "slow"}},
        "/broken": {"get": {"operationId": "broken"}},
        "/gone": {"get": {}},
    },
    "components": {
        "parameters": {
            "order": {"name": "order", "in": "path", "required": True, "schema": {"type": "string"}}
        },
        "schemas": {
            "Change": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        },
    },
}


async def echo(request: Request) -> Response:
    asked = {"path": request.scope["raw_path"].decode(), "query": request.url.query, "method": request.method}
    named = {
        name: request.headers[name] for name in ("x-language", "authorization") if name in request.headers
    }
    return JSONResponse({**asked, **named, "body": (await request.body()).decode()})


async def slow(_: Request) -> Response:
    await asyncio.Event().wait()
    return Response()


API = Starlette(
    routes=[
        Route("/v1/orders/{order:path}", echo, methods=["GET", "PUT"]),
        Route("/v1/away", lambda _: RedirectResponse("http://127.0.0.1:1/secret")),
        Route("/v1/large", lambda _: PlainTextResponse("x" * 100_000)),
        Route("/v1/slow", slow),
        Route("/v1/broken", lambda _: PlainTextResponse("out of order", 503)),
    ]
)


def source(folder: Path, document: Any = DOCUMENT, **options: Any) -> OpenApiSource:
    (folder / "api.yaml").write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return OpenApiSource.model_validate({"file": folder / "api.yaml", **options})


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
        ("away", {}, "error: the server answered 307, a redirect, which is not followed", False),
        ("get_gone", {}, "error: the server answered 404: Not Found", False),
        ("broken", {}, "error: broken failed (ConnectionError)", True),
    ],
)
async def test_what_fails_is_told(
    tools: dict[str, HttpTool], name: str, arguments: Any, said: str, mendable: bool
) -> None:
    result = await tools[name].call(arguments, 10, 1_000)
    assert result.text.startswith(said)
    assert (result.failed, result.mendable) == (True, mendable)


async def test_time_and_size_are_bounded(tools: dict[str, HttpTool]) -> None:
    result = await tools["slow"].call({}, 0.05, 100)
    assert result.text == "error: slow did not answer within 0.05 s"
    result = await tools["large"].call({}, 10, 100)
    assert result.text.startswith("x" * 100 + " ... (cut, ")
    assert len(result.text) < 200


async def test_a_server_that_is_gone_is_told(tmp_path: Path) -> None:
    (tool,) = http_tools(source(tmp_path, url="http://127.0.0.1:1", operations=["away"]))
    assert (await tool.call({}, 10, 1_000)).text == "error: away failed (ConnectionError)"


def without(*place: str, **change: Any) -> dict[str, Any]:
    """The document with ``change`` in the operation at ``place``."""
    document: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    path, method = place
    document["paths"][path][method] |= change
    return document


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


async def test_an_operation_is_asked_at_its_own_server(tmp_path: Path) -> None:
    document = without("/away", "get", servers=[{"url": "https://away.example/v2/"}])
    document["paths"]["/orders/{order}"]["servers"] = [{"url": "https://path.example"}]
    document["paths"]["/orders/{order}"]["put"]["servers"] = [{"url": "https://put.example"}]
    urls = {tool.name: tool.url for tool in http_tools(source(tmp_path, document))}
    assert urls["away"] == "https://away.example/v2/away"
    assert urls["show_order"] == "https://path.example/orders/{order}"
    assert urls["change_order"] == "https://put.example/orders/{order}"
    assert urls["large"] == "https://orders.example/v1/large"
    urls = {
        tool.name: tool.url for tool in http_tools(source(tmp_path, document, url="https://x.example/v3"))
    }
    assert {url.partition("/v3/")[0] for url in urls.values()} == {"https://x.example"}


async def test_a_query_is_sent_as_the_file_says(tmp_path: Path) -> None:
    def named(name: str, **said: Any) -> dict[str, Any]:
        return {"name": name, "in": "query", **said}

    parameters = [
        named("csv", explode=False, schema={"type": "array"}),
        named("filter", style="deepObject", explode=True, schema={"type": "object"}),
        named("when", schema={"type": ["string", "null"]}),
        named("words", schema={"type": "string"}),
        {"name": "X-Language", "in": "header", "schema": {"type": ["string", "null"]}},
    ]
    document = without("/orders/{order}", "get", parameters=parameters)
    given = {"order": "7", "csv": ["x", "y z"], "filter": {"a": "1"}, "when": None, "words": "a+b c"}
    given["X-Language"] = None
    async with serving(API) as url:
        (tool,) = http_tools(source(tmp_path, document, url=f"{url}/v1", operations=["show_order"]))
        answer = json.loads((await tool.call(given, 10, 1_000)).text)
        assert answer["query"] == "csv=x,y%20z&filter%5Ba%5D=1&words=a%2Bb%20c"
        assert "x-language" not in answer
        result = await tool.call({"order": "7", "csv": [["x"]]}, 10, 1_000)
        assert result.text.startswith('error: wrong arguments for show_order: csv can\'t hold ["x"]')


async def test_a_path_has_no_null(tmp_path: Path) -> None:
    order = {"name": "order", "in": "path", "schema": {}}
    document = without("/orders/{order}", "get", parameters=[order])
    (tool,) = http_tools(source(tmp_path, document, operations=["show_order"]))
    assert (await tool.call({"order": None}, 10, 1_000)).text == "error: order can't be null"


YAML = """\
openapi: 3.0.3
servers: [{url: "https://days.example"}]
paths:
  /days:
    post:
      operationId: by_day
      parameters:
      - {name: day, in: query, schema: {type: string, format: date, example: 2024-01-01}}
      - {name: mode, in: query, schema: {type: string, enum: [on, off]}}
      requestBody:
        content:
          application/json:
            schema:
              type: object
              properties:
                note: {type: string, nullable: true}
                price: {type: number, minimum: 0, exclusiveMinimum: true}
      responses:
        200: {description: done}
"""


def test_yaml_is_read_as_json_is_and_30_as_31(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(YAML, "utf-8")
    (tool,) = http_tools(OpenApiSource.model_validate({"file": tmp_path / "api.yaml"}))
    told = json.loads(json.dumps(tool.schema))["function"]["parameters"]["properties"]
    assert told == {
        "day": {"type": "string", "format": "date", "example": "2024-01-01"},
        "mode": {"type": "string", "enum": ["on", "off"]},
        "body": {
            "type": "object",
            "properties": {
                "note": {"type": ["string", "null"]},
                "price": {"type": "number", "exclusiveMinimum": 0},
            },
        },
    }
    fits = {"day": "2024-05-05", "mode": "on", "body": {"note": None, "price": 0.5}}
    assert tool.arguments.problem(json.dumps(fits)) is None
    assert tool.arguments.problem('{"body": {"price": 0}}') is not None


def test_31_has_no_nullable(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(
        YAML.replace("3.0.3", "3.1.0").replace("exclusiveMinimum: true", ""), "utf-8"
    )
    (tool,) = http_tools(OpenApiSource.model_validate({"file": tmp_path / "api.yaml"}))
    assert tool.arguments.problem('{"body": {"note": null}}') is not None


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
