"""The OpenAPI document: every path is in it, answers are of its form, and what it forbids is refused."""

from __future__ import annotations

from typing import Any

from starlette.routing import Route

from service.api.description import described
from service.app import PARTS
from service.sections import GatewaySettings
from tests.service import test_embeddings, test_responses_refused
from tests.service.body.test_refused import REQUESTS
from tests.service.conftest import Running
from tests.service.described import USER, document, schema_of

ASKED: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"model": "auto", "messages": [USER]}),
    ("/v1/chat/completions", {"model": "math", "messages": [USER], "n": 1.0, "stop": ["#"]}),
    ("/v1/completions", {"model": "support", "prompt": "once"}),
    ("/v1/completions", {"model": "auto", "prompt": "what is 12 plus 30"}),
    ("/v1/responses", {"model": "auto", "input": "hi", "max_output_tokens": 9.0, "store": False}),
    ("/v1/embeddings", {"model": "auto", "input": ["hi"], "encoding_format": "base64"}),
    ("/tokenize", {"prompt": "hi"}),
    ("/tokenize", {"model": "chat", "messages": [USER]}),
    ("/detokenize", {"tokens": [104]}),
    ("/v1/route", {"input": "where is my parcel"}),
    ("/v1/load_lora_adapter", {"lora_name": "policy", "lora_path": "step-1"}),
    ("/v1/unload_lora_adapter", {"lora_name": "policy"}),
    ("/admin/adapters", {"alias": "support", "folder": "x"}),
    ("/admin/adapters/check", {"folder": "x"}),
]


def test_every_path_is_in_it_and_no_other() -> None:
    found = described(GatewaySettings())
    served = {
        (route.path.replace(":path", ""), method.lower())
        for part in PARTS
        for route in part.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    assert {(path, method) for path, methods in found["paths"].items() for method in methods} == served


async def test_requests_and_answers_are_of_its_form(running: Running) -> None:
    found = await document(running)
    for path, body in ASKED:
        schema_of(found, path, "post", None).validate(body)
        answer = await running.http.post(path, json=body, headers=running.admin)
        assert answer.status_code == 200, answer.text
        operation = found["paths"][path]["post"]
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in operation["responses"]["200"]["content"]
        told = answer.json() if kind == "application/json" else answer.text
        schema_of(found, path, "post", "200").validate(told)
    for path in ("/v1/models", "/v1/models/auto", "/admin/adapters", "/health", "/ready", "/openapi.json"):
        answer = await running.http.get(path, headers=running.admin)
        shown = "/v1/models/{model}" if path == "/v1/models/auto" else path
        schema_of(found, shown, "get", "200").validate(answer.json())


async def test_what_it_forbids_is_refused_and_told_in_its_form(running: Running) -> None:
    found = await document(running)
    wrong = [("/v1/chat/completions", body) for body, _, _ in REQUESTS]
    wrong += [("/v1/embeddings", body) for body, _, _ in test_embeddings.REFUSED]
    wrong += [
        ("/v1/responses", {"model": "support", "input": "hi", **body})
        for body, _ in test_responses_refused.REFUSED
    ]
    wrong += [("/v1/route", {"text": "hi", "input": "hi"}), ("/v1/route", {"messages": [USER], "input": 7})]
    wrong += [(path, {}) for path, _ in ASKED]
    paths = {path for path, _ in wrong}
    told = {path: schema_of(found, path, "post", "4XX") for path in paths}
    taken = {path: schema_of(found, path, "post", None) for path in paths}
    forbidden = 0
    for path, body in wrong:
        answer = await running.http.post(path, json=body, headers=running.admin)
        assert 400 <= answer.status_code < 500, (path, body)
        told[path].validate(answer.json())
        forbidden += not taken[path].is_valid(body)
    assert forbidden > 50


async def test_options_tells_the_methods_of_the_document(running: Running) -> None:
    found = await document(running)
    for path, methods in found["paths"].items():
        answer = await running.http.options(
            path.format(alias="support", version="0" * 12, model="auto", upload="x", file="y")
        )
        assert answer.status_code == 204
        assert set(answer.headers["allow"].lower().split(", ")) == set(methods), path


def test_the_document_says_who_needs_a_key() -> None:
    assert described(GatewaySettings())["paths"]["/v1/models"]["get"]["security"] == []
    closed = described(GatewaySettings(api_keys=("0" * 64,)))
    assert closed["paths"]["/v1/models"]["get"]["security"] == [{"client": []}]


async def test_it_refers_to_nothing_that_is_not_there(running: Running) -> None:
    document = (await running.http.get("/openapi.json")).json()
    asked = [document]
    while asked:
        part = asked.pop()
        if isinstance(part, dict):
            if isinstance(reference := part.get("$ref"), str):
                found = document
                for step in reference.removeprefix("#/").split("/"):
                    found = found[step]
            asked += part.values()
        elif isinstance(part, list):
            asked += part
