"""Who sets the header x-pointsman-trace finds each call of the model, and of a tool, under ``pointsman``."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from chains import react
from chains.events import ChainRequest, Content, Engine, Event, Finish, Usage
from chains.registry import GROUP
from chains.resources import Resources
from chains.tools import tool_from
from service.api.shapes_beside import BESIDE
from tests.service.conftest import Running, Start
from tests.service.test_chain_options import STRUCTURED, with_chain

USER = {"role": "user", "content": "where is my parcel"}
TRACE = {"x-pointsman-trace": "1"}
SUPPORT = "support@000000000000"
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": [USER]}),
    ("/v1/chat/completions", {"messages": [USER], "logprobs": True}),
    ("/v1/completions", {"prompt": USER["content"]}),
    ("/v1/responses", {"input": USER["content"]}),
]
WRITTEN = with_chain("chain: react\n    options: {dialect: written}\n    tools: [track_parcel]")
ACTION = 'Action: track_parcel\nAction Input: {"parcel_id": "PX1"}'


def track_parcel(parcel_id: str) -> str:
    """Tell where a parcel is."""
    return f"{parcel_id} is in Oslo"


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream, or the one body; of responses' events what they hold of the response."""
    lines = [line.removeprefix("data: ") for line in response.text.splitlines()]
    told = [json.loads(line) for line in lines if line.startswith("{")]
    return [one.get("response") or one for one in told]


def steps_in(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    for one in chunks_of(response):
        jsonschema.validate(one.get("pointsman", {}), BESIDE)
    found = [one["pointsman"]["steps"] for one in chunks_of(response) if "steps" in one.get("pointsman", {})]
    return [step for steps in found for step in steps]


def usage_in(response: httpx.Response) -> tuple[int, int]:
    usage = next(one["usage"] for one in reversed(chunks_of(response)) if one.get("usage"))
    return (
        usage.get("prompt_tokens", usage.get("input_tokens")),
        usage.get("completion_tokens", usage.get("output_tokens")),
    )


def purposes(steps: list[dict[str, Any]]) -> list[str]:
    """What each step was for: a call of the model by its purpose, a tool by its name."""
    return [step.get("purpose") or step["tool"] for step in steps]


def cost(steps: list[dict[str, Any]]) -> tuple[int, int]:
    """The tokens that the calls of the model read and wrote."""
    calls = [step for step in steps if "purpose" in step]
    return sum(call["prompt_tokens"] for call in calls), sum(call["completion_tokens"] for call in calls)


async def asked(running: Running, stream: bool, headers: dict[str, str], **more: Any) -> httpx.Response:
    body: dict[str, Any] = {"model": "auto", "messages": [USER], "stream": stream, **more}
    if stream:
        body["stream_options"] = {"include_usage": True}
    return await running.http.post("/v1/chat/completions", json=body, headers=headers)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("chain", ["direct", "cot"])
async def test_one_call_of_the_model_is_one_step(running: Running, chain: str, stream: bool) -> None:
    running.vllm.answer = lambda _: "It is here."
    for path, asked in ASKED:
        body, headers = {"model": "auto", **asked, "stream": stream}, {"x-pointsman-chain": chain}
        traced = await running.http.post(path, json=body, headers=TRACE | headers)
        (step,) = steps_in(traced)
        assert 0 <= step.pop("seconds") < 60
        assert step == {
            "model": SUPPORT,
            "purpose": "answer",
            "finish_reasons": ["stop"],
            "prompt_tokens": 3,
            "completion_tokens": 3,
            "error": None,
        }
        plain = await running.http.post(path, json=body, headers=headers)
        assert "pointsman" not in plain.text
        done = "data: [DONE]\n\n"
        assert traced.text.endswith(done) == plain.text.endswith(done)


async def test_without_a_trace_the_engine_is_asked_as_the_client_asks(running: Running) -> None:
    for headers, options in (({}, None), (TRACE, {"include_usage": True, "continuous_usage_stats": True})):
        body = {"model": "auto", "messages": [USER], "stream": True}
        response = await running.http.post("/v1/chat/completions", json=body, headers=headers)
        assert running.vllm.requests[-1].get("stream_options") == options
        assert not any(chunk.get("usage") for chunk in chunks_of(response))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_text_that_a_named_model_continues_is_traced(running: Running, stream: bool) -> None:
    body = {"model": "support", "prompt": ["one", "two"], "stream": stream}
    response = await running.http.post("/v1/completions", json=body, headers=TRACE)
    (step,) = steps_in(response)
    assert (step["model"], step["purpose"], step["finish_reasons"][0]) == (SUPPORT, "answer", "stop")
    plain = await running.http.post("/v1/completions", json=body)
    assert "pointsman" not in plain.text
    said = [[one["choices"] for one in chunks_of(each) if one["choices"]] for each in (response, plain)]
    assert said[0] == said[1]


async def test_a_trace_stands_where_the_answer_ends(running: Running) -> None:
    *_, last, usage = chunks_of(await asked(running, True, TRACE))
    assert last["pointsman"]["steps"][0]["finish_reasons"] == ["stop"]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []


@pytest.mark.parametrize("stream", [False, True])
async def test_samples_are_told_apart(start: Start, stream: bool) -> None:
    async with start(routes=with_chain("chain: cot\n    options: {samples: 3}")) as running:
        running.vllm.answer = lambda _: "It is here."
        steps = steps_in(await asked(running, stream, TRACE))
        assert purposes(steps) == ["sample 1", "sample 2", "sample 3"]
        assert sorted(step["finish_reasons"] == ["stop"] for step in steps)[1:] == [True, True]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_repair_is_a_step_of_its_own(start: Start, stream: bool) -> None:
    async with start(routes=STRUCTURED) as running:
        answers = iter(["{}", '{"weight": 2}'])
        running.vllm.answer = lambda _: next(answers)
        response = await asked(running, stream, TRACE)
        steps = steps_in(response)
        assert purposes(steps) == ["answer", "repair"]
        assert cost(steps) == usage_in(response)
        answers = iter(["{}", '{"weight": 1}', '{"weight": 2}'])
        steps = steps_in(await asked(running, stream, TRACE, n=2))
        assert sorted(purposes(steps)) == ["choice 0", "choice 0: repair", "choice 1"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_form_that_the_engine_refuses_is_a_step_with_its_error(start: Start, stream: bool) -> None:
    async with start(routes=STRUCTURED) as running:
        running.vllm.answer = lambda _: '{"weight": 2}'
        running.vllm.against = lambda body: (400, "no such guide") if "response_format" in body else None
        refused, answered = steps_in(await asked(running, stream, TRACE))
        assert (refused["purpose"], refused["completion_tokens"]) == ("answer", None)
        assert "no such guide" in refused["error"]
        assert (answered["purpose"], answered["error"]) == ("answer", None)
        running.vllm.against = lambda _: (400, "nothing at all")
        response = await asked(running, stream, TRACE)
        assert response.status_code == 400  # no stream has begun by what is traced


@pytest.mark.parametrize("stream", [False, True])
async def test_calls_of_the_model_and_of_tools_stand_in_their_order(
    start: Start, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    async with start(routes=WRITTEN) as running:
        monkeypatch.setattr(react, "tool_by_name", lambda _: tool_from(track_parcel))
        running.vllm.answer = lambda body: (
            "Final Answer: Oslo." if "Observation: " in body["messages"][-1]["content"] else ACTION
        )
        response = await asked(running, stream, TRACE)
        steps = steps_in(response)
        assert purposes(steps) == ["turn 1", "track_parcel", "turn 2"]
        assert cost(steps) == usage_in(response)
        form = {"type": "json_object"}
        running.vllm.answer = lambda body: (
            "{}"
            if "response_format" in body
            else "Final Answer: Oslo."
            if len(body["messages"]) > 3
            else ACTION
        )
        response = await asked(running, stream, TRACE, response_format=form)
        steps = steps_in(response)
        assert purposes(steps) == ["trial", "turn 1", "track_parcel", "turn 2", "form"]
        assert cost(steps) == usage_in(response)


@pytest.mark.parametrize("stream", [False, True])
async def test_choices_that_are_made_one_by_one_are_told_apart(
    start: Start, tmp_path: Path, stream: bool
) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "a.md").write_text("# Parcels\n\nWhere is my parcel: in the van.", "utf-8")
    routes = with_chain("chain: retrieve\n    options: {documents: handbook, threshold: 0.5}")
    async with start(routes=routes) as running:
        running.vllm.answer = lambda _: "In the van [1]."
        assert purposes(steps_in(await asked(running, stream, TRACE))) == ["answer"]
        steps = steps_in(await asked(running, stream, TRACE, n=2))
        assert purposes(steps) == ["choice 0", "choice 1"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_no_model_makes_has_no_steps(start: Start, tmp_path: Path, stream: bool) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "a.md").write_text("# Opening hours\n\nNine to five.", "utf-8")
    routes = with_chain("chain: retrieve\n    options: {documents: handbook, threshold: 0.5}")
    async with start(routes=routes) as running:
        response = await asked(running, stream, TRACE)
        assert steps_in(response) == []
        assert any("steps" in one.get("pointsman", {}) for one in chunks_of(response))
        assert running.vllm.requests == []


class Endless:
    """A chain that goes on behind its last event, and asks the model there."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        yield Finish("stop", Usage())
        await engine.complete({"messages": list(request.messages), "stream": False})
        yield Content("more")

    def warm(self, resources: Resources) -> None: ...


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chain_that_goes_on_behind_its_end_is_told_with_a_trace_too(
    start: Start, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    ours = [*entry_points(group=GROUP), EntryPoint("Endless", f"{__name__}:Endless", GROUP)]
    monkeypatch.setattr("chains.registry.entry_points", lambda group: ours)
    async with start() as running:
        answers = [
            await asked(running, stream, {"x-pointsman-chain": "Endless", **more}) for more in ({}, TRACE)
        ]
        for answer in answers:
            assert "'Content' after its Finish" in answer.text
