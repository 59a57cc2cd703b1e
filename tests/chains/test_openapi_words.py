"""What an OpenAPI file says of servers, of the styles of parameters, and by which version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chains.openapi import OpenApiSource, http_tools
from tests.chains.orders_api import API, source, without
from tests.service.loopback import serving


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
