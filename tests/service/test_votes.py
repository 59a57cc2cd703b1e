"""What samples that vote cost: all of them, streamed and whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import Start
from tests.service.parts import ROUTES
from tests.service.test_chain_options import objects

SAMPLES = ["<think>a</think>It is 41.", "<think>b c d</think>It is 42.", "It is 42."]
VOTING = ROUTES.replace("chain: cot", "chain: cot\n    options: {samples: 3, vote: number}")


@pytest.mark.parametrize("stop", [None, "."])
async def test_every_sample_counts_streamed_and_whole(start: Start, stop: str | None) -> None:
    """Each is as many tokens as the engine says of it alone."""
    async with start(routes=VOTING) as running:
        running.vllm.answer = lambda body: SAMPLES[body["seed"]]
        alone = [await usage(running, stop, seed=seed, chain="direct") for seed in range(3)]
        asked = [await usage(running, stop, stream=stream) for stream in (False, True)]
        assert asked[0] == asked[1]
        assert asked[0]["prompt_tokens"] == sum(one["prompt_tokens"] for one in alone)
        if stop is None:
            assert asked[0]["completion_tokens"] == sum(one["completion_tokens"] for one in alone)
        assert asked[0]["total_tokens"] == asked[0]["prompt_tokens"] + asked[0]["completion_tokens"]


async def usage(
    running: Any, stop: str | None, stream: bool = False, seed: int = 0, chain: str = "cot"
) -> dict[str, Any]:
    """That of one answer."""
    body: dict[str, Any] = {
        "model": "auto",
        "messages": [{"role": "user", "content": "what is 12 plus 30"}],
        "seed": seed,
        "stop": stop,
        "stream": stream,
    }
    body |= {"stream_options": {"include_usage": True}} if stream else {}
    headers = {"x-pointsman-chain": chain}
    response = await running.http.post("/v1/chat/completions", json=body, headers=headers)
    found: dict[str, Any] = objects(response)[-1]["usage"]
    return found


@pytest.mark.parametrize("stream", [False, True])
async def test_a_clients_temperature_of_0_is_one_answer_and_the_routes_no_default(
    start: Start, stream: bool
) -> None:
    """The route's is 0 here, at which nothing could vote."""
    body: dict[str, Any] = {
        "model": "auto",
        "messages": [{"role": "user", "content": "what is 12 plus 30"}],
        "stream": stream,
    }
    async with start(routes=VOTING) as running:
        for asked, sent in (({}, [0.7] * 3), ({"temperature": 0}, [0]), ({"temperature": 0.2}, [0.2] * 3)):
            running.vllm.requests.clear()
            response = await running.http.post("/v1/chat/completions", json={**body, **asked})
            assert response.status_code == 200, response.text
            assert [each["temperature"] for each in running.vllm.requests] == sent
