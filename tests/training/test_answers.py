"""Answers scored against facts, whole and streamed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.training.evaluating import plan, value
from tests.training.rows import write_rows
from training.building import expectation
from training.data.row.fields import FieldError
from training.errors import BadRows, EndpointError
from training.evaluation.evaluate import evaluate
from training.evaluation.load import load
from training.served import streamed

TOOL = {"name": "track", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}}
QUESTIONS: list[dict[str, Any]] = [
    {"prompt": "sum", "expect": {"number": 12.5}},
    {"prompt": "word", "expect": {"equals": "blue", "contains": ["lu"]}},
    {"prompt": "object", "expect": {"json": {"a": [1, 2]}}},
    {
        "prompt": "track",
        "expect": {"calls": [{"name": "track", "arguments": {"id": "PX1"}}]},
        "tools": [TOOL],
    },
    {"prompt": "endless", "expect": {"contains": ["and"]}},
]
RIGHT: dict[str, dict[str, Any]] = {
    "sum": {"content": "5 + 7.5 = 12.5."},
    "word": {"content": " blue\n"},
    "object": {"content": '{"a": [1, 2]}'},
    "track": {
        "content": "",
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "track", "arguments": '{"id": "PX1"}'}}
        ],
    },
    "endless": {"content": "and and and", "finish_reason": "length"},
}


def events(message: dict[str, Any], reason: str) -> str:
    """A message as a stream, its text and its arguments in pieces of four letters."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    text = message["content"]
    deltas += [{"content": text[at : at + 4]} for at in range(0, len(text), 4)]
    for index, call in enumerate(message.get("tool_calls", ())):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        head = {"index": index, "id": "other", "type": "function", "function": {"name": name}}
        deltas.append({"tool_calls": [head]})
        pieces = [arguments[at : at + 4] for at in range(0, len(arguments), 4)]
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": one}}]} for one in pieces]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    chunks.append({"choices": [], "usage": {"total_tokens": 3}})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What a server answers by question; under `stream` what it streams instead."""
    said: dict[str, dict[str, Any]] = dict(RIGHT)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"data": [{"id": "m"}]})
        body = json.loads(request.content)
        question = body["messages"][-1]["content"]
        message = said.get(f"streamed {question}", said[question]) if body.get("stream") else said[question]
        reason = message.get("finish_reason", "tool_calls" if "tool_calls" in message else "stop")
        if body.get("stream"):
            return httpx.Response(200, text=events(message, reason))
        return httpx.Response(200, json={"choices": [{"message": message, "finish_reason": reason}]})

    real = httpx.AsyncClient

    def client(**keywords: Any) -> httpx.AsyncClient:
        return real(**keywords, transport=httpx.MockTransport(answer))

    monkeypatch.setattr(httpx, "AsyncClient", client)
    return said


def ask(folder: Path) -> Any:
    rows = write_rows(folder / "questions.jsonl", QUESTIONS)
    parts = load(plan(answers={"desk": {"path": str(rows)}}), None)
    [found] = evaluate(parts, ["m"], url="http://there", api_key=None, concurrency=2, report=lambda _: None)
    return found


def test_answers_are_right_by_their_facts_end_and_stream_alike(tmp_path: Path, server: Any) -> None:
    found = ask(tmp_path)
    assert value(found, "answers.desk.correct") == 1
    assert value(found, "answers.desk.stops") == pytest.approx(0.8)  # the endless one was cut
    assert value(found, "answers.desk.streams_alike") == 1
    assert found.measures["answers.desk.seconds"].value >= 0
    assert found.measures["answers.desk.correct"].rows.tolist() == [[1, 1]] * 5


@pytest.mark.parametrize(
    ("question", "message", "missed"),
    [
        ("sum", {"content": "5 + 7 = 12."}, "wrong final answer"),
        ("word", {"content": "dark blue"}, "wrong final answer"),
        ("object", {"content": '{"a": [2, 1]}'}, "wrong final answer"),
        ("track", {"content": "It is on its way."}, "wrong tool"),
        ("track", {"content": '<tool_call>{"name": "track"}'}, "the text holds <tool_call>"),
        ("endless", {"content": "<think>This and that.</think>No idea."}, "wrong final answer"),
        ("endless", {"content": "<think>This and that, and"}, "wrong final answer"),
    ],
)
def test_a_wrong_answer_says_which_rule_it_breaks(
    tmp_path: Path, server: dict[str, Any], question: str, message: dict[str, Any], missed: str
) -> None:
    server[question] = message
    found = ask(tmp_path)
    assert value(found, "answers.desk.correct") == pytest.approx(0.8)
    [wrong] = [row for row in found.details if row["missed"]]
    assert missed in wrong["missed"]
    assert wrong["row"].endswith(f":{list(RIGHT).index(question) + 1}")


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("word", {"content": "<think>\nIt is grey, or it is not.\n</think>\n\nblue"}),
        (
            "object",
            {"content": 'A list of 2 numbers, {"a": []}.</think>{"a": [1, 2]}'},
        ),  # opened in the prompt
        ("sum", {"content": "12.5", "reasoning_content": "5 and 7.5"}),
        (
            "track",
            {"content": "<think>A <tool_call> is due.</think>", "tool_calls": RIGHT["track"]["tool_calls"]},
        ),
    ],
)
def test_an_answer_is_judged_without_its_thought(
    tmp_path: Path, server: dict[str, Any], question: str, message: dict[str, Any]
) -> None:
    server[question] = message
    found = ask(tmp_path)
    assert value(found, "answers.desk.correct") == value(found, "answers.desk.streams_alike") == 1
    [row] = [row for row in found.details if row.get("thought")]
    assert "think>" not in row["thought"] + row["text"]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("word", {"content": " blu\n"}),
        ("word", {"content": " blue\n", "finish_reason": "length"}),
        ("track", {"content": "", "tool_calls": []}),
    ],
)
def test_a_stream_that_says_something_else_is_seen(
    tmp_path: Path, server: dict[str, Any], question: str, message: dict[str, Any]
) -> None:
    server[f"streamed {question}"] = message
    assert value(ask(tmp_path), "answers.desk.streams_alike") == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('data: {"choices": []}\n\n', "broke off"),
        ('data: {"error": {"message": "gone"}}\n\ndata: [DONE]\n\n', "ended with an error"),
        ("data: <html>\n\n", "no JSON"),
    ],
)
def test_a_broken_stream_is_an_error_and_no_answer(text: str, problem: str) -> None:
    with pytest.raises(EndpointError, match=problem):
        streamed.choice(text)


def test_bad_questions_are_named(tmp_path: Path) -> None:
    bad = [{"prompt": "a", "expect": {}}, {**QUESTIONS[0], "tools": 7}]
    rows = write_rows(tmp_path / "q.jsonl", bad)
    named = r"q\.jsonl:1: expect: .*holds no rule(?s:.*)q\.jsonl:2: tools: must be"
    with pytest.raises(BadRows, match=named):
        load(plan(answers={"desk": {"path": str(rows)}}), None)


@pytest.mark.parametrize(
    ("expect", "text", "right"),
    [
        ({"any_of": ["can't help", "won't"]}, "I can't help with that.", True),
        ({"any_of": ["can't help", "won't"]}, "Sure: first take", False),
        ({"without": ["Sure"], "any_of": ["can't"]}, "Sure, but I can't", False),
        ({"json_schema": {"type": "object", "required": ["a"]}}, '{"a": 1}', True),
        ({"json_schema": {"type": "object", "required": ["a"]}}, '{"b": 1}', False),
        ({"json_schema": {"type": "object"}}, "{", False),
    ],
)
def test_refusals_and_forms_are_rules_too(expect: dict[str, Any], text: str, right: bool) -> None:
    assert (expectation.read(expect).misses([], text) == "") == right


def test_a_schema_that_is_none_is_told() -> None:
    with pytest.raises(FieldError) as caught:
        expectation.read({"json_schema": {"type": "thing"}})
    assert "json_schema: is no JSON Schema" in caught.value.problem
