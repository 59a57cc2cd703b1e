"""A route's prompt is the operator's: nothing that a client may ask for shows it, or cuts it off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.service.conftest import Running
from tests.service.refused import USER, check_error

SHOWING: Mapping[str, tuple[object, ...]] = {
    "echo": (True,),
    "prompt_logprobs": (0, 1, -1),
    "return_prompt_text": (True,),
    "return_token_ids": (True,),
    "truncate_prompt_tokens": (1, -1),
    "truncation_side": ("left",),
}
NOTHING: dict[str, Any] = {
    **{"echo": False, "return_prompt_text": False, "return_token_ids": False, "prompt_logprobs": None},
    **{"truncate_prompt_tokens": None, "truncation_side": None},
}

TRACK = "where is my parcel"
CHAT = "/v1/chat/completions"
CHAINS = ("direct", "cot", "react")
TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize("name", SHOWING)
async def test_a_routed_request_may_not_ask_for_it(running: Running, name: str) -> None:
    for value in SHOWING[name]:
        for more in ({}, {"tools": [TOOL]}, {"stream": True}, {"response_format": {"type": "json_object"}}):
            for chain in ({}, *({"x-pointsman-chain": chain} for chain in CHAINS)):
                body = {"model": "auto", "messages": [USER], name: value, **more}
                error = check_error(await running.http.post(CHAT, json=body, headers=chain), 400)
                assert (error["param"], error["code"]) == (name, "invalid_value")
                assert error["message"].endswith("leave it out, or name an adapter or the base")
        text = {"model": "auto", "prompt": TRACK, name: value}
        if name != "return_prompt_text":  # which a completion does not know
            check_error(await running.http.post("/v1/completions", json=text), 400)
    assert running.vllm.requests == []


async def test_what_asks_for_nothing_of_it_is_answered(running: Running) -> None:
    response = await running.ask(TRACK, **NOTHING)
    assert response.status_code == 200, response.text
    assert len(running.vllm.requests) == 1


async def test_by_name_the_client_sees_what_he_sent(running: Running) -> None:
    """No prompt of a route's is in what the engine gets, so there is none to be hidden."""
    for model in ("support", "chat", "pointsman-demo"):
        asked = {name: values[0] for name, values in SHOWING.items()}
        response = await running.ask(TRACK, model=model, **asked)
        assert response.status_code == 200, response.text
        sent = running.vllm.requests[-1]
        assert [message["content"] for message in sent["messages"]] == [TRACK]
        assert asked.items() <= sent.items()
