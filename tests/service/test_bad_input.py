"""What clients get wrong: each in OpenAI's error form with the right status, and nothing is lost."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.service.conftest import Running
from tests.service.refused import check_error

BODIES: list[tuple[bytes, int, str]] = [
    (b"", 400, "empty"),
    (b"hello", 400, "not JSON"),
    (b'{"model": "auto", "messages": [', 400, "not JSON"),
    (b"[1, 2]", 400, "object"),
    (b"null", 400, "object"),
    (b'{"model": "auto", "messages": [{"role": "user", "content": "\xff\xfe"}]}', 400, "UTF-8"),
    (b'{"model": "auto", "messages": [{"role": "user", "content": "\\ud800"}]}', 400, "not JSON"),
    (b'{"model": "auto", "n": NaN}', 400, "not JSON"),
    (b"[" * 100_000, 400, "not JSON"),
    (b'{"metadata": ' + b"[" * 300 + b"]" * 300 + b"}", 400, "nested deeper than 100"),
]


async def test_bytes_that_are_no_request(running: Running) -> None:
    for body, status, says in BODIES:
        for path in ("/v1/chat/completions", "/v1/completions", "/v1/route"):
            error = check_error(await running.http.post(path, content=body), status)
            assert says in error["message"], body[:80]


async def test_the_mark_of_byte_order_that_some_write_before_a_body_is_passed_over(running: Running) -> None:
    body = b'\xef\xbb\xbf{"text": "where is my parcel"}'
    assert (await running.http.post("/v1/route", content=body)).status_code == 200
    check_error(await running.http.post("/v1/route", content=b"\xef\xbb\xbf" + body), 400)


async def test_a_model_that_is_no_name(running: Running) -> None:
    for path, asked in (("/v1/chat/completions", {"messages": []}), ("/v1/completions", {"prompt": "x"})):
        response = await running.http.post(path, json={"model": ["auto"], **asked})
        assert "model must be one name, not list" in check_error(response, 400)["message"]


async def test_a_compressed_body_is_named_as_such(running: Running) -> None:
    headers = {"content-encoding": "gzip"}
    response = await running.http.post("/v1/route", content=gzip.compress(b'{"text": "x"}'), headers=headers)
    assert "content-encoding 'gzip'" in check_error(response, 400)["message"]


async def test_body_over_the_limit(running: Running) -> None:
    large = b'{"model": "auto", "messages": "' + b"x" * 10_000_000 + b'"}'
    error = check_error(await running.http.post("/v1/chat/completions", content=large), 413)
    assert "4194304" in error["message"]

    async def pieces() -> Any:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    check_error(await running.http.post("/v1/chat/completions", content=pieces()), 413)
    assert (await running.ask("where is my parcel")).status_code == 200


async def test_the_engines_refusal_is_a_400_in_its_words(running: Running) -> None:
    said = "max_tokens=1000000000 cannot be greater than max_model_len=2048."
    words = f"{said} (parameter=max_tokens, value=1)"
    running.vllm.refuse = (400, words)
    for stream in (False, True):
        error = check_error(await running.ask("where is my parcel", max_tokens=10**9, stream=stream), 400)
        assert (error["message"], error["param"]) == (said, "max_tokens")
    running.vllm.refuse = None
    running.vllm.error_event = (400, words)  # status 200, and an error as the first event
    error = check_error(await running.ask("where is my parcel", stream=True), 400)
    assert error["message"] == said
    assert running.desk.held == 0


@pytest.mark.parametrize(
    ("seed", "status"),
    [(-(2**63), 200), (2**63 - 1, 200), (2**63, 400), (-(2**63) - 1, 400), (-(2.0**63), 400)],
)
async def test_a_seed_has_64_bits(running: Running, seed: float, status: int) -> None:
    answer = await running.ask("where is my parcel", model="support", seed=seed)
    assert answer.status_code == status
    if status == 400:
        error = check_error(answer, 400)
        assert (error["message"], error["param"]) == (
            f"seed must be a whole number of 64 bits, found {seed:.15g}",
            "seed",
        )


@pytest.mark.parametrize(
    ("stop", "place", "said"),
    [
        (5, "stop", "stop must be text or a list of texts, found a number"),
        (["a", 5], "stop[1]", "stop[1] must be text, found a number"),
        (["a", ""], "stop[1]", "stop[1] must not be empty: it would end every answer, leave it out"),
        ("", "stop", "stop must not be empty: it would end every answer, leave it out"),
        ({}, "stop", "stop must be text or a list of texts, found an object"),
    ],
)
async def test_a_stop_is_text(running: Running, stop: object, place: str, said: str) -> None:
    error = check_error(await running.ask("where is my parcel", stop=stop), 400)
    assert (error["message"], error["param"]) == (said, place)


TWICE = [
    ("x-pointsman-chain", ["direct", "cot"], "name one chain"),
    ("x-pointsman-trace", ["1", "0"], "name it once"),
    ("x-pointsman-trace", ["1", "1"], "name it once"),
    ("x-pointsman-priority", ["batch", "interactive"], "name one"),
]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/completions"])
@pytest.mark.parametrize(("name", "values", "fix"), TWICE)
async def test_a_header_of_ours_is_there_once(
    running: Running, path: str, name: str, values: list[str], fix: str
) -> None:
    asked = {"messages": [{"role": "user", "content": "hello"}], "input": "hello", "prompt": "hello"}
    kept = {"chat/completions": "messages", "responses": "input", "completions": "prompt"}[path[4:]]
    headers = [(name, value) for value in values]
    answer = await running.http.post(path, json={"model": "auto", kept: asked[kept]}, headers=headers)
    error = check_error(answer, 400)
    assert error["param"] == name
    assert error["message"] == f"{name} is given 2 times: {fix}"


async def test_a_field_of_a_text_part_that_nobody_knows(running: Running) -> None:
    part: dict[str, Any] = {"type": "text", "text": "where is my parcel", "txet": "x"}
    body = {"model": "auto", "messages": [{"role": "user", "content": [part]}]}
    error = check_error(await running.http.post("/v1/chat/completions", json=body), 400)
    assert (error["param"], error["code"]) == ("messages[0].content[0].txet", "unknown_parameter")
    del part["txet"]
    part["cache_control"] = {"type": "ephemeral"}
    assert (await running.http.post("/v1/chat/completions", json=body)).status_code == 200


async def test_a_request_that_the_engine_stumbles_over_is_not_called_an_outage(running: Running) -> None:
    running.vllm.refuse = (500, "'str' object has no attribute 'get'")
    for stream in (False, True):
        response = await running.ask("where is my parcel", stream=stream)
        error = check_error(response, 502)
        assert error["code"] == "engine_error"
        assert "retry-after" not in response.headers
        assert "attribute" not in response.text
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#"}}}
    for stream in (False, True):
        response = await running.ask("where is my parcel", stream=stream, response_format=schema)
        assert check_error(response, 400)["param"] == "response_format"
    running.vllm.refuse = None
    assert (await running.ask("where is my parcel")).status_code == 200


async def test_completions_are_bounded(running: Running) -> None:
    no_tokens: list[object] = [10**12, 1e10, 0.5, -1, True, "a", [2]]
    wrong_ones: list[tuple[dict[str, Any], str]] = [
        ({"prompt": ["a"] * 1_000}, "prompt"),
        ({"prompt": [[1, 2]] * 100, "n": 2}, "n"),
        *(({"prompt": [1, wrong]}, "prompt[1]") for wrong in no_tokens),
        *(({"prompt": [[1], [2, wrong]]}, "prompt[1][1]") for wrong in no_tokens),
        ({"prompt": "a", "best_of": 1_000}, "best_of"),
        ({"prompt": "a", "logprobs": True}, "logprobs"),
        ({}, "prompt"),
    ]
    for body, parameter in wrong_ones:
        response = await running.http.post("/v1/completions", json={"model": "support", **body})
        assert check_error(response, 400)["param"] == parameter
    assert running.vllm.requests == []
    tokens = {"model": "support", "prompt": [7] * 1_000}  # one prompt of a thousand tokens
    assert (await running.http.post("/v1/completions", json=tokens)).status_code == 200


async def test_unknown_paths_and_methods(running: Running) -> None:
    for path in ("/", "/v1", "/v1/chat", "/v1/models/", "/docs", "/v1/responses/resp_1"):
        check_error(await running.http.get(path), 404)
    check_error(await running.http.get("/v1/models/nothing"), 404)
    response = await running.http.get("/v1/chat/completions")
    check_error(response, 405)
    assert response.headers["allow"] == "POST"
    options = await running.http.options("/v1/chat/completions")
    assert options.status_code == 204
    assert options.headers["allow"] == "POST"
    head = await running.http.head("/v1/models")
    assert head.status_code == 200
    assert head.content == b""


async def test_what_nobody_foresaw_is_a_500_without_its_cause(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("a secret of ours")

    monkeypatch.setattr(running.gateway.routes, "decide", broken)
    response = await running.ask("where is my parcel")
    error = check_error(response, 500)
    assert "secret" not in response.text
    assert response.headers["x-request-id"] in error["message"]
