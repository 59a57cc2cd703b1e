"""Calls of tools that the demo's models never saw, from public files: each parses and fits its schema."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.e2e.demo import Demo

DATA = Path(os.environ.get("POINTSMAN_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
TOOLS = DATA / "tools"
TYPES = {"dict": "object", "float": "number", "tuple": "array"}  # of Python, where JSON Schema has others
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not TOOLS.is_dir(), reason=f"no {TOOLS}; POINTSMAN_DATA names the data"),
]


def as_schema(found: Any) -> Any:
    """A schema with JSON Schema's names of types."""
    if isinstance(found, list):
        return [as_schema(item) for item in found]
    if not isinstance(found, dict):
        return found
    schema = {key: as_schema(value) for key, value in found.items()}
    if isinstance(kind := schema.get("type"), str):
        schema["type"] = TYPES.get(kind, kind)
        if kind == "any":
            del schema["type"]
    return schema


def bfcl(name: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each question and its tools; their names in the letters that OpenAI's API takes."""
    for line in (TOOLS / name).read_text("utf-8").splitlines():
        row = json.loads(line)
        functions = [as_schema(function) for function in row["function"]]
        yield row["question"][0][-1]["content"], [as_tool(function) for function in functions]


def glaive(name: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for row in json.loads((TOOLS / name).read_text("utf-8")):
        if functions := json.loads(row["tools"] or "[]"):
            yield row["conversations"][0]["value"], [as_tool(function) for function in functions]


def as_tool(function: dict[str, Any]) -> dict[str, Any]:
    name = function["name"].replace(".", "_")
    return {"type": "function", "function": {**function, "name": name}}


def calls_of(text: str) -> list[tuple[str, str]] | None:
    """Names and arguments in an answer, whole or streamed; None: it ran out of tokens."""
    found: dict[int, list[str]] = {}
    for line in text.splitlines():
        data = line.removeprefix("data: ")
        for choice in json.loads(data).get("choices", []) if data.startswith("{") else []:
            if choice.get("finish_reason") == "length":
                return None
            said = choice.get("delta") or choice.get("message") or {}
            for position, call in enumerate(said.get("tool_calls") or []):
                parts = found.setdefault(call.get("index", position), ["", ""])
                parts[0] += call["function"].get("name") or ""
                parts[1] += call["function"].get("arguments") or ""
    return [(name, arguments) for name, arguments in found.values()]


def check(url: str, question: str, tools: list[dict[str, Any]], **options: Any) -> int | None:
    """How many calls the answer makes, each of which fits; streamed calls are those of the whole answer.

    White space between the parts of the JSON is not compared: where it streams, vLLM gives it as the model
    wrote it. None: it ran out of tokens.
    """
    body = {"messages": [{"role": "user", "content": question}], "tools": tools, "temperature": 0, **options}
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    answers = []
    for stream in (False, True):
        answer = httpx.post(f"{url}/v1/chat/completions", json={**body, "stream": stream}, timeout=120)
        assert answer.status_code == 200, answer.text
        made = calls_of(answer.text)
        if made is None:
            return None
        answers.append([(name, json.loads(arguments)) for name, arguments in made])
        for name, arguments in answers[-1]:
            Draft202012Validator(schemas[name]).validate(arguments)
    assert answers[0] == answers[1], question
    return len(answers[0])


FILES = [
    ("bfcl_v4_simple_python.json", bfcl, "required"),
    ("bfcl_v4_irrelevance.json", bfcl, "auto"),
    ("glaive_toolcall_en_demo.json", glaive, "auto"),
    ("glaive_toolcall_zh_demo.json", glaive, "required"),
]


@pytest.mark.parametrize(("name", "rows", "choice"), FILES)
def test_calls_fit_their_schemas_streamed_and_not(demo: Demo, name: str, rows: Any, choice: str) -> None:
    question, tools = next(iter(rows(name)))
    made = check(demo.url, question, tools, model="auto", tool_choice=choice, max_tokens=96)
    assert choice == "auto" or made != 0
