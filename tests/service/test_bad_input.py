"""What clients get wrong: each in OpenAI's error form with the right status, and nothing is lost."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import pytest

from service.keys import digest
from tests.service.conftest import Running, Start

USER = {"role": "user", "content": "where is my parcel"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}


def check_error(response: httpx.Response, status: int) -> dict[str, Any]:
    """OpenAI's error object, after a look at its form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    error: dict[str, Any] = response.json()["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    assert error["message"]
    assert "Traceback" not in response.text
    return error


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


@pytest.mark.parametrize(("body", "status", "says"), BODIES, ids=range(len(BODIES)))
async def test_bytes_that_are_no_request(running: Running, body: bytes, status: int, says: str) -> None:
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/route"):
        error = check_error(await running.http.post(path, content=body), status)
        assert says in error["message"]


async def test_a_compressed_body_is_named_as_such(running: Running) -> None:
    headers = {"content-encoding": "gzip"}
    response = await running.http.post("/v1/route", content=gzip.compress(b'{"text": "x"}'), headers=headers)
    assert "content-encoding 'gzip'" in check_error(response, 400)["message"]


_NO_FORMATS: list[object] = ["x", 5, [], ["x"], True, {}, {"jsn": {}}, {"json": {}, "regex": "a"}]
_NO_CHOICE: list[object] = ["any", 5, [], {}, {"type": "function", "function": {}}]
_NO_FORM: list[object] = ["json", 5, [], True]
_NO_CHOICES: list[tuple[str, object]] = [
    *(("tool_choice", wrong) for wrong in _NO_CHOICE),
    *(("response_format", wrong) for wrong in _NO_FORM),
]
_ANSWERS_TO_NOTHING: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
    ([], {"role": "tool", "content": "{}", "tool_call_id": "call_0"}),
    ([USER], {"role": "tool", "content": "{}", "tool_call_id": "call_0"}),
    ([CALL, USER], {"role": "tool", "content": "{}", "tool_call_id": "call_0"}),
    ([CALL], {"role": "tool", "content": "{}", "tool_call_id": "call_1"}),
]
REQUESTS: list[tuple[dict[str, Any], int, str | None]] = [
    ({"messages": [USER]}, 400, "model"),
    ({"model": None, "messages": [USER]}, 400, "model"),
    ({"model": 5, "messages": [USER]}, 400, "model"),
    ({"model": "gpt-4o", "messages": [USER]}, 404, "model"),
    ({"model": "support@ffffffffffff", "messages": [USER]}, 404, "model"),
    ({"model": "../../etc/passwd", "messages": [USER]}, 404, "model"),
    ({"model": "auto"}, 400, "messages"),
    ({"model": "auto", "messages": []}, 400, "messages"),
    ({"model": "auto", "messages": "hello"}, 400, "messages"),
    ({"model": "auto", "messages": [USER] * 1_000}, 400, "messages"),
    ({"model": "auto", "messages": ["hello"]}, 400, "messages[0]"),
    ({"model": "auto", "messages": [{"content": "hello"}]}, 400, "messages[0].role"),
    ({"model": "auto", "messages": [USER, {"role": "robot", "content": "x"}]}, 400, "messages[1].role"),
    ({"model": "auto", "messages": [{"role": ["user"], "content": "x"}]}, 400, "messages[0].role"),
    ({"model": "auto", "messages": [{"role": "user"}]}, 400, "messages[0].content"),
    ({"model": "auto", "messages": [{"role": "user", "content": 5}]}, 400, "messages[0].content"),
    ({"model": "auto", "messages": [{"role": "user", "content": ["x"]}]}, 400, "messages[0].content[0]"),
    *(
        ({"model": model, "messages": [*before, {"role": "user", "content": nothing}]}, 400, place)
        for model in ("auto", "support", "pointsman-demo")
        for nothing in ("", " \n", [], [{"type": "text", "text": ""}])
        for before, place in (
            ([], "messages[0].content"),
            ([{"role": "system", "content": ""}], "messages[1].content"),
        )
    ),
    (
        {"model": "auto", "messages": [{"role": "user", "content": [{"type": "text"}]}]},
        400,
        "messages[0].content[0].text",
    ),
    (
        {"model": "auto", "messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}, USER]},
        400,
        "messages[0].tool_calls[0].function",
    ),
    (
        {
            "model": "auto",
            "messages": [
                {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}
            ],
        },
        400,
        "messages[0].tool_calls[0].function.arguments",
    ),
    ({"model": "support", "messages": [USER], "n": 10_000}, 400, "n"),
    ({"model": "auto", "messages": [USER], "stream": "yes"}, 400, "stream"),
    ({"model": "auto", "messages": [USER], "stop": 5}, 400, "stop"),
    ({"model": "support", "messages": [USER], "stop": ["\n", 1]}, 400, "stop"),
    ({"model": "auto", "messages": [USER], "stop": ""}, 400, "stop"),
    ({"model": "auto", "messages": [USER], "stream_options": {}}, 400, "stream_options"),
    ({"model": "support", "messages": [USER], "n": 0}, 400, "n"),
    ({"model": "support", "messages": [USER], "n": "two"}, 400, "n"),
    ({"model": "auto", "messages": [USER], "tools": "x"}, 400, "tools"),
    ({"model": "auto", "messages": [USER], "tools": [5]}, 400, "tools[0]"),
    ({"model": "auto", "messages": [USER], "tools": [{}]}, 400, "tools[0].function"),
    ({"model": "auto", "messages": [USER], "tools": [{"function": {}}]}, 400, "tools[0].function.name"),
    ({"model": "support", "messages": [USER], "guided_json": {}}, 400, "guided_json"),
    *(
        ({"model": model, "messages": [USER], name: wrong}, 400, name)
        for model in ("auto", "support")
        for name, wrong in _NO_CHOICES
    ),
    *(
        (
            {"model": model, "messages": [USER], "chat_template_kwargs": {name: 1}},
            400,
            f"chat_template_kwargs.{name}",
        )
        for model in ("auto", "support")
        for name in ("messages", "tools", "conversation", "tokenize", "self", "chat_template", "tokenizer")
    ),
    *(
        ({"model": "auto", "messages": [*before, answer]}, 400, f"messages[{len(before)}]")
        for before, answer in _ANSWERS_TO_NOTHING
    ),
    *(
        ({"model": model, "messages": [USER], "structured_outputs": wrong}, 400, "structured_outputs")
        for model in ("auto", "support")
        for wrong in _NO_FORMATS
    ),
    ({"model": "auto", "messages": [{**USER, "name": 5}]}, 400, "messages[0].name"),
    *(
        ({"model": model, "messages": [USER, CALL, {"role": "tool", "content": "x", **which}]}, 400, place)
        for model in ("auto", "support")
        for which in ({}, {"tool_call_id": None}, {"tool_call_id": 5})
        for place in ["messages[2].tool_call_id"]
    ),
    (
        {"model": "auto", "messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
        400,
        "messages[0].tool_calls[0].id",
    ),
    ({"model": "auto", "messages": [USER], "stream": True, "stream_options": 1}, 400, "stream_options"),
]


@pytest.mark.parametrize(("body", "status", "parameter"), REQUESTS, ids=range(len(REQUESTS)))
async def test_requests_that_cannot_be_served(
    running: Running, body: dict[str, Any], status: int, parameter: str | None
) -> None:
    error = check_error(await running.http.post("/v1/chat/completions", json=body), status)
    assert error["param"] == parameter
    assert running.vllm.requests == []


RESERVED: dict[str, object] = {
    "priority": -100,
    "request_id": "another's",
    "kv_transfer_params": {"remote_host": "10.0.0.1"},
    "ec_transfer_params": {},
    "vllm_xargs": {"kv_transfer_params": 1},
    "mm_processor_kwargs": {},
    "media_io_kwargs": {},
    "prompt_embeds": "AAAA",
    "chat_template": "{{ messages }}",
    "functions": [{"name": "f"}],
    "function_call": {"name": "f"},
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy"},
    "web_search_options": {},
    "verbosity": "low",
    "store": True,
}


async def test_fields_with_power_over_the_engine_or_none_at_all_are_refused(running: Running) -> None:
    for name, value in RESERVED.items():
        for path, rest in (("chat/completions", {"messages": [USER]}), ("completions", {"prompt": "x"})):
            for model in ("auto", "support", "pointsman-demo"):
                body = {"model": model, **rest, name: value}
                error = check_error(await running.http.post(f"/v1/{path}", json=body), 400)
                assert error["param"] == name
                assert name in error["message"]
    assert running.vllm.requests == []
    neutral = {"priority": None, "store": False, "modalities": ["text"], "function_call": "auto"}
    assert (await running.ask("where is my parcel", **neutral)).status_code == 200


FINE: list[list[dict[str, Any]]] = [
    [
        {
            "role": "user",
            "content": [{"type": "text", "text": "where is"}, {"type": "text", "text": "my parcel"}],
        }
    ],
    [USER, {"role": "assistant", "content": "It is here."}, {"role": "user", "content": ""}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": []}],
    [{"role": "system", "content": "Be brief."}],
    [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, USER],
    [
        USER,
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "It is"}, {"type": "text", "text": "here."}],
        },
        {"role": "developer", "content": "Be polite."},
        {"role": "user", "content": [{"type": "text", "text": "and now?"}]},
    ],
    [
        USER,
        CALL,
        {"role": "tool", "tool_call_id": "call_0", "content": "{}"},
        {"role": "tool", "tool_call_id": "call_0", "content": ""},
    ],
    [{"role": "user", "content": "\x00\u202e" + "很长" * 20_000}],
]


@pytest.mark.parametrize("messages", FINE, ids=range(len(FINE)))
async def test_odd_conversations_are_served(running: Running, messages: list[dict[str, Any]]) -> None:
    running.vllm.answer = lambda _: "fine"
    for model in ("auto", "support", "pointsman-demo"):
        body = {"model": model, "messages": messages}
        response = await running.http.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
    assert (await running.http.post("/v1/route", json={"messages": messages})).status_code == 200


@pytest.mark.parametrize("beside", [[], [{"role": "user", "content": ""}]], ids=["alone", "empty user"])
async def test_a_system_message_alone_is_what_is_asked(
    running: Running, beside: list[dict[str, Any]]
) -> None:
    given = [{"role": "developer", "content": "Be brief."}, {"role": "system", "content": USER["content"]}]
    body = {"model": "auto", "messages": [*given, *beside]}
    response = await running.http.post("/v1/chat/completions", json=body)
    assert response.headers["x-pointsman-intent"] == "track_parcel"
    (rendered,) = [request["messages"] for request in running.vllm.requests]
    assert [message["role"] for message in rendered] == ["system", "user"]
    assert "Be brief." in rendered[0]["content"]
    assert rendered[1] == USER
    explained = await running.http.post("/v1/route", json={"messages": body["messages"]})
    assert explained.json()["route"]["intent"] == "track_parcel"


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
    for body, parameter in (
        ({"prompt": ["a"] * 1_000}, "prompt"),
        ({"prompt": [[1, 2]] * 100, "n": 2}, "n"),
        ({"prompt": "a", "best_of": 1_000}, "best_of"),
        ({}, "prompt"),
    ):
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


async def test_keys(start: Start) -> None:
    key = "pm-test-key"
    async with start(f"gateway: {{api_keys: [{'a' * 64}, {digest(key)}]}}\n") as running:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": key}, running.admin):
            response = await running.http.post("/v1/chat/completions", content=b"x", headers=headers)
            check_error(response, 401)
            assert response.headers["www-authenticate"] == "Bearer"
            check_error(await running.http.get("/v1/models", headers=headers), 401)
        mine = {"authorization": f"Bearer {key}"}
        assert (await running.http.get("/v1/models", headers=mine)).status_code == 200
        check_error(await running.http.get("/admin/adapters", headers=mine), 403)
        check_error(await running.http.get("/admin/adapters"), 401)
        assert (await running.http.get("/admin/adapters", headers=running.admin)).status_code == 200
        assert (await running.http.get("/health")).status_code == 200
        assert (running.folder / "state" / "admin.key").stat().st_mode & 0o777 == 0o600


async def test_rate_limit(start: Start) -> None:
    async with start("gateway: {rate_limit_per_minute: 2}\n") as running:
        for _ in range(2):
            assert (await running.http.get("/v1/models")).status_code == 200
        response = await running.http.get("/v1/models")
        check_error(response, 429)
        assert 0 < int(response.headers["retry-after"]) <= 30
