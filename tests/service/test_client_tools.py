"""Requests with tools of the client's own: where they go, and where not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chains.gathered import Gathered
from service.errors import RoutesRejected
from tests.service.conftest import Start
from tests.service.parts import ROUTES
from tests.service.test_chain_options import objects
from tests.service.test_chat import BASE
from tests.service.test_rules import table_of

BROUGHT = "client_tools: {chain: direct, adapter: math, sampling: {max_tokens: 99}}\n"
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
FOOTBALL, SUM, TRACK = "who won the football match last night", "what is 12 plus 30", "where is my parcel"


@pytest.mark.parametrize(
    ("text", "more", "intent"),
    [
        (FOOTBALL, {"tools": TOOLS}, "client_tools"),
        (FOOTBALL, {"tools": TOOLS, "tool_choice": "none"}, "fallback"),
        (SUM, {"tools": TOOLS, "tool_choice": "required"}, "arithmetic"),
        (FOOTBALL, {"tools": []}, "fallback"),
        (FOOTBALL, {}, "fallback"),
    ],
)
async def test_tools_lead_to_what_knows_tools(
    start: Start, text: str, more: dict[str, Any], intent: str
) -> None:
    async with start(routes=ROUTES + BROUGHT) as running:
        response = await running.ask(text, **more)
        assert response.status_code == 200
        assert response.headers["x-pointsman-intent"] == intent
        sent = running.vllm.requests[-1]
        assert (sent["messages"][0]["role"] == "user") == (intent == "client_tools")  # no prompt of ours
        assert (sent.get("max_tokens") == 99) == (intent == "client_tools")
        body = {"messages": [{"role": "user", "content": text}], **more}
        told = (await running.http.post("/v1/route", json=body)).json()
        assert told["route"]["intent"] == intent
        assert told["abstained"] == (text == FOOTBALL)


@pytest.mark.parametrize("parameters", [{}, {"parameters": None}])
async def test_a_tool_without_parameters_takes_none(start: Start, parameters: dict[str, Any]) -> None:
    ping = {"type": "function", "function": {"name": "ping", **parameters}}
    async with start(routes=ROUTES + BROUGHT) as running:
        for model in ("auto", BASE):
            assert (await running.ask(FOOTBALL, model=model, tools=[*TOOLS, ping])).status_code == 200
            first, second = running.vllm.requests[-1]["tools"]
            assert first == TOOLS[0]
            assert second["function"] == {"name": "ping", "parameters": {"type": "object", "properties": {}}}


async def test_without_a_track_for_them_they_go_to_the_base(start: Start) -> None:
    routes = ROUTES.replace("adapter: chat}", "adapter: chat, sampling: {temperature: 0, max_tokens: 9}}")
    async with start(routes=routes) as running:
        response = await running.ask(FOOTBALL, tools=TOOLS)
        assert response.headers["x-pointsman-intent"] == "client_tools"
        assert response.headers["x-pointsman-adapter"] == BASE
        sent = running.vllm.requests[-1]
        assert (sent["model"], sent["tools"]) == (BASE, TOOLS)
        assert sent["messages"] == [{"role": "user", "content": FOOTBALL}]
        assert sent.get("max_tokens") is None  # a call is not to be cut


@pytest.mark.parametrize("model", ["auto", "math", BASE])
@pytest.mark.parametrize("more", [{"tools": TOOLS}, {"tools": TOOLS, "tool_choice": "none"}, {}])
async def test_their_calls_are_looked_at_whatever_model_is_named(
    start: Start, model: str, more: dict[str, Any]
) -> None:
    async with start() as running:
        response = await running.ask(SUM, model=model, stream=True, **more)
        assert response.status_code == 200
        sent = running.vllm.requests[-1]
        looked = (more.get("tool_choice") != "none" and "tools" in more) or model != BASE  # that reason
        assert sent.get("return_token_ids") == (True if looked else None)
        assert "token_ids" not in response.text


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        (ROUTES + BROUGHT.replace("{chain", "{tools: [track_parcel], chain"), "leave out tools"),
        (ROUTES + BROUGHT.replace("{chain", "{parameters: {x: y}, chain"), "leave out parameters"),
        (ROUTES + BROUGHT.replace("{chain", "{prompt: nowhere, chain"), "nowhere"),
        (ROUTES.replace("intent: arithmetic", "intent: client_tools"), "that has tools of its own"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, routes: str, told: str) -> None:
    with pytest.raises(RoutesRejected, match=told):
        table_of(tmp_path, routes)


@pytest.mark.parametrize("model", ["auto", "math", BASE])
async def test_a_stop_beside_their_tools_is_not_the_engines(start: Start, model: str) -> None:
    async with start() as running:
        running.vllm.answer = lambda _: "I can't say. Ask again."
        found = []
        for more in ({}, {"stream": True, "stream_options": {"include_usage": True}}):
            response = await running.ask(SUM, model=model, tools=TOOLS, stop=["ay. "], **more)
            sent = running.vllm.requests[-1]
            assert "stop" not in sent
            assert sent["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
            gathered = Gathered()
            for one in objects(response):
                if more:
                    gathered.add(one)
            found.append(gathered.answer() if more else one)
            assert "token_ids" not in response.text
        whole, streamed = found
        (choice,) = whole["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("I can't s", "stop")
        counted = {} if model == BASE else {"completion_tokens_details": {"reasoning_tokens": 0}}
        assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, **counted}
        assert whole == streamed
